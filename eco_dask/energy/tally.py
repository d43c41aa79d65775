"""Adds up intervals into what each task and the host as a whole used.

HostUse + splits of all devices ─► Tally.add ─► Tally.finish(task) ─► TaskEnergy | Unavailable
TaskEnergy + Terms ─► EnergyFigures
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from eco_dask.energy.attribution import HostUse, Split
from eco_dask.energy.carbon import CarbonRange, Machine, embodied, operational
from eco_dask.energy.figures import EnergyFigures
from eco_dask.energy.intensity import Intensity
from eco_dask.energy.reading import Tier, Unavailable, worst_tier

#: Energy at the wall over energy of the components: power supply, board, fans.
WALL_FACTOR = Fraction(5, 4)
_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000
NO_BASELINE = "idle power is not known yet: it is counted as the task's"
SHARED_GPU = "the GPU was taken to be the worker's alone"
NO_EMBODIED = "the machine's class is not declared: its making is left out"


@dataclass(frozen=True, slots=True)
class MeteredSplit:
    """A split and the meter that its total comes from."""

    split: Split
    source: str
    tier: Tier
    #: False before enough idle time was seen: then idle energy is in the tasks' figures.
    baseline_known: bool = True


@dataclass(frozen=True, slots=True)
class Reserve:
    """How much of a machine is kept for the network, which decides who carries its idle power."""

    #: Slots that are offered.
    slots: int
    #: Hardware threads.
    threads: int
    #: The machine runs for nothing else; then the offered slots carry all of its idle power.
    dedicated: bool = False

    def __post_init__(self) -> None:
        if min(self.slots, self.threads) < 1:
            raise ValueError(f"slots and threads are >= 1; got {self}")

    @property
    def whole(self) -> int:
        """Slots that the machine's whole idle power is divided by."""
        return self.slots if self.dedicated else max(self.slots, self.threads)


@dataclass(frozen=True, slots=True)
class TaskEnergy:
    """What one task used, at the components."""

    key: str
    #: Marginal, and the part of it that tier A meters counted; microjoules.
    marginal_uj: int
    marginal_metered_uj: int
    #: The share of idle power kept for it, and the metered part; microjoules.
    share_uj: int
    share_metered_uj: int
    tier: Tier
    sources: frozenset[str]
    #: Wall time with all of its devices metered, and without; nanoseconds.
    overlap_ns: int
    gap_ns: int
    slots: int
    assumed_exclusive: bool = False
    baseline_known: bool = True


@dataclass(frozen=True, slots=True)
class Terms:
    """What turns a task's energy into what is shown."""

    intensity: Intensity
    #: None if the owner has not said what machine it is.
    machine: Machine | None = None
    wall_factor: Fraction = WALL_FACTOR


@dataclass(slots=True)
class HostTotals:
    """Where the energy of a host went, microjoules; parts make up the total exactly."""

    total_uj: int = 0
    base_uj: int = 0
    other_uj: int = 0
    overhead_uj: int = 0
    tasks_uj: int = 0

    @property
    def residual_uj(self) -> int:
        """Total less parts; zero, always."""
        return self.total_uj - self.base_uj - self.other_uj - self.overhead_uj - self.tasks_uj

    def add(self, split: Split) -> None:
        """Count one split."""
        self.total_uj += split.total_uj
        self.base_uj += split.base_uj
        self.other_uj += split.other_uj
        self.overhead_uj += split.overhead_uj
        self.tasks_uj += sum(split.task_uj.values())


@dataclass(slots=True)
class _Running:
    marginal_uj: int = 0
    marginal_metered_uj: int = 0
    share_uj: int = 0
    share_metered_uj: int = 0
    overlap_ns: int = 0
    gap_ns: int = 0
    slots: int = 1
    assumed_exclusive: bool = False
    baseline_known: bool = True
    tiers: set[Tier] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)


