"""The same work in a cloud, from pinned public coefficients; a loss is shown as a loss.

    CloudWork (normalised vCPU-hours) + EnergyFigures ─► compare ─► CloudComparison
    E_cloud = (min + u (max - min)) x vCPU-hours x PUE

Both sides are energy at the wall of whole machines. Coefficients of clouds are estimates from
outside, good to a factor of two at best, which is why the result is a range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from eco_dask.energy.data_files import in_range, named
from eco_dask.energy.figures import EnergyFigures, in_unit
from eco_dask.energy.intensity import Intensity
from eco_dask.energy.reading import Unavailable

Verdict = Literal["less", "more", "no clear difference"]
BaselineName = Literal["conservative", "typical", "upper"]

_SOURCE = "cloud"
_GPU_METERS = frozenset({"nvml", "amdgpu"})
_S_PER_H = 3600
#: Share of runs of unknown energy at which nothing is compared any more.
UNKNOWN_SHARE_MAX = 0.05
_J_PER_WH = 3600
_WH_PER_KWH = 1000
# Rows outside of these are slips of their source, such as 3.68 to 8.96 W of one later edition.
_MIN_W, _MAX_W, _PUE = (0.2, 2.0), (1.0, 6.0), (1.0, 2.0)
_GPU_IDLE_W, _GPU_MAX_W = (5, 100), (50, 1000)
_WH_PER_VCPU_H = (0.5, 10.0)


@dataclass(frozen=True, slots=True)
class CloudBaseline:
    """What one vCPU-hour in a cloud costs."""

    name: str
    wh_per_vcpu_h: float
    utilisation: float
    pue: float
    #: Family of processors, repository and commit.
    source: str


@dataclass(frozen=True, slots=True)
class CloudWork:
    """Work as a cloud would have done it."""

    #: CPU-hours times the speed of a thread over that of a reference vCPU, by signed benchmark.
    vcpu_h: float
    #: Hours by model of GPU; empty if the work needs none.
    gpu_h: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.vcpu_h < 0 or any(hours < 0 for hours in self.gpu_h.values()):
            raise ValueError(f"hours are >= 0; got {self}")


@dataclass(frozen=True, slots=True)
class CloudComparison:
    """Energy a cloud would have used less energy used here: below zero, the cloud wins. Joules."""

    baseline: str
    cloud_j: float
    used_j: float
    saved_low_j: float
    saved_j: float
    saved_high_j: float
    #: The same against marginal energy only: for a machine that was on anyway.
    saved_marginal_j: float

    @property
    def verdict(self) -> Verdict:
        """What may be said; nothing where the range reaches across zero."""
        if self.saved_low_j > 0:
            return "less"
        return "more" if self.saved_high_j < 0 else "no clear difference"

    def __str__(self) -> str:
        low, high = in_unit(self.saved_low_j, "J"), in_unit(self.saved_high_j, "J")
        span = f"(range {low} to {high}, {self.baseline} baseline)"
        if self.verdict == "no clear difference":
            return f"no clear difference to the cloud {span}"
        return f"{in_unit(abs(self.saved_j), 'J')} {self.verdict} than the cloud {span}"


def vcpu_baseline(name: BaselineName) -> CloudBaseline:
    """One of the three baselines, from pinned coefficients.

    Raises
    ------
    ValueError
        A coefficient is outside of what can be: the table was edited by mistake.
    """
    row = named("cloud.json", "baselines", name)
    family = named("cloud.json", "families", row["family"])
    min_w = in_range(family["min_w"], *_MIN_W, f"min_w of {family['name']}")
    max_w = in_range(family["max_w"], *_MAX_W, f"max_w of {family['name']}")
    pue = in_range(row["pue"], *_PUE, f"PUE of {name}")
    utilisation = in_range(row["utilisation"], 0, 1, f"utilisation of {name}")
    wh = (min_w + utilisation * (max_w - min_w)) * pue
    in_range(wh, *_WH_PER_VCPU_H, f"Wh per vCPU-hour of {name}")
    source = f"{family['name']}, {family['source']} {family['commit']}"
    return CloudBaseline(name, wh, utilisation, pue, source)


def cloud_j(work: CloudWork, baseline: CloudBaseline) -> float:
    """Joules that a cloud would use for the work.

    Raises
    ------
    ValueError
        A model of GPU is not in the table; the message lists those that are.
    """
    wh = work.vcpu_h * baseline.wh_per_vcpu_h
    for model, hours in work.gpu_h.items():
        row = named("cloud.json", "gpus", model)
        idle_w = in_range(row["idle_w"], *_GPU_IDLE_W, f"idle_w of {model}")
        max_w = in_range(row["max_w"], *_GPU_MAX_W, f"max_w of {model}")
        wh += (idle_w + baseline.utilisation * (max_w - idle_w)) * hours * baseline.pue
    return wh * _J_PER_WH


def compare(
    work: CloudWork, used: EnergyFigures, name: BaselineName = "conservative"
) -> CloudComparison:
    """Compare energy used with a cloud's.

    The headline sets the chosen baseline against reserved energy. The range goes from the
    conservative baseline and the highest likely use to the upper baseline and the lowest.
    """
    low_j, high_j = used.reserved_range_j
    chosen_j = cloud_j(work, vcpu_baseline(name))
    return CloudComparison(
        name,
        chosen_j,
        used.reserved_j,
        cloud_j(work, vcpu_baseline("conservative")) - high_j,
        chosen_j - used.reserved_j,
        cloud_j(work, vcpu_baseline("upper")) - low_j,
        chosen_j - used.marginal_j,
    )


def compare_work(
    work_units: float,
    used: EnergyFigures | None,
    name: BaselineName = "conservative",
    unknown_share: float = 0.0,
) -> CloudComparison | Unavailable:
    """Compare a job's whole energy, checking and coordination included, with a cloud's.

    Parameters
    ----------
    work_units : float
        Reference-core-seconds of the job's tasks, each counted once. The reference core is a
        thread of a cloud's processor, so one unit is one vCPU-second.
    used : EnergyFigures or None
        All that the job took; None if nothing is known.
    name : str
        The baseline.
    unknown_share : float
        Share of the runs that ``used`` lacks, 0 to 1: where it is more than a twentieth, nothing
        is compared, as what is missing would count as saved.
    """
    if used is None:
        return Unavailable(_SOURCE, "no run's energy is known")
    if work_units <= 0:
        return Unavailable(_SOURCE, "no task's work is known yet")
    if unknown_share > UNKNOWN_SHARE_MAX:
        return Unavailable(_SOURCE, f"the energy of {unknown_share:.0%} of the runs is unknown")
    if not _GPU_METERS.isdisjoint(used.sources):
        return Unavailable(_SOURCE, "GPUs were used, whose work in a cloud is not known")
    return compare(CloudWork(work_units / _S_PER_H), used, name)


def location_effect_g(energy_j: float, own: Intensity, region: str) -> float:
    """Grams of CO2e less than in a cloud's region for the same energy; below zero it is more.

    Shown apart from the energy effect, never added to it.
    """
    row = named("cloud.json", "regions", region)
    theirs = in_range(row["g_per_kwh"], 1, 1500, f"g/kWh of {region}")
    return energy_j / (_J_PER_WH * _WH_PER_KWH) * (theirs - own.central)
