"""AMD graphics cards through Linux hwmon: an energy counter (tier A), else sampled power (B).

/sys/class/hwmon/hwmon*/{name,energy1_input,power1_average,power1_input} ─► gpu:0000:03:00.0
"""

from __future__ import annotations

from pathlib import Path

from eco_dask.energy.readers.bank import Bank, Meter
from eco_dask.energy.readers.clock import Clock, system_clock
from eco_dask.energy.readers.monotone import (
    CounterRule,
    MonotoneCounter,
    PowerIntegral,
    RawCounter,
)
from eco_dask.energy.readers.sysfs import folders_of, number_of, text_of
from eco_dask.energy.reading import Reading, Sample, Tier, Unavailable

SOURCE = "amdgpu"
HWMON = Path("/sys/class/hwmon")

_RULE = CounterRule(watts_max=3000.0)
#: The voltage rail that only graphics inside a CPU have.
_NORTHBRIDGE = "vddnb"
_POWERS = ("power1_average", "power1_input")


class AmdGpuReader:
    """Reads every discrete AMD graphics card.

    Parameters
    ----------
    root : Path
        The hwmon class folder.
    clock : Clock, optional
        When a value is read; the system's clock by default.
    """

    name = SOURCE

    def __init__(self, root: Path = HWMON, clock: Clock | None = None) -> None:
        self._root = root
        self._clock = clock or system_clock()
        self._counters = Bank(Meter(SOURCE, Tier.METERED, lambda: MonotoneCounter(_RULE)))
        self._powers: Bank[float] = Bank(Meter(SOURCE, Tier.SAMPLED, PowerIntegral))

    def read(self) -> Sample:
        """Read all cards now; see :class:`~eco_dask.energy.reading.Reader`."""
        folders = folders_of(self._root, SOURCE)
        if isinstance(folders, Unavailable):
            return folders
        counters: dict[str, RawCounter | Unavailable] = {}
        powers: dict[str, float | Unavailable] = {}
        integrated: dict[str, Reading | Unavailable] = {}
        for folder in _cards(folders):
            device = f"gpu:{_pci_address(folder)}"
            if text_of(folder / "in1_label") == _NORTHBRIDGE:
                integrated[device] = Unavailable(
                    SOURCE, f"{device} is part of the CPU: its sensor shows the whole package"
                )
            elif (folder / "energy1_input").exists():
                counters[device] = _counter(folder)
            else:
                powers[device] = _watts(folder)
        now = self._clock()
        sample = self._counters.take(counters, now) | self._powers.take(powers, now) | integrated
        return sample or Unavailable(SOURCE, f"no AMD graphics card in {self._root}")


def _cards(folders: list[Path]) -> list[Path]:
    return [folder for folder in folders if text_of(folder / "name") == "amdgpu"]


def _pci_address(folder: Path) -> str:
    # hwmon numbers change with the order of loading; the bus address stays.
    device = folder / "device"
    return device.resolve().name if device.is_symlink() else folder.name


def _counter(folder: Path) -> RawCounter | Unavailable:
    raw_uj = number_of(folder / "energy1_input", SOURCE)
    return raw_uj if isinstance(raw_uj, Unavailable) else RawCounter(raw_uj)


def _watts(folder: Path) -> float | Unavailable:
    for attribute in _POWERS:
        if (folder / attribute).exists():
            power_uw = number_of(folder / attribute, SOURCE)
            if isinstance(power_uw, Unavailable):
                return power_uw
            if power_uw < 0:
                return Unavailable(SOURCE, f"{folder / attribute} holds {power_uw}, no power")
            return power_uw / 1e6
    return Unavailable(SOURCE, f"{folder} has neither an energy nor a power sensor")
