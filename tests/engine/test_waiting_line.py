"""WaitingLine: first come first served, and nobody starves."""

from __future__ import annotations

import pytest

from eco_dask.engine.ballot import Ballot
from eco_dask.engine.dice import Dice
from eco_dask.engine.facts import EngineRule, Provider, Task
from eco_dask.engine.queue import WaitingLine
from eco_dask.engine.roster import Need, Roster
from eco_dask.types import Account, BallotId, JobId, LeaseId, OwnerId, ProviderId, TaskKind
from eco_dask.verification.rules import QuorumRule

GPU = frozenset({"gpu"})


def ballot(name: str, wanted: int = 1, require: frozenset[str] = frozenset()) -> Ballot:
    task = Task(
        BallotId(name), TaskKind("k"), JobId("j"), Account("recruiter:r"), QuorumRule(), require
    )
    return Ballot(task, "provider", wanted)


class Desk:
    """A line, a roster, and a grant that notes the order."""

    def __init__(self, *slots: int) -> None:
        self.line, self.roster = WaitingLine(), Roster(EngineRule(prefetch_s=0.0))
        self.granted: list[str] = []
        for i, n in enumerate(slots):
            self.roster.join(
                Provider(ProviderId(f"p{i}"), OwnerId(f"o{i}"), "provider", frozenset(), n)
            )

    def grant(self, ballot: Ballot) -> bool:
        need = Need(ballot.role, ballot.task.require, ballot.asked)
        provider = self.roster.pick(need, Dice(len(self.granted)))
        if provider is None:
            return False
        ballot.wanted -= 1
        self.granted.append(ballot.task.ballot)
        self.roster.take(provider.id, LeaseId(f"{len(self.granted)}"), 1.0)
        return True

    def place(self) -> list[str]:
        before = len(self.granted)
        self.line.place("provider", self.roster, self.grant)
        return self.granted[before:]


def test_first_come_first_served_until_nobody_has_room() -> None:
    desk = Desk(2, 1)
    for name in "abcd":
        desk.line.add(ballot(name))
    assert desk.place() == ["a", "b", "c"]
    assert desk.place() == []
    desk.roster.set_slots(ProviderId("p0"), 5)
    assert desk.place() == ["d"]


def test_who_has_waited_before_goes_first_and_nobody_stands_twice() -> None:
    desk = Desk(9)
    a, b = ballot("a"), ballot("b", wanted=2)
    desk.line.add(a)
    desk.line.add(b, first=True)
    desk.line.add(a, first=True)
    assert desk.place() == ["b", "b", "a"]


def test_those_passed_over_keep_their_place() -> None:
    desk = Desk(1)
    for name, require in [("a", GPU), ("b", GPU), ("c", frozenset[str]())]:
        desk.line.add(ballot(name, require=require))
    assert desk.place() == ["c"]
    desk.roster.join(Provider(ProviderId("g"), OwnerId("g"), "provider", GPU, 2))
    assert desk.place() == ["a", "b"]


@pytest.mark.parametrize("ahead", [63, 64, 65, 200])
def test_however_many_cannot_be_served_those_behind_them_are_after_a_few_events(
    ahead: int,
) -> None:
    desk = Desk(1)
    for i in range(ahead):
        desk.line.add(ballot(f"gpu{i}", require=GPU))
    desk.line.add(ballot("plain"))
    events = 0
    while not desk.place():
        events += 1
        assert events <= ahead // 64
    assert desk.granted == ["plain"]
    desk.roster.join(Provider(ProviderId("g"), OwnerId("g"), "provider", GPU, ahead))
    desk.place()
    assert len(desk.granted) == ahead + 1


def test_a_ballot_that_is_moved_or_removed_leaves_its_line() -> None:
    desk = Desk(9)
    moved, removed = ballot("m"), ballot("r")
    desk.line.add(moved)
    desk.line.add(removed)
    desk.line.move(moved, "trusted")
    desk.line.remove(removed)
    assert desk.place() == []
    assert moved.role == "trusted"
    desk.roster.join(Provider(ProviderId("t"), OwnerId("t"), "trusted", frozenset(), 1))
    desk.line.place("trusted", desk.roster, desk.grant)
    assert desk.granted == ["m"]


def test_stuck_names_those_that_nobody_connected_may_take_and_since_when() -> None:
    desk = Desk(0, 1)
    plain, gpu = ballot("plain"), ballot("gpu", require=GPU)
    desk.line.add(plain)
    desk.line.add(gpu)
    assert desk.line.stuck(desk.roster, 0.0) == [(gpu, 0)]
    assert (plain.stuck_since_s, gpu.stuck_since_s) == (None, 0.0)
    desk.roster.set_slots(ProviderId("p1"), 0)  # whoever pauses can be asked by nobody
    assert desk.line.stuck(desk.roster, 3.0) == [(plain, 0), (gpu, 0)]
    assert (plain.stuck_since_s, gpu.stuck_since_s) == (3.0, 0.0)
    desk.roster.set_slots(ProviderId("p1"), 1)
    desk.line.stuck(desk.roster, 4.0)
    assert (plain.stuck_since_s, gpu.stuck_since_s) == (None, 0.0)
