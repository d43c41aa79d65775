"""Pairs of owners that gave the same wrong answer: one witness from then on, struck in the end.

wrong answer, who gave the same ──contradicted──► Pairs ──witnesses──► owners that count apart

Two honest machines do not invent the same wrong number; but two of one make may share a fault, so
that it takes several such answers, and a good part of all that the two gave together, to strike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from eco_dask.types import OwnerId

#: Same wrong answers that strike a pair ...
AGAINST_STRIKES: Final = 3
#: ... if they are at least this share of the answers that the two have had in common since.
SHARE_STRIKES: Final = 0.2
#: Pairs remembered; the oldest are forgotten first.
PAIRS_MAX: Final = 20_000

Pair = tuple[OwnerId, OwnerId]
_NOBODY: Final[frozenset[OwnerId]] = frozenset()


@dataclass(slots=True)
class Common:
    """What two owners gave in common since they were first wrong together."""

    right: int = 0
    against: int = 0

    @property
    def strikes(self) -> bool:
        """Whether chance and a common fault explain it no more."""
        total = self.right + self.against
        return self.against >= AGAINST_STRIKES and self.against >= SHARE_STRIKES * total


@dataclass(slots=True)
class Pairs:
    """Who was wrong together with whom."""

    common: dict[Pair, Common] = field(default_factory=dict)
    #: The other halves, by owner.
    _others: dict[OwnerId, set[OwnerId]] = field(default_factory=dict)

    def contradicted(self, owner: OwnerId, alike: Iterable[OwnerId]) -> tuple[OwnerId, ...]:
        """Note that ``owner`` and each of ``alike`` gave the same wrong answer.

        Returns
        -------
        tuple of OwnerId
            Those that are to be struck together with ``owner``.
        """
        struck = []
        for other in alike:
            if other == owner:
                continue
            common = self._common_of(owner, other)
            common.against += 1
            if common.strikes:
                struck.append(other)
        while len(self.common) > PAIRS_MAX:
            self._forget(next(iter(self.common)))
        return tuple(struck)

    def confirmed(self, owner: OwnerId, alike: Iterable[OwnerId]) -> None:
        """Note that ``owner`` and each of ``alike`` gave the same right answer."""
        for other in alike:
            if common := self.common.get(_pair(owner, other)):
                common.right += 1

    def partners(self, owner: OwnerId) -> tuple[OwnerId, ...]:
        """Return everybody that was wrong together with ``owner``."""
        return tuple(sorted(self._others.get(owner, ())))

    def witnesses(self, owners: Sequence[OwnerId]) -> list[OwnerId]:
        """Leave of each pair that was wrong together the one that comes first."""
        if not self.common:
            return list(owners)
        apart: list[OwnerId] = []
        for owner in owners:
            if self._others.get(owner, _NOBODY).isdisjoint(apart):
                apart.append(owner)
        return apart

    def _common_of(self, owner: OwnerId, other: OwnerId) -> Common:
        self._others.setdefault(owner, set()).add(other)
        self._others.setdefault(other, set()).add(owner)
        return self.common.setdefault(_pair(owner, other), Common())

    def _forget(self, pair: Pair) -> None:
        del self.common[pair]
        for owner, other in (pair, pair[::-1]):
            self._others[owner].discard(other)
            if not self._others[owner]:
                del self._others[owner]

    def state(self) -> list[list[Any]]:
        """Return plain values for the books; :meth:`restored` reads them."""
        return [[a, b, c.right, c.against] for (a, b), c in self.common.items()]

    @classmethod
    def restored(cls, state: Iterable[Sequence[Any]]) -> Pairs:
        """Read what :meth:`state` gave."""
        pairs = cls()
        for a, b, right, against in state:
            common = pairs._common_of(OwnerId(a), OwnerId(b))
            common.right, common.against = int(right), int(against)
        return pairs


def _pair(a: OwnerId, b: OwnerId) -> Pair:
    return (a, b) if a < b else (b, a)
