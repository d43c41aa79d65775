"""Ballots that wait for a provider, first come first served, and how long nobody was eligible.

wanted leases ──place──► granted, or still waiting
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from eco_dask.engine.ballot import Ballot
from eco_dask.engine.facts import Role
from eco_dask.engine.roster import Roster
from eco_dask.types import BallotId, OwnerId

#: Ballots passed over per event because those with room may not take them.
_PASSED_OVER_MAX = 64


class WaitingLine:
    """Ballots with leases still to grant, one line per role."""

    def __init__(self) -> None:
        self._lines: dict[Role, OrderedDict[BallotId, Ballot]] = {
            "provider": OrderedDict(),
            "trusted": OrderedDict(),
        }

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def add(self, ballot: Ballot, *, first: bool = False) -> None:
        """Queue a ballot unless it waits already; ``first`` for one that has waited before."""
        line = self._lines[ballot.role]
        if ballot.task.ballot not in line:
            _put(line, ballot, first=first)

    def remove(self, ballot: Ballot) -> None:
        """Take a ballot that wants no more leases out of its line."""
        self._lines[ballot.role].pop(ballot.task.ballot, None)

    def move(self, ballot: Ballot, role: Role) -> None:
        """Turn a ballot over to another role; it waits first in that line."""
        self.remove(ballot)
        ballot.role = role
        self.add(ballot, first=True)

    def ballots(self, role: Role) -> Iterable[Ballot]:
        """Iterate over those that wait for a role."""
        return self._lines[role].values()

    def place(self, role: Role, roster: Roster, grant: Callable[[Ballot], bool]) -> None:
        """Call ``grant`` for waiting ballots, in order, until nobody has room.

        ``grant`` returns False if none of those with room may take this ballot now; otherwise the
        ballot wants fewer leases than before. Too many ballots refused in a row are moved to the
        end of the line, so that they never block the others.
        """
        line = self._lines[role]
        passed_over: list[Ballot] = []
        while line and len(passed_over) < _PASSED_OVER_MAX and roster.has_room(role):
            ballot = next(iter(line.values()))
            if not grant(ballot):
                self.remove(ballot)
                passed_over.append(ballot)
            elif ballot.wanted <= 0:
                self.remove(ballot)
        # What the others brought to light may have ended some of them meanwhile.
        passed_over = [b for b in passed_over if b.wanted > 0 and b.role == role]
        if len(passed_over) < _PASSED_OVER_MAX:
            for ballot in reversed(passed_over):
                _put(line, ballot, first=True)
        else:
            for ballot in passed_over:
                _put(line, ballot, first=False)

    def stuck(self, roster: Roster, at_s: float) -> list[tuple[Ballot, int]]:
        """Name the waiting ballots that nobody connected may take, room or not.

        Each comes with the number of owners that could run it, all of them asked before.
        """
        owners_able: dict[tuple[Role, frozenset[str]], set[OwnerId]] = {}
        found: list[tuple[Ballot, int]] = []
        for role, line in self._lines.items():
            for ballot in line.values():
                require = ballot.task.require
                able = owners_able.get((role, require))
                if able is None:
                    able = owners_able[role, require] = roster.owners(role, require)
                if len(able) > len(ballot.leases) or able - ballot.asked:
                    ballot.stuck_since_s = None
                    continue
                if ballot.stuck_since_s is None:
                    ballot.stuck_since_s = at_s
                found.append((ballot, len(able)))
        return found


def _put(line: OrderedDict[BallotId, Ballot], ballot: Ballot, *, first: bool) -> None:
    line[ballot.task.ballot] = ballot
    if first:
        line.move_to_end(ballot.task.ballot, last=False)
