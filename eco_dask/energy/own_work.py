"""What this process takes, split among the jobs that keep it busy: a coordinator's own energy.

count(job) ──tick──► share of the process's processor time ──► EnergyFigures by job, growing
"""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from dataclasses import replace

from eco_dask.energy.accounts import OwnSum
from eco_dask.energy.attribution import TaskUse
from eco_dask.energy.host_times import CpuTimesNs, HostTimes
from eco_dask.energy.readers.choose import Meters
from eco_dask.energy.reading import Unavailable
from eco_dask.energy.sampler import EnergySampler, SamplerSetup
from eco_dask.energy.tally import Reserve, Terms, figures_of
from eco_dask.energy.task_clock import Drained

#: Jobs whose sums are remembered; an older one that goes on begins a new sum.
JOBS_KEPT = 1000


class OwnWork:
    """The energy of one process by job; its own time is divided by what was done for each.

    Parameters
    ----------
    meters : Meters
        Of this machine.
    terms : Terms
        What makes CO2e of energy.
    """

    def __init__(self, meters: Meters, terms: Terms) -> None:
        self._terms = terms
        self._host = HostTimes()
        reserve = Reserve(1, os.cpu_count() or 1)
        self._sampler = EnergySampler(
            SamplerSetup(meters.readers, reserve, meters.idle_uw, self._times)
        )
        self._counts: Counter[str] = Counter()
        self._sums: dict[str, OwnSum] = {}
        self._numbers = itertools.count()
        self._at_ns = time.monotonic_ns()

    def count(self, job: str, steps: int = 1) -> None:
        """Something was done for a job."""
        self._counts[job] += steps

    def tick(self) -> dict[str, OwnSum]:
        """Close the interval since the last tick; return the sums of jobs that grew."""
        counts, self._counts = self._counts, Counter()
        now_ns = time.monotonic_ns()
        duration_ns, self._at_ns = now_ns - self._at_ns, now_ns
        steps = counts.total()
        uses = tuple(TaskUse(job, 0, duration_ns * count // steps) for job, count in counts.items())
        grown: dict[str, OwnSum] = {}
        for job, energy in self._sampler.tick(Drained(uses, tuple(counts))).items():
            if isinstance(energy, Unavailable):
                continue
            figures, before = figures_of(energy, self._terms), self._sums.pop(job, None)
            number = next(self._numbers) if before is None else before.number
            whole = figures if before is None else before.figures + figures
            self._sums[job] = grown[job] = OwnSum(number, whole)
        while len(self._sums) > JOBS_KEPT:
            del self._sums[next(iter(self._sums))]
        return grown

    def _times(self) -> CpuTimesNs:
        # All of this process serves jobs, so nothing of it is anybody else's overhead.
        return replace(self._host.read(), service_ns=0)
