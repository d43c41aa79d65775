"""Chooses the meters of this machine, best first, and says why better ones are not used.

MeterSetup ─► available ─► Meters(readers, checks, missing)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pynvml

from eco_dask.energy.readers.apple import AppleMonitor, AppleReader
from eco_dask.energy.readers.battery import BatteryReader, plugged_in
from eco_dask.energy.readers.clock import Clock, system_clock
from eco_dask.energy.readers.cpu_facts import CpuFacts, cpu_facts
from eco_dask.energy.readers.emi import EmiPort, EmiReader
from eco_dask.energy.readers.emi_windows import windows_port
from eco_dask.energy.readers.hwmon import AmdGpuReader
from eco_dask.energy.readers.load_model import (
    DEVICE,
    CpuTimes,
    LoadChoice,
    LoadModelReader,
    LoadSettings,
    choose_law,
)
from eco_dask.energy.readers.nvidia import NvidiaReader
from eco_dask.energy.readers.rapl import RaplReader
from eco_dask.energy.reading import Reader, Tier, Unavailable, readings


@dataclass(frozen=True, slots=True)
class MeterSetup:
    """The machine's sides that meters touch; the defaults are this machine."""

    #: As ``sys.platform``.
    platform: str = sys.platform
    #: Where Linux shows its devices.
    sys_root: Path = Path("/sys")
    load: LoadSettings = field(default_factory=LoadSettings)
    #: The CPU for the load model; looked up if None.
    cpu: CpuFacts | None = None
    cpu_times: Callable[[], CpuTimes] | None = None
    nvml: Any = pynvml
    emi: EmiPort | None = field(default_factory=windows_port)
    open_apple: Callable[[], AppleMonitor] | None = None
    clock: Clock = field(default_factory=system_clock)


@dataclass(frozen=True, slots=True)
class Meters:
    """What is read on this machine."""

    #: Their devices are disjoint, so their energy may be summed.
    readers: tuple[Reader, ...]
    #: These show the same energy another way: for comparison, never summed.
    checks: tuple[Reader, ...]
    #: Every better or further meter that is not used, with the reason.
    missing: tuple[Unavailable, ...]

    @property
    def load(self) -> LoadChoice | None:
        """The load model in use; None where counters are read."""
        models = (it for it in self.readers if isinstance(it, LoadModelReader))
        return next((it.choice for it in models), None)

    @property
    def idle_uw(self) -> dict[str, int]:
        """Idle power of modelled devices, microwatts; that of others is learned."""
        return {} if self.load is None else {DEVICE: round(self.load.law.idle_w * 1e6)}


def available(setup: MeterSetup | None = None) -> Meters:
    """Try the meters of this platform, best first.

    The CPU always gets a meter, be it the load model; a GPU has one or none, as its power cannot
    be told from the CPU's load.
    """
    setup = setup or MeterSetup()
    used: list[Reader] = []
    missing: list[Unavailable] = []
    cpu_reader = _cpu_reader(setup)
    if cpu_reader is None:
        missing.append(
            Unavailable("counters", f"no CPU energy counter is known for {setup.platform}")
        )
    elif not _works(cpu_reader, missing, "cpu"):
        cpu_reader = None
    used.append(cpu_reader or _load_model(setup, missing))
    used.extend(it for it in _gpu_readers(setup) if _works(it, missing, "gpu"))
    return Meters(tuple(used), _checks(setup, missing), tuple(missing))


def _cpu_reader(setup: MeterSetup) -> Reader | None:
    if setup.platform == "linux":
        return RaplReader(setup.sys_root / "class/powercap", setup.clock)
    if setup.platform == "win32":
        return EmiReader(setup.emi, setup.clock)
    if setup.platform == "darwin":
        return AppleReader(setup.open_apple, setup.clock)
    return None


def _gpu_readers(setup: MeterSetup) -> list[Reader]:
    found: list[Reader] = []
    if setup.platform in ("linux", "win32"):
        found.append(NvidiaReader(setup.nvml, setup.clock))
    if setup.platform == "linux":
        found.append(AmdGpuReader(setup.sys_root / "class/hwmon", setup.clock))
    return found


def _checks(setup: MeterSetup, missing: list[Unavailable]) -> tuple[Reader, ...]:
    if setup.platform == "linux":
        battery = BatteryReader(setup.sys_root / "class/power_supply", setup.clock)
        if isinstance(battery.read(), Unavailable):
            return ()
        # It works whenever the machine runs on battery, which may begin later.
        return (battery,)
    if plugged_in() is not None:
        missing.append(
            Unavailable("battery", f"{setup.platform} tells a percentage only, which is no meter")
        )
    return ()


def _works(reader: Reader, missing: list[Unavailable], kind: str) -> bool:
    sample = reader.read()
    if isinstance(sample, Unavailable):
        missing.append(sample)
        return False
    missing.extend(it for it in sample.values() if isinstance(it, Unavailable))
    return any(reading.kind == kind for reading in readings(sample).values())


def _load_model(setup: MeterSetup, missing: list[Unavailable]) -> Reader:
    choice = choose_law(setup.cpu or cpu_facts(), setup.load)
    if choice.tier is Tier.DEFAULT:
        remedy = "give idle and maximum watts, or calibrate with a plug meter"
        missing.append(Unavailable("cpu-table", choice.basis, remedy))
    return LoadModelReader(choice, setup.cpu_times, setup.clock)
