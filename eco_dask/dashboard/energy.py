"""Energy as screens show it: figures from the books, asked for as often as the cost allows.

ledger's sums ──refresh──► model.EnergyFigures by provider and owner, model.Energy by job and of all
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, select

from eco_dask.dashboard.model import Energy, EnergyFigures
from eco_dask.energy import figures as known
from eco_dask.energy.accounts import JobEnergy
from eco_dask.ledger.energy_totals import NETWORK, EnergyTotals
from eco_dask.ledger.store import Ledger
from eco_dask.ledger.tables import energy
from eco_dask.text import clean
from eco_dask.types import JobId

NOTHING: Final = "no run has reported its energy yet"
NO_BASELINE: Final = "nothing to compare with: no measured work yet"
#: Least time between two looks, in seconds, and the part of the time that they may take: the sums
#: grow with history.
_PAUSE_S: Final = 2.0
_SHARE_MAX: Final = 0.02
#: What "of late" means for power, in seconds.
_WINDOW_S: Final = 300.0


class EnergyBooks:
    """The latest sums; not for several threads at a time."""

    def __init__(self, ledger: Ledger, database: Any) -> None:
        self._ledger = ledger
        self._database = database
        self._due_s = 0.0
        self._tiers: deque[tuple[float, dict[str, int]]] = deque()
        self.all = Energy(unknown=NOTHING, baseline_unknown=NO_BASELINE)
        self.providers: dict[str, EnergyFigures] = {}
        self.owners: dict[str, EnergyFigures] = {}
        self.jobs: dict[JobId, Energy] = {}

    def refresh(self, jobs: Sequence[JobId], at_s: float) -> None:
        """Add up anew, if it is time; jobs that were not asked for before are added up at once."""
        fresh = [job for job in jobs if job not in self.jobs]
        started_s = time.monotonic()
        if started_s < self._due_s:
            self._read_jobs(fresh)
            return
        self.jobs = {job: it for job, it in self.jobs.items() if job in set(jobs)}
        self._read_jobs(jobs)
        self.providers = _by_name(self._ledger.energy_totals("provider"))
        self.owners = _by_name(self._ledger.energy_totals("owner"))
        totals = self._ledger.energy_totals("network").get(NETWORK)
        self.all = self._whole(totals or EnergyTotals(), at_s)
        ended_s = time.monotonic()
        self._due_s = ended_s + max(_PAUSE_S, (ended_s - started_s) / _SHARE_MAX)

    def _read_jobs(self, jobs: Sequence[JobId]) -> None:
        if jobs:
            found = self._ledger.job_energy(jobs)
            self.jobs.update({job: job_energy(it) for job, it in found.items()})

    def _whole(self, totals: EnergyTotals, at_s: float) -> Energy:
        figures = plain_figures(totals.figures, totals.unknown_runs, totals.unknown_reasons or ())
        return Energy(
            **vars(figures), watts_by_tier=self._watts(at_s), baseline_unknown=NO_BASELINE
        )

    def _watts(self, at_s: float) -> dict[str, float] | None:
        query = select(energy.c.tier, func.sum(energy.c.reserved_uj)).where(
            energy.c.unknown.is_(None)
        )
        with self._database.connect() as connection:
            now = {tier: int(uj) for tier, uj in connection.execute(query.group_by(energy.c.tier))}
        if not now:
            return None
        self._tiers.append((at_s, now))
        while len(self._tiers) > 2 and self._tiers[1][0] <= at_s - _WINDOW_S:  # noqa: PLR2004  two ends
            self._tiers.popleft()
        since_s, then = self._tiers[0]
        if at_s <= since_s:
            return None
        return {tier: (uj - then.get(tier, 0)) / 1e6 / (at_s - since_s) for tier, uj in now.items()}


def plain_figures(
    found: known.EnergyFigures | None, unknown_runs: int, reasons: Any = ()
) -> EnergyFigures:
    """Return figures for screens; without any, the reasons why."""
    if found is None:
        told = "; ".join(sorted(clean(reason, 200) for reason in reasons)) or NOTHING
        return EnergyFigures(unknown_runs=unknown_runs, unknown=told)
    low, central, high = found.gco2e
    return EnergyFigures(
        found.marginal_uj,
        found.reserved_uj,
        found.metered_uj,
        low,
        central,
        high,
        found.tier.value,
        tuple(sorted(clean(it, 200) for it in found.sources)),
        tuple(sorted(clean(it, 200) for it in found.warnings)),
        unknown_runs,
    )


def job_energy(found: JobEnergy) -> Energy:
    """Return a job's energy for screens."""
    figures = plain_figures(found.all, found.unknown_runs, found.unknown_reasons)
    parts: dict[str, Any] = {
        f"{name}_uj": part.reserved_uj if part is not None else None
        for name in ("useful", "verification", "wasted", "coordination")
        for part in (getattr(found, name),)
    }
    return Energy(**(vars(figures) | parts), baseline_unknown=NO_BASELINE)


def _by_name(totals: Mapping[str, EnergyTotals]) -> dict[str, EnergyFigures]:
    return {
        name: plain_figures(it.figures, it.unknown_runs, it.unknown_reasons or ())
        for name, it in totals.items()
        if name
    }
