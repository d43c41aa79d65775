"""The load model: CPU energy from utilisation, where no counter can be read (tiers C and D).

CpuFacts + LoadSettings ─► choose_law ─► LoadChoice
psutil.cpu_times ─► utilisation ─► LoadLaw.watts ─► cpu:0
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psutil

from eco_dask.energy.readers.bank import Bank, Meter
from eco_dask.energy.readers.clock import Clock, system_clock
from eco_dask.energy.readers.cpu_facts import CpuFacts
from eco_dask.energy.readers.cpu_table import cpu_power
from eco_dask.energy.readers.load_law import (
    LawName,
    LoadLaw,
    calibrated_law,
    default_tdp_w,
    owner_law,
    tdp_law,
)
from eco_dask.energy.readers.monotone import GAP_MAX_S, Level, Moment, is_gap, next_epoch
from eco_dask.energy.reading import Sample, Tier, Unavailable

SOURCE = "load-model"
DEVICE = "cpu:0"


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """What the owner may say about the machine; measured figures come before the table."""

    law: LawName = LawName.LINEAR
    #: Watts of the CPU when idle and at full load; both or neither.
    idle_w: float | None = None
    max_w: float | None = None
    #: Plug-meter readings: (utilisation, watts at the wall).
    wall_watts: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class LoadChoice:
    """The law in use, and on what it rests."""

    law: LoadLaw
    tier: Tier
    basis: str


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """CPU-seconds of all logical CPUs since some start."""

    busy_s: float
    total_s: float


def choose_law(cpu: CpuFacts, settings: LoadSettings) -> LoadChoice:
    """Pick the best law for a machine.

    Raises
    ------
    ValueError
        The owner's figures contradict themselves.
    """
    if settings.wall_watts:
        law = calibrated_law(dict(settings.wall_watts))
        return LoadChoice(law, Tier.MODELLED, "the owner's plug-meter readings")
    if settings.idle_w is not None and settings.max_w is not None:
        law = owner_law(settings.idle_w, settings.max_w)
        return LoadChoice(law, Tier.MODELLED, "the owner's idle and maximum watts")
    if settings.idle_w is not None or settings.max_w is not None:
        raise ValueError("idle and maximum watts belong together: give both or neither")
    row = cpu_power(cpu.name)
    if row is not None and not cpu.is_virtual:
        law = tdp_law(row.tdp_w * cpu.sockets, settings.law)
        times = f"{cpu.sockets} x " if cpu.sockets > 1 else ""
        basis = f"{row.name}, TDP {times}{row.tdp_w:g} W ({row.source})"
        return LoadChoice(law, Tier.MODELLED, basis)
    why = "a virtual machine's share of a CPU" if cpu.is_virtual else f"unknown CPU {cpu.name!r}"
    tdp_w = default_tdp_w(cpu.threads, cpu.machine)
    return LoadChoice(tdp_law(tdp_w, settings.law), Tier.DEFAULT, f"{why}: {tdp_w:g} W assumed")


class LoadEnergy:
    """The energy under a load law, as a bank's accumulator."""

    def __init__(self, law: LoadLaw) -> None:
        self._law = law
        self._last: tuple[CpuTimes, Moment] | None = None
        self._level: Level | None = None
        self._rest_uj = 0.0

    def advance(self, value: CpuTimes, now: Moment) -> Level:
        """Take the CPU times in; the interval's mean utilisation gives its power.

        An interval in which no tick passed changes nothing: it is counted with the next.
        """
        if self._last is None or self._level is None:
            return self._begin(value, now)
        last, then = self._last
        busy_s, total_s = value.busy_s - last.busy_s, value.total_s - last.total_s
        if is_gap(then, now, GAP_MAX_S) or total_s < 0:
            return self._begin(value, now)
        if total_s == 0:
            return self._level
        # A tick that was counted late may show busy < 0 or > total; the law clips.
        area_uj = self._law.watts(busy_s / total_s) * (now.at_s - then.at_s) * 1e6 + self._rest_uj
        whole_uj = int(area_uj)
        self._rest_uj = area_uj - whole_uj
        self._last = (value, now)
        self._level = Level(self._level.energy_uj + whole_uj, self._level.epoch, now.at_s)
        return self._level

    def interrupt(self) -> None:
        """Forget the last times, so that the next ones begin a new epoch."""
        self._last = None

    def _begin(self, value: CpuTimes, now: Moment) -> Level:
        self._last = (value, now)
        self._level = next_epoch(self._level, now)
        return self._level


class LoadModelReader:
    """Models the CPU from how busy it is.

    Parameters
    ----------
    choice : LoadChoice
        The law in use.
    cpu_times : callable, optional
        The machine's CPU times; psutil's by default.
    clock : Clock, optional
        When a value is read; the system's clock by default.
    """

    name = SOURCE

    def __init__(
        self,
        choice: LoadChoice,
        cpu_times: Callable[[], CpuTimes] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.choice = choice
        self._cpu_times = cpu_times or host_cpu_times
        self._clock = clock or system_clock()
        self._bank: Bank[CpuTimes] = Bank(
            Meter(SOURCE, choice.tier, lambda: LoadEnergy(choice.law))
        )

    def read(self) -> Sample:
        """Model the CPU up to now; see :class:`~eco_dask.energy.reading.Reader`."""
        try:
            times = self._cpu_times()
        except OSError as error:
            return Unavailable(SOURCE, f"the system does not tell its CPU times: {error}")
        return self._bank.take({DEVICE: times}, self._clock())


def host_cpu_times() -> CpuTimes:
    """The whole machine's CPU times, by psutil.

    Waiting for a disk is idle; Linux counts guests in user time already.
    """
    times = psutil.cpu_times()._asdict()
    total_s = sum(times.values()) - times.get("guest", 0.0) - times.get("guest_nice", 0.0)
    # Windows' kernel time contains these two.
    total_s -= times.get("interrupt", 0.0) + times.get("dpc", 0.0)
    # The hypervisor gave stolen time to others: neither busy nor idle here.
    total_s -= times.get("steal", 0.0)
    return CpuTimes(total_s - times["idle"] - times.get("iowait", 0.0), total_s)
