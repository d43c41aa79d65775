"""How fast somebody may go, who may connect, and what is remembered of who did not behave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.config import guard_rule
from eco_dask.gateway.door import Door, address_group
from eco_dask.gateway.offences import COUNTED_MAX, ELSEWHERE, Offences
from eco_dask.gateway.pace import Bucket
from eco_dask.ledger.database import open_database
from eco_dask.providers.incidents import KEPT_MAX
from eco_dask.providers.registry import Registry
from eco_dask.types import ProviderId

RULE = guard_rule()
ANN = ProviderId("p-ann")


class Stream:
    """A connection."""

    def __init__(self) -> None:
        self.ended = False

    def closed(self) -> bool:
        return self.ended


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 3)), max_size=50))
def test_whoever_waits_as_told_keeps_to_rate_and_burst(steps: list[tuple[float, float]]) -> None:
    bucket, at_s, taken = Bucket(2.0, 10.0, 0.0), 0.0, 0.0
    for pause_s, cost in steps:
        at_s += pause_s
        taken += cost
        at_s += bucket.wait_s(cost, at_s)
        assert taken <= 10.0 + 2.0 * at_s + 1e-6


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 30)), max_size=50))
def test_what_is_refused_costs_nothing_and_clocks_may_jump(
    steps: list[tuple[float, float]],
) -> None:
    bucket, at_s, latest_s, taken = Bucket(1.0, 5.0, 0.0), 0.0, 0.0, 0.0
    for pause_s, cost in steps:
        at_s += pause_s
        latest_s = max(latest_s, at_s)
        taken += cost * bucket.take(cost, at_s)
        assert taken <= 5.0 + latest_s + 1e-6


GROUPS = {
    "192.0.2.7": "192.0.2.7",
    "::ffff:192.0.2.7": "192.0.2.7",
    "2001:db8::1": "2001:db8::/64",
    "2001:db8::ffff:ffff": "2001:db8::/64",
    "fe80::1%eth0": "fe80::/64",
    "": "",
    "no address": "no address",
}


@pytest.mark.parametrize(("address", "group"), GROUPS.items())
def test_what_counts_as_one_address(address: str, group: str) -> None:
    assert address_group(address) == group


def test_room_comes_back_when_connections_end() -> None:
    rule = replace(RULE, connections_max=3, connections_per_address_max=2)
    door = Door(rule, lambda: 0.0)
    streams = [Stream() for _ in range(4)]
    assert [door.enter("a", s) for s in streams[:3]] == [None, None, "connections-address"]
    assert door.enter("b", streams[2]) is None
    assert door.enter("c", streams[3]) == "connections"
    streams[0].ended = True
    assert door.enter("c", streams[3]) is None
    assert door.enter("a", Stream()) == "connections"


def test_who_joined_makes_room_for_the_next_stranger() -> None:
    door = Door(replace(RULE, handshakes_per_address_max=1), lambda: 0.0)
    first = Stream()
    assert door.enter("a", first) is None
    assert door.enter("a", Stream()) == "handshakes-address"
    door.joined("a", first)
    assert door.enter("a", Stream()) is None


def test_a_pause_follows_so_many_broken_rules_and_ends() -> None:
    clock, struck = [0.0], []
    rule = replace(RULE, violations_max=3, violations_window_s=100.0)
    offences = Offences(rule, lambda: clock[0], lambda *strike: struck.append(strike))
    for clock[0] in (0.0, 10.0):
        offences.by_provider(ANN, "junk")
    assert offences.pause_s(ANN) == 0
    clock[0] = 20.0
    offences.by_provider(ANN, "junk")
    assert offences.pause_s(ANN) == 80.0
    clock[0] = 101.0
    assert offences.pause_s(ANN) == 0
    assert struck == [(ANN, "protocol: junk")] * 3


def test_who_broke_too_many_rules_is_expelled_once_and_fills_no_books() -> None:
    struck, expelled = [], []
    rule = replace(RULE, violations_max=3)
    offences = Offences(rule, lambda: 0.0, lambda *s: struck.append(s), expelled.append)
    for _ in range(1000):
        offences.by_provider(ANN, "junk")
    assert len(struck) == 3
    assert expelled == [ANN]


def test_strangers_fill_neither_memory_nor_log(caplog: pytest.LogCaptureFixture) -> None:
    offences = Offences(RULE, lambda: 0.0, lambda *_: None)
    for i in range(2 * COUNTED_MAX):
        offences.by_stranger(f"10.0.{i // 250}.{i % 250}", "junk")
    for _ in range(1000):
        offences.by_stranger("10.0.0.0", "junk")
    counted = offences.flush()
    assert len(counted) == COUNTED_MAX + 1
    assert counted[(ELSEWHERE, "junk")] == COUNTED_MAX
    assert counted[("10.0.0.0", "junk")] == 1001
    assert len(caplog.records) == COUNTED_MAX + 1
    assert offences.flush() == {}


def test_incidents_add_up_and_the_oldest_leave(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'books'}")
    log = Registry(database).incidents
    log.add({("10.0.0.1", "junk"): 2, ("10.0.0.2", "a\x1b[31mb"): 1}, 5.0)
    log.add({("10.0.0.1", "junk"): 3}, 6.0)
    first, second = log.latest()
    assert (first.count, first.first_at_s, first.last_at_s) == (5, 5.0, 6.0)
    assert second.reason == "a?[31mb"
    log.add({(str(i), "new"): 1 for i in range(KEPT_MAX)}, 7.0)
    assert {each.reason for each in log.latest(2 * KEPT_MAX)} == {"new"}
    database.dispose()
