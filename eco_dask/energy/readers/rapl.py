"""Linux RAPL through powercap, for Intel and AMD: package and dram counters (tier A).

    /sys/class/powercap/intel-rapl:0/{name,energy_uj,max_energy_range_uj} ─► cpu:0, dram:0

Zones contain each other: psys holds the package, the package holds core and uncore. Only package
and dram are read, so nothing counts twice. ``intel-rapl-mmio`` shows the same package again.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from eco_dask.energy.readers.bank import Bank, Meter
from eco_dask.energy.readers.clock import Clock, system_clock
from eco_dask.energy.readers.monotone import CounterRule, MonotoneCounter, RawCounter
from eco_dask.energy.readers.sysfs import folders_of, number_of, text_of
from eco_dask.energy.reading import Sample, Tier, Unavailable

SOURCE = "rapl"
POWERCAP = Path("/sys/class/powercap")

_ZONE = re.compile(r"^(?:intel|amd)-rapl(?:-mmio)?:\d+(?::\d+)?$")
_PACKAGE = re.compile(r"^package-(?P<package>\d+)(?:-die-(?P<die>\d+))?$")
_RULE = CounterRule(watts_max=2000.0)
#: A powered package draws at least its idle power, so its counter moves.
_STILL_MAX_S = 5.0


@dataclass(frozen=True, slots=True)
class _Zone:
    device: str
    folder: Path


class RaplReader:
    """Reads the package and dram counters of every socket.

    Parameters
    ----------
    root : Path
        The powercap class folder.
    clock : Clock, optional
        When a value is read; the system's clock by default.
    """

    name = SOURCE

    def __init__(self, root: Path = POWERCAP, clock: Clock | None = None) -> None:
        self._root = root
        self._clock = clock or system_clock()
        self._bank = Bank(Meter(SOURCE, Tier.METERED, lambda: MonotoneCounter(_RULE), _STILL_MAX_S))
        self._twins: dict[tuple[str, str], bool] = {}

    def read(self) -> Sample:
        """Read all zones now; see :class:`~eco_dask.energy.reading.Reader`."""
        entries = folders_of(self._root, SOURCE)
        if isinstance(entries, Unavailable):
            return entries
        zones = _zones(entries)
        if not zones:
            return Unavailable(SOURCE, _why_no_zone(entries))
        values: dict[str, RawCounter | Unavailable] = {}
        for zone in zones:
            if not any(self._same_counter(other, zone) for other in zones if other is not zone):
                values[zone.device] = _counter(zone.folder)
        sample = self._bank.take(values, self._clock())
        if all(isinstance(it, Unavailable) for it in sample.values()):
            # With one reason for all, as the owner needs one remedy.
            return next(it for it in sample.values() if isinstance(it, Unavailable))
        return sample

    def _same_counter(self, first: _Zone, second: _Zone) -> bool:
        """Whether ``second`` is a die that shows the counter of an earlier die of its package.

        Some drivers register every die of a package, though all read the package's one register.
        """
        if first.device >= second.device or _package_of(first) != _package_of(second):
            return False
        pair = (first.device, second.device)
        if pair not in self._twins:
            found = _shows_same(first.folder, second.folder)
            if found is None:
                return False
            self._twins[pair] = found
        return self._twins[pair]


def permission_remedy(group_id: int) -> str:
    """The one-line udev recipe for an owner who wants metered figures, and what it exposes."""
    rule = (
        'SUBSYSTEM=="powercap", KERNEL=="intel-rapl:*", '
        f'RUN+="/bin/chgrp {group_id} %S%p/energy_uj", RUN+="/bin/chmod 0440 %S%p/energy_uj"'
    )
    return (
        f"echo '{rule}' | sudo tee /etc/udev/rules.d/70-eco-dask-rapl.rules && "
        "sudo udevadm control --reload && sudo udevadm trigger --subsystem-match=powercap  "
        f"# exposes: every program of group {group_id} can then watch the CPU's power in steps of "
        "about 1 ms, from which secret keys have been recovered (PLATYPUS, CVE-2020-8694); undo by "
        "deleting the file and restarting"
    )


def _zones(entries: list[Path]) -> list[_Zone]:
    found: dict[str, _Zone] = {}
    # The registers before their memory-mapped copy: the first zone of a device is kept.
    for folder in sorted(entries, key=lambda it: ("mmio" in it.name, it.name)):
        if _ZONE.match(folder.name) and (device := _device(folder)) is not None:
            found.setdefault(device, _Zone(device, folder))
    return [found[device] for device in sorted(found)]


def _device(folder: Path) -> str | None:
    label = text_of(folder / "name") or ""
    if match := _PACKAGE.match(label):
        return f"cpu:{_socket(match)}"
    parent, _, _ = folder.name.rpartition(":")
    if label == "dram" and ":" in parent:
        package = _PACKAGE.match(text_of(folder.with_name(parent) / "name") or "")
        return f"dram:{_socket(package)}" if package else None
    return None


def _socket(match: re.Match[str]) -> str:
    package, die = match["package"], match["die"]
    return package if die is None else f"{package}.{die}"


def _package_of(zone: _Zone) -> str:
    return zone.device.partition(".")[0]


def _shows_same(first: Path, second: Path) -> bool | None:
    before, between, after = (_counter(it) for it in (first, second, first))
    if (
        isinstance(before, Unavailable)
        or isinstance(between, Unavailable)
        or isinstance(after, Unavailable)
    ):
        return None
    # Independent counters of 262 kJ do not meet within the microseconds of three reads.
    return before.raw_uj <= between.raw_uj <= after.raw_uj


def _counter(folder: Path) -> RawCounter | Unavailable:
    remedy = permission_remedy(os.getgid()) if hasattr(os, "getgid") else ""
    raw_uj = number_of(folder / "energy_uj", SOURCE, remedy=remedy)
    if isinstance(raw_uj, Unavailable):
        return raw_uj
    if raw_uj <= 0:
        return Unavailable(SOURCE, f"{folder / 'energy_uj'} stands at {raw_uj}: not passed on")
    range_uj = number_of(folder / "max_energy_range_uj", SOURCE)
    # Without a range a wrap cannot be told from a reset, and counts as a gap.
    if isinstance(range_uj, Unavailable) or range_uj < raw_uj:
        return RawCounter(raw_uj)
    return RawCounter(raw_uj, range_uj)


def _why_no_zone(entries: list[Path]) -> str:
    labels = sorted({text_of(it / "name") or "" for it in entries} - {""})
    if labels:
        return f"powercap has no package zone, only {', '.join(labels)}, which cover something else"
    return "powercap has no RAPL zones: a virtual machine, or the intel_rapl_msr module is missing"
