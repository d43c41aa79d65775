"""Results on their way in: bounded memory, nobody takes all of it, everybody comes in turn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.config import guard_rule
from eco_dask.engine.facts import Provider
from eco_dask.gateway.fetching import Fetching
from eco_dask.gateway.packing import Package
from eco_dask.gateway.session import FETCH_IDLE_S, Granted, Session
from eco_dask.types import Digest, LeaseId, OwnerId, ProviderId, TaskKind
from eco_dask.wire.limits import WireLimits
from eco_dask.wire.messages import Fetch, Message
from eco_dask.wire.values import ValuePart

MIB = 1 << 20
LIMITS = WireLimits()


class Sent:
    """Where a session's messages go."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def fetched(self) -> list[LeaseId]:
        return [each.lease for each in self.messages if isinstance(each, Fetch)]


def fetching(room_bytes: int) -> tuple[Fetching, list[LeaseId], list[float]]:
    failed: list[LeaseId] = []
    clock = [0.0]
    rule = replace(guard_rule(), arriving_bytes_max=room_bytes, value_bytes_per_s_min=MIB)
    return Fetching(rule, lambda: clock[0], failed.append), failed, clock


def provider(name: str, sizes: list[int], fetch: Fetching) -> tuple[Session, Sent, list[LeaseId]]:
    """Return a session of a provider that committed to values of these sizes."""
    who = Provider(ProviderId(name), OwnerId(name), "provider", frozenset(), 1, 1, 1.0)
    session, sent = Session(who, LIMITS, 1, room=fetch.room), Sent()
    outbox: Any = sent
    session.outbox = outbox
    leases = [LeaseId(f"{name}/{i}") for i in range(len(sizes))]
    for lease, size_bytes in zip(leases, sizes, strict=True):
        granted = Granted(Package(b"", (), ()), TaskKind("k"), 1e9, LIMITS.value_bytes_max)
        # Large ones are announced here, and never served.
        value = lease.encode().ljust(size_bytes if size_bytes < MIB else 0, b".")
        granted.digest, granted.size_bytes = Digest(blake3(value).digest()), size_bytes
        session.leases[lease] = granted
    return session, sent, leases


def serve(session: Session, lease: LeaseId) -> None:
    """Send a whole value that was asked for, and end its lease."""
    granted = session.leases[lease]
    value = lease.encode().ljust(granted.size_bytes, b".")
    assert granted.digest is not None
    assert session.assembler.feed(ValuePart(granted.digest, len(value), 0, value)) == value
    session.forget(lease)


def test_two_hundred_results_of_100_mb_never_promise_more_than_the_room() -> None:
    fetch, failed, _ = fetching(1024 * MIB)
    crowd = [provider(f"p{i}", [100 * MIB], fetch) for i in range(200)]
    for session, _, (lease,) in crowd:
        fetch.ask(session, lease)
        assert fetch.room.taken_bytes <= 1024 * MIB
    asked = [sent.fetched for _, sent, _ in crowd]
    assert sum(map(len, asked)) == 10
    assert all(asked[:10])
    assert failed == []


@given(st.lists(st.integers(10, 300), min_size=1, max_size=30), st.integers(1, 200))
def test_everything_arrives_in_the_end_and_within_the_room(sizes: list[int], room: int) -> None:
    fetch, _, _ = fetching(room)
    crowd = [provider(f"p{i}", [size], fetch) for i, size in enumerate(sizes)]
    for session, _, (lease,) in crowd:
        fetch.ask(session, lease)
    served: set[LeaseId] = set()
    while len(served) < len(crowd):
        under_way = [
            (session, lease)
            for session, sent, (lease,) in crowd
            if sent.fetched and lease not in served
        ]
        sizes_now = [session.leases[lease].size_bytes for session, lease in under_way]
        assert sum(sizes_now) <= room or len(under_way) == 1
        assert fetch.room.taken_bytes == sum(sizes_now)
        session, lease = under_way[0]
        serve(session, lease)
        served.add(lease)
        fetch.go_on()
    assert fetch.room.taken_bytes == 0


def test_no_provider_takes_more_than_its_share_of_the_room() -> None:
    fetch, _, _ = fetching(400)
    greedy, sent, leases = provider("greedy", [50] * 8, fetch)
    for lease in leases:
        fetch.ask(greedy, lease)
    assert sent.fetched == leases[:2]
    modest, other, (lease,) = provider("modest", [100], fetch)
    fetch.ask(modest, lease)
    assert other.fetched == [lease]
    serve(greedy, leases[0])
    fetch.go_on()
    assert sent.fetched == leases[:3]


def test_what_comes_too_slowly_is_given_up_though_something_comes() -> None:
    fetch, _, clock = fetching(1 << 30)
    session, _, (lease,) = provider("slow", [100 * MIB], fetch)
    fetch.ask(session, lease)
    while clock[0] < 100 + FETCH_IDLE_S:
        assert fetch.give_up_late([session]) == []
        session.progress(session.leases[lease].digest, clock[0])  # type: ignore[arg-type]
        clock[0] += 10
    assert fetch.give_up_late([session]) == [(session, lease)]


def test_what_a_provider_that_is_away_holds_keeps_nobody_waiting() -> None:
    fetch, _, _ = fetching(100)
    away, gone, (first,) = provider("away", [100], fetch)
    away.outbox = None
    fetch.ask(away, first)
    here, sent, (second,) = provider("here", [100], fetch)
    fetch.ask(here, second)
    assert sent.fetched == [second]
    assert gone.fetched == []


def test_without_memory_nothing_is_fetched() -> None:
    fetch, _, _ = fetching(100)
    room = [False]
    fetch.may_take = lambda: room[0]
    session, sent, (lease,) = provider("p", [10], fetch)
    fetch.ask(session, lease)
    assert sent.fetched == []
    room[0] = True
    fetch.go_on()
    assert sent.fetched == [lease]


def test_a_lease_that_is_over_is_not_fetched() -> None:
    fetch, _, _ = fetching(100)
    first, _, (one,) = provider("p", [100], fetch)
    second, sent, (two,) = provider("q", [100], fetch)
    fetch.ask(first, one)
    fetch.ask(second, two)
    fetch.forget(two)
    serve(first, one)
    fetch.go_on()
    assert sent.fetched == []
