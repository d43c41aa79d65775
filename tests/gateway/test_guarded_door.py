"""The gateway's door against peers that do not behave: refused, recorded, and in nobody's way."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path
from typing import Any

import pytest
from guarded import Door, Peer, open_door

from eco_dask.types import Digest, LeaseId
from eco_dask.wire import messages as m

pytestmark = pytest.mark.asyncio

NO_LEASE = LeaseId("no-such-lease")


async def until(fact: Any, timeout_s: float = 10.0) -> Any:
    async with asyncio.timeout(timeout_s):
        while not (found := await fact()):  # noqa: ASYNC110  the fact is in the database
            await asyncio.sleep(0.02)
    return found


async def recorded(door: Door, reason: str) -> int:
    async def count() -> int:
        return (await door.incidents()).get(reason, 0)

    return int(await until(count))


async def raw(door: Door) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", door.server.port)


# ------------------------------------------------------------------ strangers


async def test_an_honest_provider_joins(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        peer = Peer(door, door.invite())
        welcome = await peer.join()
        assert welcome.owner == "ann"
        assert await door.incidents() == {}


async def test_connections_of_one_address_are_limited_before_a_byte_is_read(tmp_path: Path) -> None:
    async with open_door(tmp_path, {"handshakes_per_address_max": 3}) as door:
        half_open = [await raw(door) for _ in range(3)]
        reader, _ = await raw(door)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        assert await recorded(door, "handshakes-address") == 1
        for _, writer in half_open:
            writer.close()
        peer = Peer(door, door.invite())

        async def joins() -> bool:
            try:
                await peer.join()
            except (OSError, AssertionError):
                return False
            return True

        assert await until(joins)


async def test_a_thousand_half_open_connections_do_not_keep_others_out(tmp_path: Path) -> None:
    guard = {"handshakes_per_address_max": 64, "knocks_per_s": 1e6, "knocks_burst": 1_000_000}
    async with open_door(tmp_path, guard | {"hello_s": 1.0}) as door:
        invite = door.invite()
        crowd = [await raw(door) for _ in range(1000)]
        # On a slow machine some of them are gone before the last one comes.
        assert 0 < await recorded(door, "handshakes-address") <= 1000 - 64

        async def room() -> bool:
            # After hello_s those that were let in are gone, too.
            door.server._server._door.prune()
            return door.server._server._door._open == 0

        await until(room)
        await Peer(door, invite).join()
        for _, writer in crowd:
            writer.close()


async def test_a_burst_of_new_connections_is_limited(tmp_path: Path) -> None:
    async with open_door(tmp_path, {"knocks_burst": 5, "knocks_per_s": 0.01}) as door:
        for _ in range(5):
            _, writer = await raw(door)
            writer.close()
        reader, _ = await raw(door)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        assert await recorded(door, "connection-rate") == 1


NOT_OURS = {
    "Dask's own protocol": struct.pack("<Q", 1) + struct.pack("<Q", 64) + b"\x82\xa2op\xa8identity",
    "another page": b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n",
    "a giant header": b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    "a body": b"POST /eco/v1/provider HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n" + b"x" * 9,
    "a browser": b"GET /eco/v1/provider HTTP/1.1\r\nHost: x\r\nOrigin: http://evil.example\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "random bytes": bytes(range(256)) * 8 + b"\r\n\r\n",
}


@pytest.mark.parametrize("said", NOT_OURS.values(), ids=NOT_OURS)
async def test_what_is_no_provider_is_closed_and_recorded(tmp_path: Path, said: bytes) -> None:
    async with open_door(tmp_path, {"hello_s": 1.0}) as door:
        reader, writer = await raw(door)
        writer.write(said)
        answer = await asyncio.wait_for(reader.read(), 5)
        assert b"101 Switching" not in answer
        assert await recorded(door, "no-websocket") == 1


async def test_who_never_shows_a_key_has_little_time(tmp_path: Path) -> None:
    async with open_door(tmp_path, {"hello_s": 0.3}) as door:
        peer = await Peer(door).dial()
        assert await peer.until_closed() == "handshake-time"
        assert await recorded(door, "handshake-time") == 1


async def test_a_strangers_frames_are_short(tmp_path: Path) -> None:
    async with open_door(tmp_path, {"stranger_bytes_max": 10_000}) as door:
        peer = await Peer(door).dial()
        await peer.send_bytes(bytes(20_000))
        await peer.until_closed()
        assert await recorded(door, "websocket") == 1


REFUSED = {
    "no such invite": ("aaaaaaaaaaaa." + "s" * 32, "invite-unknown"),
    "no invite at all": ("", "invite-unknown"),
    "SQL": ("a' OR 1=1 --", "invite-unknown"),
}


@pytest.mark.parametrize(("invite", "code"), REFUSED.values(), ids=REFUSED)
async def test_who_is_not_invited_is_refused_and_recorded(
    tmp_path: Path, invite: str, code: str
) -> None:
    async with open_door(tmp_path) as door:
        peer = await Peer(door, invite).dial()
        await peer.introduce()
        assert (await peer.hear(m.Refused)).code == code
        assert await recorded(door, f"refused: {code}") == 1
        assert door.registry.providers() == ()


async def test_a_link_that_was_used_lets_nobody_else_in(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        invite = door.invite()
        await Peer(door, invite).join()
        thief = await Peer(door, invite).dial()
        await thief.introduce()
        assert (await thief.hear(m.Refused)).code == "invite-spent"


async def test_an_owner_has_so_many_machines_at_a_time(tmp_path: Path) -> None:
    async with open_door(tmp_path, {"connections_per_owner_max": 2}) as door:
        invite = door.invite(uses_max=3)
        first = [Peer(door, invite) for _ in range(2)]
        for peer in first:
            await peer.join()
        third = await Peer(door, invite).dial()
        await third.introduce()
        assert (await third.hear(m.Refused)).code == "owner-full"
        other = Peer(door, door.invite("bob"))
        await other.join()


# ------------------------------------------------------------------ providers


def flood_of(message: m.Message) -> list[m.Message]:
    return [message] * 200


USELESS: dict[str, m.Message] = {
    "slots": m.Slots(1, "again"),
    "evicted": m.Evicted((Digest(bytes(32)),)),
    "answers to no lease": m.Failed(NO_LEASE, "E", "m", "t", 0.0, 0.0),
    "commitments to no lease": m.Committed(NO_LEASE, Digest(bytes(32)), 1, 0.0, 0.0, b""),
    "sketches that nobody asked for": m.Sketched(NO_LEASE, 1, b"x" * 100_000),
    "missing values of no lease": m.Missing(NO_LEASE, (Digest(bytes(32)),)),
}


@pytest.mark.parametrize("message", USELESS.values(), ids=USELESS)
async def test_a_flood_of_useless_messages_is_held_up_then_struck(
    tmp_path: Path, message: m.Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eco_dask.gateway.provider_socket.HELD_UP_S_MAX", 0.2)
    guard = {"messages_per_s": 100.0, "messages_burst": 50}
    async with open_door(tmp_path, guard) as door:
        peer = Peer(door, door.invite())
        await peer.join()

        async def flood() -> None:
            for _ in range(50):
                await peer.say(*[message] * 10)

        flooding = asyncio.create_task(flood())
        assert await peer.until_closed() == "message-rate"
        flooding.cancel()
        assert await door.strikes(peer) == ["protocol: message-rate"]


async def test_a_flood_of_pings_is_held_up_then_struck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eco_dask.gateway.provider_socket.HELD_UP_S_MAX", 0.2)
    async with open_door(tmp_path, {"messages_per_s": 100.0, "messages_burst": 50}) as door:
        peer = Peer(door, door.invite())
        await peer.join()
        for _ in range(200):
            peer.socket.ping(b"x")
        assert await peer.until_closed() == "message-rate"
        assert await door.strikes(peer) == ["protocol: message-rate"]


async def test_what_is_no_message_costs_the_session_at_once(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        peer = Peer(door, door.invite())
        welcome = await peer.join()
        await peer.send_bytes(b"\x00\x00\x00\x02\xc1\xc1")
        assert await peer.until_closed() == "header-malformed"
        assert peer.identity.provider_id not in door.gateway.sessions
        assert await door.strikes(peer) == ["protocol: header-malformed"]
        again = Peer(door, identity=peer.identity)
        assert not (await again.join(session=welcome.session)).resumed


async def test_who_breaks_rules_again_and_again_has_to_wait(tmp_path: Path) -> None:
    async with open_door(tmp_path, {"violations_max": 3}) as door:
        invite = door.invite()
        peer = Peer(door, invite)
        for _ in range(3):
            await peer.join()
            await peer.send_bytes(b"junk")
            await peer.until_closed()
        await peer.dial()
        await peer.introduce()
        assert (await peer.hear(m.Refused)).code == "paused"
        assert len(await door.strikes(peer)) == 3


async def test_claims_are_believed_within_limits(tmp_path: Path) -> None:
    async with open_door(tmp_path, {"slots_max": 8, "cache_bytes_max": 1 << 30}) as door:
        peer = Peer(door, door.invite())
        await peer.join(slots=4096, cache_bytes=(1 << 63) - 1)
        session = door.gateway.sessions[peer.identity.provider_id]
        assert session.provider.slots == 8
        assert session.mirror.budget_bytes == 1 << 30
        await peer.say(m.Slots(4000, "more"))

        async def taken() -> bool:
            return session.slots == 8

        assert await until(taken)


async def test_a_second_connection_with_the_key_replaces_the_first(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        first = Peer(door, door.invite())
        await first.join()
        second = Peer(door, identity=first.identity)
        await second.join()
        assert await first.until_closed() == "replaced"
        assert len(door.gateway.sessions) == 1


async def test_a_revoked_provider_is_dropped_while_connected(tmp_path: Path) -> None:
    async with open_door(tmp_path, {"revoked_s": 0.1}) as door:
        peer = Peer(door, door.invite())
        await peer.join()
        door.registry.revoke(peer.identity.provider_id, "sold", 1.0)
        assert await peer.until_closed() == "revoked"
        assert door.gateway.sessions == {}
        await peer.dial()
        await peer.introduce()
        assert (await peer.hear(m.Refused)).code == "revoked"


async def test_who_does_not_read_is_dropped_and_struck(tmp_path: Path) -> None:
    async with open_door(tmp_path, {"stall_s": 0.5}, ping_s=60.0) as door:
        peer = Peer(door, door.invite())
        await peer.join()
        session = door.gateway.sessions[peer.identity.provider_id]
        # The client's library reads on only when the test asks for a message.
        part = m.ValuePart(Digest(bytes(32)), 4 << 20, 0, bytes(4 << 20))
        for _ in range(32):
            session.send(part)

        async def gone() -> bool:
            return peer.identity.provider_id not in door.gateway.sessions

        assert await until(gone)
        assert await door.strikes(peer) == ["protocol: slow-reader"]


async def test_who_joins_anew_again_and_again_has_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eco_dask.gateway.offences.JOINS_BURST", 3)
    async with open_door(tmp_path) as door:
        peer = Peer(door, door.invite())
        for _ in range(3):
            welcome = await peer.join()
        # Coming back to one's session is no new one.
        peer.socket.close()
        resumed = await peer.join(session=welcome.session)
        assert resumed.resumed
        await peer.dial()
        await peer.introduce()
        assert (await peer.hear(m.Refused)).code == "busy"


async def test_false_answers_to_the_benchmark_are_strikes_and_end_in_a_pause(
    tmp_path: Path,
) -> None:
    small = {"benchmark_steps": 2, "benchmark_size": 64}
    async with open_door(tmp_path, {"violations_max": 2}, **small) as door:
        peer = Peer(door, door.invite())
        for _ in range(2):
            await peer.dial()
            await peer.introduce()
            await peer.hear(m.BenchmarkAsked)
            await peer.say(m.BenchmarkDone((Digest(bytes(32)),) * 2, 1.0, 1.0))
            assert (await peer.hear(m.Refused)).code == "benchmark-wrong"
        await peer.dial()
        await peer.introduce()
        assert (await peer.hear(m.Refused)).code == "paused"
        assert await door.strikes(peer) == ["protocol: benchmark-wrong"] * 2
