"""Ballots that wait for a provider, first come first served, and how long nobody was eligible.

wanted leases ──place──► granted, or still waiting
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from eco_dask.engine.ballot import Ballot
from eco_dask.engine.facts import Role
from eco_dask.engine.roster import Need, Roster
from eco_dask.types import OwnerId

#: Ballots passed over per event because those with room may not take them.
_PASSED_OVER_MAX = 64


class WaitingLine:
    """Ballots with leases still to grant, one line per role."""

    def __init__(self) -> None:
        self._lines: dict[Role, deque[Ballot]] = {"provider": deque(), "trusted": deque()}

    def add(self, ballot: Ballot, *, first: bool = False) -> None:
        """Queue a ballot; ``first`` for one that has waited before, as after a lost lease."""
        if ballot.queued:
            return
        ballot.queued = True
        line = self._lines[ballot.role]
        (line.appendleft if first else line.append)(ballot)

    def place(self, role: Role, roster: Roster, grant: Callable[[Ballot], bool]) -> None:
        """Call ``grant`` for waiting ballots, in order, until nobody has room.

        ``grant`` returns whether a lease was granted; False means that none of those with room
        may take this ballot. Too many such are moved to the end of the line, so that they never
        block the others.
        """
        line = self._lines[role]
        passed_over: list[Ballot] = []
        while line and len(passed_over) < _PASSED_OVER_MAX and roster.has_room(role):
            ballot = line[0]
            if ballot.role != role or ballot.phase != "voting" or ballot.wanted <= 0:
                line.popleft()
                # A ballot that moved to the other role may stand in that line already.
                ballot.queued = ballot.queued and ballot.role != role
            elif not grant(ballot):
                passed_over.append(line.popleft())
        if len(passed_over) < _PASSED_OVER_MAX:
            line.extendleft(reversed(passed_over))
        else:
            line.extend(passed_over)

    def move(self, ballot: Ballot, role: Role) -> None:
        """Turn a ballot over to another role."""
        ballot.role = role
        ballot.queued = False
        self.add(ballot, first=True)

    def stuck(self, roster: Roster, at_s: float) -> Iterator[tuple[Ballot, int]]:
        """Yield the waiting ballots that nobody connected may take, and for how many seconds."""
        owners: dict[tuple[Role, frozenset[str]], set[OwnerId]] = {}
        for role, line in self._lines.items():
            for ballot in tuple(line):
                if ballot.role != role or ballot.phase != "voting" or ballot.wanted <= 0:
                    continue
                require = ballot.task.require
                if (able := owners.get((role, require))) is None:
                    able = owners[role, require] = roster.owners(Need(role, require, frozenset()))
                if able - ballot.asked:
                    ballot.stuck_since_s = None
                    continue
                if ballot.stuck_since_s is None:
                    ballot.stuck_since_s = at_s
                yield ballot, len(able)
