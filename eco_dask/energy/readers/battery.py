"""Battery discharge under Linux: a cross-check of the whole machine, never a meter of its tasks.

    /sys/class/power_supply/BAT*/{status, energy_now | charge_now} ─► battery:BAT0

It includes the screen, the disk and the radio, and moves in coarse steps, so it is never summed
with other devices. Elsewhere only "plugged or not" is known, which is policy and no meter.
"""

from __future__ import annotations

from pathlib import Path

import psutil

from eco_dask.energy.readers.bank import Bank, Meter
from eco_dask.energy.readers.clock import Clock, system_clock
from eco_dask.energy.readers.monotone import CounterRule, MonotoneCounter, RawCounter
from eco_dask.energy.readers.sysfs import folders_of, number_of, text_of
from eco_dask.energy.reading import Reading, Sample, Tier, Unavailable

SOURCE = "battery"
POWER_SUPPLY = Path("/sys/class/power_supply")

#: The fuel gauge reports every half minute or so, in steps of about 10 mWh.
_RULE = CounterRule(watts_max=500.0, step_s=120.0)
_UJ_PER_UWH = 3600


class BatteryReader:
    """Reads what the batteries gave since the machine was last unplugged.

    Parameters
    ----------
    root : Path
        The power_supply class folder.
    clock : Clock, optional
        When a value is read; the system's clock by default.
    """

    name = SOURCE

    def __init__(self, root: Path = POWER_SUPPLY, clock: Clock | None = None) -> None:
        self._root = root
        self._clock = clock or system_clock()
        self._bank = Bank(Meter(SOURCE, Tier.SAMPLED, lambda: MonotoneCounter(_RULE)))

    def read(self) -> Sample:
        """Read all batteries now; see :class:`~eco_dask.energy.reading.Reader`."""
        folders = folders_of(self._root, SOURCE)
        if isinstance(folders, Unavailable):
            return folders
        values: dict[str, RawCounter | Unavailable] = {}
        resting: dict[str, Reading | Unavailable] = {}
        for folder in _batteries(folders):
            device = f"battery:{folder.name}"
            status = text_of(folder / "status")
            if status == "Discharging":
                values[device] = _given(folder)
            else:
                # Left out of the bank's round: unplugging later begins a new epoch.
                resting[device] = Unavailable(
                    SOURCE, f"{device} is not discharging (status {status}): it says nothing"
                )
        sample = self._bank.take(values, self._clock()) | resting
        return sample or Unavailable(SOURCE, f"no battery in {self._root}")


def plugged_in() -> bool | None:
    """Whether the machine draws from the mains; None if the system does not say."""
    # Missing on platforms where psutil has no sensors at all.
    sensors_battery = getattr(psutil, "sensors_battery", None)
    battery = sensors_battery() if sensors_battery is not None else None
    return None if battery is None else battery.power_plugged


def _batteries(folders: list[Path]) -> list[Path]:
    # The scope "Device" is a mouse's or a headset's own battery.
    return [
        it
        for it in folders
        if text_of(it / "type") == "Battery" and text_of(it / "scope") != "Device"
    ]


def _given(folder: Path) -> RawCounter | Unavailable:
    # Minus what is left grows as the battery gives, like any other counter.
    if (folder / "energy_now").exists():
        left_uwh = number_of(folder / "energy_now", SOURCE)
        if isinstance(left_uwh, Unavailable):
            return left_uwh
        return RawCounter(-left_uwh * _UJ_PER_UWH)
    charge_uah = number_of(folder / "charge_now", SOURCE)
    # The design voltage: the present one sags under load and would fake energy.
    voltage_uv = number_of(folder / "voltage_min_design", SOURCE)
    if isinstance(charge_uah, Unavailable):
        return charge_uah
    if isinstance(voltage_uv, Unavailable):
        return voltage_uv
    return RawCounter(-(charge_uah * voltage_uv * _UJ_PER_UWH // 1_000_000))
