"""What accepted results rest on, and who waits until all of that stands.

::

    link(ballot) ──► ballot.rests_on / ballot.carries      wait(gate) ──► demanded ballots, newly
    ballot stands, or not any more ──update──► clear, up to the gates ──► ripe gates

A ballot is *clear* when it stands itself and all that it rests on is clear. Each is counted once,
however many gates wait: a walk ends at ballots that were demanded before, and what changes is told
to those who use it. All walks are loops, as a chain of tasks may be longer than Python's stack.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from eco_dask.engine.ballot import Ballot, Gate
from eco_dask.types import BallotId, GateId


class Gates:
    """The graph of unsettled ballots, and the gates on top of it."""

    def __init__(self) -> None:
        self._gates: dict[GateId, Gate] = {}
        #: Gates whose ballots are all clear.
        self.ripe: deque[Gate] = deque()
        #: Ballots of which less is asked than before, or that may be settled as nobody uses them.
        self.eased: list[Ballot] = []

    def link(self, ballot: Ballot, inputs: Iterable[Ballot]) -> None:
        """Note what a new ballot rests on."""
        for used in inputs:
            ballot.rests_on[used.task.ballot] = used
            used.carries[ballot.task.ballot] = ballot

    def unlink(self, ballot: Ballot) -> None:
        """Take out a ballot that is settled or over: nothing waits for it any more."""
        if not ballot.clear:
            for user in ballot.carries.values():
                if user.demands:
                    user.unclear -= 1
            for gate in ballot.gates:
                self._count(gate, -1)
        for user in ballot.carries.values():
            del user.rests_on[ballot.task.ballot]
            self.update(user)
        inputs, demanded = tuple(ballot.rests_on.values()), bool(ballot.demands)
        ballot.rests_on, ballot.carries, ballot.gates, ballot.demands = {}, {}, {}, 0
        for used in inputs:
            del used.carries[ballot.task.ballot]
            if used.released:
                self.eased.append(used)
        if demanded:
            self._lessen(inputs)

    def wait(self, gate: Gate) -> list[Ballot]:
        """Let somebody wait; return the ballots that have to stand only since now."""
        if gate.id is not None:
            self._gates[gate.id] = gate
        for ballot in gate.ballots:
            ballot.gates[gate] = None
            gate.unclear += not ballot.clear
        if not gate.unclear:
            self.ripe.append(gate)
        newly: list[Ballot] = []
        todo = list(gate.ballots)
        while todo:
            ballot = todo.pop()
            ballot.demands += 1
            if ballot.demands == 1:
                newly.append(ballot)
                ballot.unclear = sum(not used.clear for used in ballot.rests_on.values())
                todo += ballot.rests_on.values()
        return newly

    def leave(self, gate: Gate) -> None:
        """Let nobody wait there any more."""
        gate.over = True
        if gate.id is not None:
            self._gates.pop(gate.id, None)
        waited_for = [ballot for ballot in gate.ballots if gate in ballot.gates]
        for ballot in waited_for:
            del ballot.gates[gate]
        self._lessen(waited_for)

    def find(self, gate: GateId) -> Gate | None:
        """Return a gate at which somebody waits."""
        return self._gates.get(gate)

    def set_stands(self, ballot: Ballot, *, stands: bool) -> None:
        """Note whether a ballot stands by itself at the bar of delivery."""
        if ballot.stands != stands:
            ballot.stands = stands
            self.update(ballot)

    def update(self, ballot: Ballot) -> None:
        """Tell all who use a ballot whether it is clear."""
        todo = [ballot]
        while todo:
            one = todo.pop()
            clear = bool(one.demands) and one.stands and not one.unclear
            if clear == one.clear:
                continue
            one.clear = clear
            change = -1 if clear else 1
            for gate in one.gates:
                self._count(gate, change)
            for user in one.carries.values():
                if user.demands:
                    user.unclear += change
                    todo.append(user)

    def _count(self, gate: Gate, change: int) -> None:
        gate.unclear += change
        if not gate.unclear:
            self.ripe.append(gate)

    def _lessen(self, ballots: Iterable[Ballot]) -> None:
        """Ask less of these: one who needed them is gone."""
        todo = list(ballots)
        while todo:
            ballot = todo.pop()
            ballot.demands -= 1
            if ballot.demands:
                continue
            ballot.stands = False
            self.update(ballot)
            self.eased.append(ballot)
            todo += ballot.rests_on.values()


def ancestry(ballots: Sequence[Ballot]) -> list[Ballot]:
    """Return these unsettled ballots and all that they rest on, each once."""
    return _reachable(ballots, up=True)


def progeny(ballots: Sequence[Ballot]) -> list[Ballot]:
    """Return these ballots and all that rest on them, each once."""
    return _reachable(ballots, up=False)


def _reachable(ballots: Sequence[Ballot], *, up: bool) -> list[Ballot]:
    found: dict[BallotId, Ballot] = {}
    todo = list(ballots)
    while todo:
        ballot = todo.pop()
        if ballot.phase != "closed" and ballot.task.ballot not in found:
            found[ballot.task.ballot] = ballot
            todo += (ballot.rests_on if up else ballot.carries).values()
    return list(found.values())
