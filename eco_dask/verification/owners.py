"""What is known of all owners together: how doubtful each is, and how many of them lie.

::

    Evidence ──learn──► reputations, calibration, pairs ──► doubt(owner, kind): P(it is wrong alone)
                                                        ──► colluders: share of liars among voters

Two shares of liars are learned. Among all owners ever, struck ones included: that is what a
newcomer is likely to be, as who was struck may be back under another name. And among those whose
answers are compared nowadays: that is whom an established owner shares a ballot with.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from eco_dask.types import OwnerId, TaskKind
from eco_dask.verification.calibration import Calibration
from eco_dask.verification.collusion import Pairs
from eco_dask.verification.policy import Evidence
from eco_dask.verification.reputation import FAULT_RATE, Reputation

#: Compared answers after which one counts for 1/e in the share of liars met.
MET_WINDOW: Final = 1000.0
#: Passed checks after which what is known of newcomers counts for 1/e.
NEWCOMER_PASSES: Final = 8.0
#: An owner this doubtful proves nothing.
DOUBT_MAX: Final = 0.5
_NONE: Final = TaskKind("")
#: Where screens part owners by their doubt.
BELIEF_EDGES: Final = (1.0, 0.1, 0.05, 0.02, 0.01, 1e-3, 1e-4, 0.0)


@dataclass(frozen=True, slots=True)
class OwnersRule:
    """What is assumed of owners before anything is known."""

    #: Share of liars, and how many owners' records that is worth.
    liar_share: float = 0.05
    liar_share_owners: float = 20.0
    #: What the learned shares stay between.
    liar_share_min: float = 0.05
    liar_share_max: float = 0.3
    #: What is assumed of colluders at most, only because more is wrong than expected.
    colluders_told_max: float = 0.2
    #: Nobody is less doubtful than this, however long the record.
    doubt_min: float = 2e-5

    def __post_init__(self) -> None:
        if not 0 < self.liar_share_min <= self.liar_share <= self.liar_share_max < DOUBT_MAX:
            raise ValueError(
                "need 0 < liar_share_min <= liar_share <= liar_share_max < 0.5; got "
                f"{self.liar_share_min}, {self.liar_share}, {self.liar_share_max}"
            )

    def bounded(self, share: float) -> float:
        """Return a share of liars that is neither careless nor hopeless."""
        return min(max(share, self.liar_share_min), self.liar_share_max)


class Owners:
    """All owners' records."""

    def __init__(self, rule: OwnersRule | None = None) -> None:
        self._rule = rule or OwnersRule()
        self._known: dict[OwnerId, Reputation] = {}
        self._calibration = Calibration()
        self._pairs = Pairs()
        #: Probability that each is a liar, by its record.
        self._lies: dict[OwnerId, float] = {}
        self._lies_sum = 0.0
        self._newcomers = self._met = self._colluders = self._rule.liar_share

    @property
    def colluders(self) -> float:
        """How likely a further voter would tell the same lie."""
        return self._colluders

    @property
    def caution(self) -> float:
        """How many times more liars are about than there may always be; at least 1."""
        return self._colluders / self._rule.liar_share_min

    def level(self, owner: OwnerId, kind: TaskKind) -> float:
        """Return the passed checks that count for an owner's answers to a kind of task."""
        known = self._known.get(owner)
        return known.level(kind) if known else 0.0

    def admits(self, owner: OwnerId) -> bool:
        """Whether an owner was not struck for good."""
        known = self._known.get(owner)
        return known is None or not known.struck

    def witnesses(self, owners: Sequence[OwnerId]) -> list[OwnerId]:
        """Leave of each pair that was wrong together the one that comes first."""
        return self._pairs.witnesses(owners)

    def doubt(self, owner: OwnerId, kind: TaskKind) -> float:
        """Return the probability that a lone answer of an owner is wrong."""
        known = self._known.get(owner)
        if known is None:
            return self._newcomers
        if known.struck:
            return DOUBT_MAX
        level = known.level(kind)
        doubt = known.worst_case(level, self._share_at(level))
        if known.clean:
            doubt *= self._calibration.factor(level)
        return min(max(doubt, self._rule.doubt_min), DOUBT_MAX)

    def belief(self) -> list[tuple[float, float, int]]:
        """Count the owners met by how surely a lone answer of theirs is right: from, to, owners.

        Each by the kind of task that it is best known in; struck ones are in the first.
        """
        doubts = [
            self.doubt(owner, max(known.passes, key=lambda kind: known.passes[kind], default=_NONE))
            for owner, known in self._known.items()
        ]
        edges = pairwise(BELIEF_EDGES)
        return [(1 - b, 1 - a, sum(a <= doubt < b for doubt in doubts)) for b, a in edges]

    def _share_at(self, level: float) -> float:
        """Return the share of liars to assume among owners at a level; see the module."""
        met = self._rule.bounded(self._met)
        return met + max(self._newcomers - met, 0.0) * math.exp(-level / NEWCOMER_PASSES)

    # ------------------------------------------------------------------ learning

    def learn(self, evidence: Evidence) -> tuple[OwnerId, ...]:
        """Take in what became known of one answer.

        Returns
        -------
        tuple of OwnerId
            Owners whose answers that are not yet delivered must be judged again: the caught one,
            and those that were wrong together with it.
        """
        owner = evidence.owner
        known = self._known.setdefault(owner, Reputation())
        if known.clean and not known.struck:
            level = known.level(evidence.kind)
            expected = known.worst_case(level, self._share_at(level))
            self._calibration.observe(level, expected, right=evidence.right)
        if evidence.right:
            known.passed(evidence.kind, self._weight_of(evidence))
            self._pairs.confirmed(owner, evidence.alike)
            self._meet(owner, known)
            return ()
        known.failed()
        for other in self._pairs.contradicted(owner, evidence.alike):
            known.struck = True
            partner = self._known.setdefault(other, Reputation())
            partner.struck = True
            self._count_liar(other, partner)
        self._meet(owner, known)
        return tuple(dict.fromkeys((owner, *evidence.alike, *self._pairs.partners(owner))))

    def _weight_of(self, evidence: Evidence) -> float:
        """How surely a lie had shown: the owners that agree may have told the same lie."""
        if evidence.means == "checked":
            return evidence.power
        if evidence.means == "known" or not evidence.alike:
            return 1.0
        witnesses = self._pairs.witnesses([evidence.owner, *evidence.alike])
        return 1 - self._colluders ** (len(witnesses) - 1)

    def _count_liar(self, owner: OwnerId, known: Reputation) -> float:
        rule = self._rule
        lies = known.lies(self._newcomers)
        self._lies_sum += lies - self._lies.get(owner, 0.0)
        self._lies[owner] = lies
        assumed = rule.liar_share * rule.liar_share_owners
        self._newcomers = rule.bounded(
            (assumed + self._lies_sum) / (rule.liar_share_owners + len(self._lies))
        )
        return lies

    def _meet(self, owner: OwnerId, known: Reputation) -> None:
        """Count an owner whose answer was compared: who was struck or left is met no more."""
        self._met += (self._count_liar(owner, known) - self._met) / MET_WINDOW
        met = self._rule.bounded(self._met)
        told = met / (1 - met) * self._calibration.excess(FAULT_RATE)
        self._colluders = max(met, min(told / (1 + told), self._rule.colluders_told_max))

    # ------------------------------------------------------------------ outliving the gateway

    def state(self, owners: Iterable[OwnerId] | None = None) -> dict[str, Any]:
        """Return plain values by part, of some owners or all; :meth:`restore` reads them."""
        chosen = self._known if owners is None else owners
        parts: dict[str, Any] = {f"owner:{o}": self._known[o].state() for o in chosen}
        return parts | {
            "calibration": self._calibration.state(),
            "pairs": self._pairs.state(),
            "met": self._met,
        }

    def restore(self, parts: Mapping[str, Any]) -> None:
        """Take over what :meth:`state` gave in an earlier life."""
        self._calibration = Calibration.restored(parts.get("calibration", {}))
        self._pairs = Pairs.restored(parts.get("pairs", ()))
        for part, state in parts.items():
            if part.startswith("owner:"):
                owner = OwnerId(part.removeprefix("owner:"))
                self._known[owner] = Reputation.restored(state)
                self._meet(owner, self._known[owner])
        self._met = float(parts.get("met", self._met))
