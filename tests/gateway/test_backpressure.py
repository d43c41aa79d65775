"""Many providers with large results, over real sockets: memory for a few, and all arrive."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import psutil
import pytest
from guarded import Door, Peer, open_door

from eco_dask.gateway.packing import Package
from eco_dask.gateway.session import Granted
from eco_dask.types import LeaseId, TaskKind
from eco_dask.values import EncodedValue, encode
from eco_dask.wire import messages as m
from eco_dask.wire.frames import encode_frame
from eco_dask.wire.values import split

pytestmark = pytest.mark.asyncio

MIB = 1 << 20
PEERS = 40
ROOM = 16 * MIB
VALUE = encode(np.zeros(MIB // 2))  # 4 MiB
LEASE = LeaseId("lease")


def grant(door: Door, peer: Peer, value: EncodedValue = VALUE) -> None:
    """Give a peer a lease that it has answered with a commitment to ``value``."""
    session = door.gateway.sessions[peer.identity.provider_id]
    granted = Granted(Package(b"", (), ()), TaskKind("k"), 1e12, 1 << 30)
    granted.answered, granted.digest, granted.size_bytes = True, value.digest, value.size_bytes
    lease = LeaseId(f"{LEASE}-{peer.identity.provider_id}")
    session.leases[lease] = granted
    door.gateway.fetching.ask(session, lease)


async def serve(peer: Peer) -> None:
    """Answer a Fetch as the agent does."""
    await peer.hear(m.Fetch, 60)
    for part in split(VALUE.digest, VALUE.parts(), MIB):
        await peer.socket.write_message(encode_frame([part]), binary=True)


async def crowd(door: Door) -> list[Peer]:
    invite = door.invite(uses_max=PEERS)
    peers = [Peer(door, invite) for _ in range(PEERS)]
    for peer in peers:
        await peer.join()
        grant(door, peer)
    return peers


async def test_all_results_arrive_and_never_more_than_the_room_are_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_door(tmp_path, {"arriving_bytes_max": ROOM}) as door:
        arrived: set[LeaseId] = set()
        peak = [0, 0]

        def take(lease: LeaseId, value: EncodedValue) -> None:
            assert value.digest == VALUE.digest
            arrived.add(lease)
            peak[0] = max(peak[0], door.gateway.fetching.room.taken_bytes)
            peak[1] = max(peak[1], psutil.Process().memory_info().rss)

        monkeypatch.setattr(door.gateway, "value_arrived", take)
        peers = await crowd(door)
        before = psutil.Process().memory_info().rss
        await asyncio.wait_for(asyncio.gather(*map(serve, peers)), 120)
        async with asyncio.timeout(60):
            while len(arrived) < PEERS:  # noqa: ASYNC110  the last ones are being decoded
                await asyncio.sleep(0.02)
        assert 0 < peak[0] <= ROOM
        assert door.gateway.fetching.room.taken_bytes == 0
        # All of them together would be ten times the room.
        assert peak[1] - before < PEERS * VALUE.size_bytes * 0.75
        for peer in peers:
            assert await door.strikes(peer) == []


async def test_who_is_asked_and_sends_nothing_gives_its_room_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eco_dask.gateway.session.FETCH_IDLE_S", 0.3)
    async with open_door(tmp_path, {"arriving_bytes_max": VALUE.size_bytes}) as door:
        silent, honest = Peer(door, door.invite()), Peer(door, door.invite("bob"))
        for peer in (silent, honest):
            await peer.join()
            grant(door, peer)
        # There is room for one, and the silent one was first.
        await asyncio.wait_for(serve(honest), 30)


async def test_a_value_that_nobody_asked_for_ends_the_session(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        peer = Peer(door, door.invite())
        await peer.join()
        part = next(split(VALUE.digest, VALUE.parts(), MIB))
        await peer.say(part)
        assert await peer.until_closed() == "value-unexpected"
        assert door.gateway.fetching.room.taken_bytes == 0


@pytest.mark.parametrize(
    ("size_bytes", "inline", "code"),
    [(1 << 40, b"", "value-size"), (1001, b"", "value-size"), (900, bytes(900), "inline-size")],
)
async def test_what_is_too_large_is_refused_by_its_announcement(
    tmp_path: Path, size_bytes: int, inline: bytes, code: str
) -> None:
    async with open_door(tmp_path, inline_bytes_max=500) as door:
        peer = Peer(door, door.invite())
        await peer.join()
        session = door.gateway.sessions[peer.identity.provider_id]
        session.leases[LEASE] = Granted(Package(b"", (), ()), TaskKind("k"), 1e12, 1000)
        await peer.say(m.Committed(LEASE, VALUE.digest, size_bytes, 0.0, 0.0, inline))
        assert await peer.until_closed() == code
        assert await door.strikes(peer) == [f"protocol: {code}"]
        assert peer.identity.provider_id not in door.gateway.sessions


async def test_a_lost_value_is_sent_again_a_few_times_and_a_foreign_one_never(
    tmp_path: Path,
) -> None:
    async with open_door(tmp_path) as door:
        blob = b"x" * 1000
        for digests, code in (
            ((VALUE.digest,), "missing-repeated"),
            ((encode(1).digest,), "missing-unknown"),
        ):
            peer = Peer(door, door.invite())
            await peer.join()
            session = door.gateway.sessions[peer.identity.provider_id]
            package = Package(b"", (), (VALUE.digest,), {VALUE.digest: (blob,)})
            session.leases[LEASE] = Granted(package, TaskKind("k"), 1e12, 1000)
            # In one frame: the connection may end in its middle.
            await peer.say(*[m.Missing(LEASE, digests)] * 5)
            assert await peer.until_closed() == code
