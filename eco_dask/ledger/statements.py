"""What providers used and earned in a period, side by side; all of it from the stored receipts.

energy_totals, work_done, declarations ──statements──► Statement(cost, net, comparison, facts)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from eco_dask.energy.badges import PLAUSIBLE_TDP_FACTOR, PeriodFacts
from eco_dask.energy.cloud import CloudComparison, compare_work
from eco_dask.energy.declared import Declared
from eco_dask.energy.figures import electricity_cost
from eco_dask.energy.plausible import BASE_W, GPU_W, THREAD_W
from eco_dask.energy.reading import Unavailable
from eco_dask.ledger.declarations import Declarations
from eco_dask.ledger.energy_totals import EnergyTotals, Work
from eco_dask.ledger.store import Ledger
from eco_dask.types import OwnerId, ProviderId

_GPU_METERS = frozenset({"nvml", "amdgpu"})
_MPT_PER_POINT = 1000


@dataclass(frozen=True, slots=True)
class Statement:
    """One provider in a period."""

    provider: ProviderId
    owner: OwnerId
    totals: EnergyTotals = field(default_factory=EnergyTotals)
    work: Work = field(default_factory=lambda: Work(0.0, 0.0, 0.0, 0))
    #: What its owner said last.
    declared: Declared = field(default_factory=Declared)

    @property
    def cost(self) -> Decimal | None:
        """What the owner's bill rose by; None without a price or any known energy."""
        price, figures = self.declared.price, self.totals.figures
        if price is None or figures is None:
            return None
        return electricity_cost(figures, price)

    def net(self, point_value: Decimal) -> Decimal | None:
        """Earnings less electricity, below zero where the work did not pay; None as for cost."""
        cost = self.cost
        return None if cost is None else self.points * point_value - cost

    @property
    def points(self) -> Decimal:
        """Points paid."""
        return Decimal(self.work.posted_mpt) / _MPT_PER_POINT

    @property
    def comparison(self) -> CloudComparison | Unavailable:
        """Its paid work in a cloud."""
        runs = self.totals.runs + self.totals.unknown_runs
        unknown_share = self.totals.unknown_runs / max(1, runs)
        return compare_work(self.work.work_units, self.totals.figures, unknown_share=unknown_share)

    @property
    def facts(self) -> PeriodFacts | None:
        """What badges are made of; None without any known energy."""
        figures = self.totals.figures
        if figures is None:
            return None
        rated_w = self.declared.rated_w
        if rated_w is None or not _GPU_METERS.isdisjoint(figures.sources):
            # Counters need no rating, and a GPU's is not declared: what no machine exceeds.
            gpus_w = GPU_W if not _GPU_METERS.isdisjoint(figures.sources) else 0.0
            most_w = BASE_W + THREAD_W * self.declared.threads + gpus_w
            rated_w = most_w / PLAUSIBLE_TDP_FACTOR
        return PeriodFacts(figures, self.totals.days, self.work.wall_s, rated_w)


def statements(
    ledger: Ledger,
    declarations: Declarations,
    owners: Mapping[ProviderId, OwnerId],
    since_s: float | None = None,
) -> list[Statement]:
    """Put together what each of some providers used and earned, since a Unix time in seconds."""
    energy = ledger.energy_totals("provider", since_s)
    work = ledger.work_done("provider", since_s)
    declared = declarations.all()
    return [
        Statement(
            provider,
            owner,
            energy.get(provider, EnergyTotals()),
            work.get(provider, Work(0.0, 0.0, 0.0, 0)),
            read_declared(declared.get(provider, {})),
        )
        for provider, owner in owners.items()
    ]


def read_declared(stored: Mapping[str, object]) -> Declared:
    """Read a stored declaration; one of a later version counts as none."""
    try:
        return Declared.from_map(stored)
    except ValueError:
        return Declared()


def efficiency_of(found: Iterable[Statement]) -> list[tuple[str, float]]:
    """Classes and joules per work unit of those who did paid work, for comparing peers."""
    return [
        (it.totals.figures.tier.value, it.totals.figures.reserved_j / it.work.work_units)
        for it in found
        if it.totals.figures is not None and it.work.work_units > 0
    ]
