"""Energy as screens show it: figures from the books, asked for as often as the cost allows.

ledger's sums ──refresh──► model.EnergyFigures by provider and owner, model.Energy by job and of all
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from sqlalchemy import func, select

from eco_dask.dashboard.model import Baseline, Energy, EnergyFigures
from eco_dask.energy import figures as known
from eco_dask.energy.accounts import JobEnergy
from eco_dask.energy.cloud import BaselineName, compare_work, vcpu_baseline
from eco_dask.energy.reading import Unavailable
from eco_dask.ledger.energy_totals import NETWORK, EnergyTotals
from eco_dask.ledger.store import Ledger
from eco_dask.ledger.tables import energy
from eco_dask.text import clean
from eco_dask.types import JobId

NOTHING: Final = "no run has reported its energy yet"
#: After a job's last receipt its runs may still tell what they took, seconds.
_LATE_S: Final = 60.0
#: Which cloud is compared with: the one that makes us look worst.
_BASELINE: Final[BaselineName] = "conservative"
#: Share of runs of unknown energy at which the whole is compared no more.
_UNKNOWN_SHARE_MAX: Final = 0.05
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
        self.all = Energy(unknown=NOTHING, baseline_unknown=NOTHING)
        self.providers: dict[str, EnergyFigures] = {}
        self.owners: dict[str, EnergyFigures] = {}
        self.jobs: dict[JobId, Energy] = {}
        #: Attempts of each job, and since when there are that many.
        self._seen: dict[JobId, tuple[int, float]] = {}

    def refresh(self, attempts: Mapping[JobId, int], work_units: float, at_s: float) -> None:
        """Add up anew, if it is time; jobs that were not asked for before are added up at once.

        Parameters
        ----------
        attempts : mapping
            The jobs to know, with their attempts so far.
        work_units : float
            Of all accepted tasks, each counted once, reference-core-seconds.
        at_s : float
            Now, Unix time.
        """
        started_s = time.monotonic()
        if started_s < self._due_s:
            self._read_jobs([job for job in attempts if job not in self.jobs])
            return
        self.jobs = {job: it for job, it in self.jobs.items() if job in attempts}
        self._read_jobs(self._moving(attempts, at_s))
        self.providers = _by_name(self._ledger.energy_totals("provider"))
        self.owners = _by_name(self._ledger.energy_totals("owner"))
        totals = self._ledger.energy_totals("network").get(NETWORK) or EnergyTotals()
        parts = {f"{it.value}_uj": uj for it, uj in self._ledger.energy_by_purpose().items()}
        self.all = replace(
            whole(totals, work_units), watts_by_tier=self._watts(at_s), **cast("Any", parts)
        )
        ended_s = time.monotonic()
        self._due_s = ended_s + max(_PAUSE_S, (ended_s - started_s) / _SHARE_MAX)

    def _moving(self, attempts: Mapping[JobId, int], at_s: float) -> list[JobId]:
        """Name the jobs whose energy may be another than when it was read last."""
        self._seen = {
            job: seen
            if (seen := self._seen.get(job)) is not None and seen[0] == count
            else (count, at_s)
            for job, count in attempts.items()
        }
        return [
            job
            for job, (_, since_s) in self._seen.items()
            if job not in self.jobs or at_s - since_s < _LATE_S
        ]

    def _read_jobs(self, jobs: Sequence[JobId]) -> None:
        self.jobs.update(self.of_jobs(jobs))

    def of_jobs(self, jobs: Sequence[JobId]) -> dict[JobId, Energy]:
        """Add up what some jobs took, now."""
        made = {}
        for job, it in (self._ledger.job_energy(jobs) if jobs else {}).items():
            work = self._ledger.job_work(job) if it.all is not None else None
            made[job] = job_energy(it, work.units if work is not None else 0.0)
        return made

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


def job_energy(found: JobEnergy, work_units: float) -> Energy:
    """Return a job's energy for screens; its work in reference-core-seconds, each task once."""
    figures = plain_figures(found.all, found.unknown_runs, found.unknown_reasons)
    parts: dict[str, Any] = {
        f"{name}_uj": part.reserved_uj if part is not None else None
        for name in ("useful", "verification", "wasted", "coordination")
        for part in (getattr(found, name),)
    }
    return Energy(**(vars(figures) | parts), **_baseline(work_units, found.all))


def whole(totals: EnergyTotals, work_units: float) -> Energy:
    """Return the energy of all; compared only where nearly all of it is known."""
    figures = plain_figures(totals.figures, totals.unknown_runs, totals.unknown_reasons or ())
    runs = totals.runs + totals.unknown_runs
    if totals.unknown_runs > _UNKNOWN_SHARE_MAX * runs:
        told = f"energy of {totals.unknown_runs} of {runs} runs is unknown"
        return Energy(**vars(figures), baseline_unknown=told)
    return Energy(**vars(figures), **_baseline(work_units, totals.figures))


def _baseline(work_units: float, used: known.EnergyFigures | None) -> dict[str, Any]:
    compared = compare_work(work_units, used, _BASELINE)
    if isinstance(compared, Unavailable):
        return {"baseline_unknown": compared.reason}
    cloud = vcpu_baseline(_BASELINE)
    assumed = (
        f"a cloud's vCPU at {100 * cloud.utilisation:.0f} % use, PUE {cloud.pue:g}: "
        f"{cloud.wh_per_vcpu_h:.3g} Wh per hour; {cloud.source}"
    )
    return {
        "baseline": Baseline(
            compared.baseline,
            round(compared.cloud_j * 1e6),
            round(compared.saved_low_j * 1e6),
            round(compared.saved_j * 1e6),
            round(compared.saved_high_j * 1e6),
            assumptions=(assumed,),
        )
    }


def _by_name(totals: Mapping[str, EnergyTotals]) -> dict[str, EnergyFigures]:
    return {
        name: plain_figures(it.figures, it.unknown_runs, it.unknown_reasons or ())
        for name, it in totals.items()
        if name
    }
