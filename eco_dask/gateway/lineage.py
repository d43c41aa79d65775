"""What each value in this gateway rests on: accepted results that may still turn out wrong.

::

    submitted(ballot, inputs) ──► computed(key, ballots) ──► released(key) ──► freed()
                                   revoked(ballots) ──► wrong keys      settled(ballot) ──┘

A leased task's value rests on its own ballot, a structural one's on the ballots of its inputs, what
a client put here on none. The engine knows what a ballot itself rests on, so sets stay small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from eco_dask.types import BallotId

Ballots = frozenset[BallotId]
NONE: Ballots = frozenset()


class Lineage:
    """Which keys, ballots and gates rest on which unsettled ballots."""

    def __init__(self) -> None:
        self._of_key: dict[Any, Ballots] = {}
        #: Unsettled ballots, with what they rest on.
        self._inputs: dict[BallotId, Ballots] = {}
        #: How many keys, ballots and gates rest on each set: a thousand slices of one value share
        #: one. And how many of the sets hold a ballot.
        self._sets: Counter[Ballots] = Counter()
        self._holds: Counter[BallotId] = Counter()
        self._freed: dict[BallotId, None] = {}
        #: Keys whose value is wrong and still here.
        self.wrong: set[Any] = set()

    def submitted(self, ballot: BallotId, inputs: Ballots) -> None:
        """A task was leased whose result may be revoked until it is settled."""
        self._inputs[ballot] = inputs
        self.hold(inputs)

    def computed(self, key: Any, ballots: Ballots) -> None:
        """Dask gets the value of a key, which rests on these ballots."""
        self.released(key)
        ballots = self._unsettled(ballots)
        if ballots:
            self._of_key[key] = ballots
            self.hold(ballots)

    def released(self, key: Any) -> None:
        """Dask has let go of a key's value."""
        self.wrong.discard(key)
        self.drop(self._of_key.pop(key, NONE))

    def settled(self, ballot: BallotId) -> None:
        """A result is final, or its ballot came to nothing: nothing rests on it any more."""
        inputs = self._inputs.pop(ballot, None)
        self._freed.pop(ballot, None)
        if inputs is not None:
            self.drop(inputs)

    def revoked(self, ballots: Ballots) -> list[Any]:
        """These results are wrong: return the keys that rest on them, in the order they came."""
        keys = [key for key, rests in self._of_key.items() if rests & ballots]
        self.wrong.update(keys)
        for ballot in ballots:
            self.settled(ballot)
        return keys

    def of(self, keys: Iterable[Any]) -> Ballots:
        """Return the unsettled ballots that the values of these keys rest on."""
        found = {self._of_key[key] for key in keys if key in self._of_key}
        return self._unsettled(found.pop() if len(found) == 1 else NONE.union(*found))

    def is_wrong(self, keys: Iterable[Any]) -> bool:
        """Whether any of these keys has a value that was revoked."""
        return bool(self.wrong) and not self.wrong.isdisjoint(keys)

    # ------------------------------------------------------------------ who still needs what

    def hold(self, ballots: Ballots) -> None:
        """Something more rests on these."""
        if ballots:
            self._sets[ballots] += 1
            if self._sets[ballots] == 1:
                self._holds.update(ballots)

    def drop(self, ballots: Ballots) -> None:
        """What rested on these is gone."""
        if not ballots:
            return
        self._sets[ballots] -= 1
        if self._sets[ballots]:
            return
        del self._sets[ballots]
        for ballot in ballots:
            self._holds[ballot] -= 1
            if not self._holds[ballot]:
                del self._holds[ballot]
                if ballot in self._inputs:
                    self._freed[ballot] = None

    @property
    def has_freed(self) -> bool:
        """Whether :meth:`freed` may have something to tell."""
        return bool(self._freed)

    def freed(self) -> tuple[BallotId, ...]:
        """Take the unsettled ballots on which nothing rests any more."""
        freed = tuple(ballot for ballot in self._freed if ballot not in self._holds)
        self._freed.clear()
        return freed

    def _unsettled(self, ballots: Ballots) -> Ballots:
        settled = [ballot for ballot in ballots if ballot not in self._inputs]
        return ballots.difference(settled) if settled else ballots