class Tally:
    """Running sums of one host. Changed by :meth:`add` and :meth:`finish`."""

    totals: HostTotals

    def __init__(self, reserve: Reserve) -> None:
        self._reserve = reserve
        self._running: dict[str, _Running] = {}
        self.totals = HostTotals()

    def add(self, use: HostUse, splits: Sequence[MeteredSplit]) -> None:
        """Count one interval.

        For a task that ran while the CPU or a GPU that it held had no meter, the interval is a
        gap: that part of its energy is unknown, not zero.
        """
        devices = {it.split.device for it in splits}
        has_cpu = any(device.startswith("cpu:") for device in devices)
        for task in use.tasks:
            running = self._running.setdefault(task.key, _Running())
            running.slots = task.slots
            if has_cpu and task.gpus <= devices:
                running.overlap_ns += task.overlap_ns
            else:
                running.gap_ns += task.overlap_ns
        for it in splits:
            self.totals.add(it.split)
            self._count(it, reserved_shares_uj(it.split.base_uj, use, self._reserve))

    def finish(self, key: str) -> TaskEnergy | Unavailable:
        """Take a task out and say what it used; call it after the interval in which it ended."""
        running = self._running.pop(key, None)
        if running is None:
            return Unavailable("tally", f"task {key} was in no interval")
        if not running.tiers:
            seconds = running.gap_ns / _NS_PER_S
            return Unavailable("tally", f"no meter ran during the {seconds:.1f} s of task {key}")
        return TaskEnergy(
            key,
            running.marginal_uj,
            running.marginal_metered_uj,
            running.share_uj,
            running.share_metered_uj,
            worst_tier(running.tiers),
            frozenset(running.sources),
            running.overlap_ns,
            running.gap_ns,
            running.slots,
            running.assumed_exclusive,
            running.baseline_known,
        )

    def _count(self, it: MeteredSplit, shares_uj: Mapping[str, int]) -> None:
        # A GPU that a task did not hold is no part of its figures.
        for key, marginal_uj in it.split.task_uj.items():
            running = self._running[key]
            running.marginal_uj += marginal_uj
            running.share_uj += shares_uj[key]
            if it.tier is Tier.METERED:
                running.marginal_metered_uj += marginal_uj
                running.share_metered_uj += shares_uj[key]
            running.tiers.add(it.tier)
            running.sources.add(it.source)
            running.assumed_exclusive |= it.split.assumed_exclusive
            running.baseline_known &= it.baseline_known


def reserved_shares_uj(base_uj: int, use: HostUse, reserve: Reserve) -> dict[str, int]:
    """Microjoules of an interval's idle energy that each task carries.

    All tasks together never carry more than there is, also where more slots ran than offered.
    """
    taken = {it.key: it.slots * it.overlap_ns for it in use.tasks}
    whole = max(reserve.whole * use.duration_ns, sum(taken.values())) or 1
    return {key: base_uj * part // whole for key, part in taken.items()}


def figures_of(task: TaskEnergy, terms: Terms) -> EnergyFigures:
    """Bring a task's energy to the wall and add its CO2e."""
    marginal_uj = int(task.marginal_uj * terms.wall_factor)
    reserved_uj = int((task.marginal_uj + task.share_uj) * terms.wall_factor)
    metered_uj = int((task.marginal_metered_uj + task.share_metered_uj) * terms.wall_factor)
    carbon = operational(reserved_uj, task.tier.wall_spread, terms.intensity)
    making = CarbonRange()
    warnings = {terms.intensity.warning} - {""}
    if terms.machine is None:
        warnings.add(NO_EMBODIED)
    else:
        seconds = (task.overlap_ns + task.gap_ns) / _NS_PER_S
        making = embodied(terms.machine, seconds, task.slots)
    if task.assumed_exclusive:
        warnings.add(SHARED_GPU)
    if not task.baseline_known:
        warnings.add(NO_BASELINE)
    return EnergyFigures(
        component_uj=task.marginal_uj,
        marginal_uj=marginal_uj,
        reserved_uj=reserved_uj,
        metered_uj=metered_uj,
        carbon=carbon + making,
        tier=task.tier,
        sources=task.sources,
        grids=frozenset({f"{terms.intensity.zone} {terms.intensity.when}".strip()}),
        warnings=frozenset(warnings),
        # Rounded up: a gap is never made to vanish.
        gap_ms=-(-task.gap_ns // _NS_PER_MS),
    )
