"""What is known of one owner: checks passed, recent faults, and whether it is struck for good.

Evidence ──passed / failed──► Reputation ──worst_case──► doubt before the network's own figures

*Worst case.* A liar that lies at a rate s and passed k checks lies next with the chance
s (1-s)^k / ..., whose maximum over s is about 1 / (k e): with a share f of liars among owners, ::

    P(wrong | k passed) <= f / (1-f) * M(k),    M(k) = k^k / (k+1)^(k+1) ~ 1 / (e (k+1))

(L. F. G. Sarmenta, "Sabotage-tolerance mechanisms for volunteer computing systems", Future
Generation Computer Systems 18(4), 2002, for spot checks with blacklisting, there as 1 / (k e)).
A fault in recent memory multiplies the odds of being a liar by :data:`FAULT_FACTOR`.

*Strikes.* Machines err honestly, at a rate of about 2e-3 (D. Kondo et al., "Characterizing result
errors in internet desktop grids", Euro-Par 2007). An owner is struck for good only if its wrong
answers are significantly more than that: the cumulative sum (E. S. Page, "Continuous inspection
schemes", Biometrika 41, 1954) of the log likelihood ratio of a liar's rate against an honest one
passes :data:`STRIKE_AT`. It cannot fall below 0, so that nobody saves up honest work for later.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from eco_dask.types import TaskKind

#: Rate of wrong answers of an honest machine ...
FAULT_RATE: Final = 2e-3
#: ... and of liars that it is told from: rare and frequent.
LIAR_RATES: Final = (2e-2, 0.2)
#: log(1e8): an honest machine is struck once in about as many checks.
STRIKE_AT: Final = 18.4
#: Checks after which a pass counts for 1/e.
MEMORY: Final = 1000.0
#: Passed checks after which a fault counts for 1/e.
FAULT_MEMORY: Final = 500.0
#: What a fault multiplies an owner's odds of being a liar by.
FAULT_FACTOR: Final = 8.0
#: Faults that this goes on for.
FAULTS_MAX: Final = 12.0
#: Part of the passes that an isolated fault leaves.
FAULT_LEAVES: Final = 2 / 3
#: Faults below this are forgotten: the owner counts as clean.
CLEAN_BELOW: Final = 0.2
#: What a pass in another kind of task counts, and how many of those count without any in this one.
OTHER_KIND_WEIGHT: Final = 0.25
OTHER_KIND_FREE: Final = 4.0

_ON_WRONG: Final = tuple(math.log(rate / FAULT_RATE) for rate in LIAR_RATES)
_ON_RIGHT: Final = tuple(math.log1p(-rate) - math.log1p(-FAULT_RATE) for rate in LIAR_RATES)


def lies_unseen(passes: float) -> float:
    """Return the highest chance with which a liar passes that many checks and lies then: M(k)."""
    if passes <= 0:
        return 1.0
    return math.exp(passes * math.log(passes / (passes + 1))) / (passes + 1)


@dataclass(slots=True)
class Reputation:
    """One owner's record. Never shown to anybody: it would tell a liar when it pays to lie."""

    #: Checks passed, by kind; older ones count less.
    passes: dict[TaskKind, float] = field(default_factory=dict)
    #: The same over all kinds.
    passes_all: float = 0.0
    #: Wrong answers in recent memory.
    faults: float = 0.0
    #: Page's sums, one for each of :data:`LIAR_RATES`.
    sums: tuple[float, ...] = (0.0,) * len(LIAR_RATES)
    #: Log likelihood ratios since the first answer, likewise: they may fall below 0.
    ratios: tuple[float, ...] = (0.0,) * len(LIAR_RATES)
    struck: bool = False

    @property
    def clean(self) -> bool:
        """Whether no fault is remembered."""
        return self.faults < CLEAN_BELOW

    def level(self, kind: TaskKind) -> float:
        """Return the passed checks that count for a kind of task: its own, and some of others."""
        own = self.passes.get(kind, 0.0)
        others = max(self.passes_all - own, 0.0)
        return own + min(OTHER_KIND_WEIGHT * others, OTHER_KIND_FREE + own)

    def passed(self, kind: TaskKind, weight: float) -> None:
        """Count a check that the owner passed; ``weight`` is how surely a lie had shown."""
        self.passes[kind] = self.passes.get(kind, 0.0) * (1 - weight / MEMORY) + weight
        self.passes_all = self.passes_all * (1 - weight / MEMORY) + weight
        self.faults *= 1 - weight / FAULT_MEMORY
        self._count(_ON_RIGHT, weight)

    def failed(self) -> None:
        """Count a wrong answer: an isolated fault costs a part of the passes, others all."""
        left = FAULT_LEAVES if self.clean else 0.0
        self.passes = {kind: left * passes for kind, passes in self.passes.items() if left}
        self.passes_all *= left
        self.faults += 1.0
        self._count(_ON_WRONG, 1.0)
        self.struck = self.struck or max(self.sums) >= STRIKE_AT

    def worst_case(self, level: float, liar_share: float) -> float:
        """Return the highest chance that a lone answer is wrong, at a :meth:`level`."""
        factor: float = FAULT_FACTOR ** min(self.faults, FAULTS_MAX)
        odds = liar_share / (1 - liar_share) * factor
        odds *= lies_unseen(level)
        return odds / (1 + odds)

    def lies(self, liar_share: float) -> float:
        """Return the probability that the owner is a liar, by its record, over all rates alike."""
        if self.struck:
            return 1.0
        likelihood = sum(math.exp(min(r, 50.0)) for r in self.ratios) / len(self.ratios)
        odds = liar_share / (1 - liar_share) * likelihood
        return odds / (1 + odds)

    def _count(self, steps: tuple[float, ...], weight: float) -> None:
        self.sums = tuple(
            max(0.0, at + weight * step) for at, step in zip(self.sums, steps, strict=True)
        )
        self.ratios = tuple(at + weight * step for at, step in zip(self.ratios, steps, strict=True))

    def state(self) -> dict[str, Any]:
        """Return plain values for the books; :meth:`restored` reads them."""
        return {
            "passes": dict(self.passes),
            "passes_all": self.passes_all,
            "faults": self.faults,
            "sums": list(self.sums),
            "ratios": list(self.ratios),
            "struck": self.struck,
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Reputation:
        """Read what :meth:`state` gave."""
        return cls(
            passes={TaskKind(kind): float(n) for kind, n in state["passes"].items()},
            passes_all=float(state["passes_all"]),
            faults=float(state["faults"]),
            sums=tuple(float(x) for x in state["sums"]),
            ratios=tuple(float(x) for x in state["ratios"]),
            struck=bool(state["struck"]),
        )
