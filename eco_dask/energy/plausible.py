"""Whether energy that a provider claims can be: sources, time and power against what is known.

TaskEnergy + Bounds + seconds by our own clock ──fault──► None, or why it is not believed

A claim within these bounds may still be false. It pays nothing, and figures from outside of the
operator's machines are labelled by how they are said to be made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from eco_dask.energy.reading import Tier
from eco_dask.energy.tally import TaskEnergy

#: The best class that each meter can give.
BEST_TIERS: Final[Mapping[str, Tier]] = {
    "rapl": Tier.METERED,
    "emi": Tier.METERED,
    "nvml": Tier.METERED,
    "amdgpu": Tier.METERED,
    "apple-silicon": Tier.VENDOR_MODEL,
    "load-model": Tier.MODELLED,
}
#: Most that a whole machine draws: a base, and by hardware thread and GPU. Above what is sold.
BASE_W, THREAD_W, GPU_W = 150.0, 20.0, 1500.0
#: More is not believed to be one machine.
THREADS_MAX, GPUS_MAX = 512, 16
#: A run's energy is known by intervals of a second or two, of which it may be a small part.
SLACK_S = 3.0
_UJ_PER_J = 1_000_000
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is known of a machine, as far as it bounds its power."""

    threads: int
    gpus: int = 0

    @property
    def power_max_w(self) -> float:
        """Watts that the machine cannot exceed for long."""
        threads, gpus = min(self.threads, THREADS_MAX), min(self.gpus, GPUS_MAX)
        return BASE_W + THREAD_W * threads + GPU_W * gpus


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a claim is not believed."""

    #: The same words for the same kind of fault, so that they can be counted.
    reason: str
    #: With this claim's numbers, for the log.
    detail: str = ""


@dataclass(slots=True)
class Meterage:
    """All that one provider claimed since it joined; changed by :meth:`fault`."""

    since_s: float
    claimed_uj: int = 0

    def fault(
        self, task: TaskEnergy, bounds: Bounds, granted_at_s: float, now_s: float
    ) -> Fault | None:
        """Say why a claim is not believed; None if it can be, and then it is counted.

        Parameters
        ----------
        task : TaskEnergy
            As claimed.
        bounds : Bounds
            Of the machine.
        granted_at_s, now_s : float
            When the run was leased, and now, by the gateway's clock; seconds.
        """
        found = _of_sources(task) or _of_parts(task)
        if found:
            return found
        elapsed_s = now_s - granted_at_s + SLACK_S
        claimed_s = (task.overlap_ns + task.gap_ns) / _NS_PER_S
        if claimed_s > elapsed_s:
            detail = f"{claimed_s:.1f} s of work, where {elapsed_s:.1f} s have passed"
            return Fault("more time than has passed", detail)
        energy_uj = task.marginal_uj + task.share_uj
        power_w = energy_uj / _UJ_PER_J / (claimed_s + SLACK_S)
        if power_w > bounds.power_max_w:
            detail = f"{power_w:.0f} W, where {bounds.power_max_w:.0f} W are the most"
            return Fault("more power than the machine can draw", detail)
        # Runs side by side share one machine.
        session_uj = bounds.power_max_w * (now_s - self.since_s + SLACK_S) * _UJ_PER_J
        if self.claimed_uj + energy_uj > session_uj:
            return Fault("all runs together more than the machine can draw")
        self.claimed_uj += energy_uj
        return None


def _of_sources(task: TaskEnergy) -> Fault | None:
    unknown = sorted(task.sources - BEST_TIERS.keys())
    if unknown or not task.sources:
        return Fault("no such meter", ", ".join(unknown) or "none named")
    # The class of a sum is its worst, so no source may be worse than it.
    best = max((BEST_TIERS[it] for it in task.sources), key=lambda tier: tier.rank)
    if task.tier.rank < best.rank:
        return Fault("a better class than its meters give", f"{task.tier}, {sorted(task.sources)}")
    return None


def _of_parts(task: TaskEnergy) -> Fault | None:
    too_much = task.marginal_metered_uj > task.marginal_uj or task.share_metered_uj > task.share_uj
    if too_much or min(task.marginal_uj, task.share_uj) < 0:
        return Fault("a part is more than the whole")
    if task.tier is Tier.METERED and (task.marginal_metered_uj, task.share_metered_uj) != (
        task.marginal_uj,
        task.share_uj,
    ):
        return Fault("said to be metered, and a part of it is not")
    return None
