"""Keeps one accumulator per device of a reader, through hot-plug and failed samples.

{device: raw value | Unavailable} + Moment ─► Bank.take ─► {device: Reading | Unavailable}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from eco_dask.energy.readers.monotone import Accumulator, Moment
from eco_dask.energy.reading import Reading, Tier, Unavailable

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Meter(Generic[ValueT]):
    """What the readings of a bank have in common."""

    source: str
    tier: Tier
    #: Makes the accumulator of a device that was not seen before.
    accumulator: Callable[[], Accumulator[ValueT]]
    #: A counter that stands still for longer is broken, not idle; None if it may. Seconds.
    still_max_s: float | None = None


class Bank(Generic[ValueT]):
    """The accumulators of one reader."""

    def __init__(self, meter: Meter[ValueT]) -> None:
        self._meter = meter
        self._accumulators: dict[str, Accumulator[ValueT]] = {}

    def take(
        self, values: Mapping[str, ValueT | Unavailable], now: Moment
    ) -> dict[str, Reading | Unavailable]:
        """Turn one round of raw values into readings.

        A device whose value is Unavailable keeps its place: its counter ran on, and the next good
        sample brings what was used meanwhile. A device that is missing was unplugged: if it
        returns, it begins a new epoch.
        """
        sample: dict[str, Reading | Unavailable] = {}
        for device in self._accumulators.keys() - values.keys():
            self._accumulators[device].interrupt()
            sample[device] = Unavailable(
                self._meter.source, f"{device} was there and is gone: unplugged or driver unloaded"
            )
        for device, value in values.items():
            if isinstance(value, Unavailable):
                sample[device] = value
            else:
                sample[device] = self._advance(device, value, now)
        return dict(sorted(sample.items()))

    def _advance(self, device: str, value: ValueT, now: Moment) -> Reading | Unavailable:
        meter = self._meter
        if device not in self._accumulators:
            self._accumulators[device] = meter.accumulator()
        level = self._accumulators[device].advance(value, now)
        still_s = now.at_s - level.moved_at_s
        if meter.still_max_s is not None and still_s > meter.still_max_s:
            return Unavailable(
                meter.source,
                f"the counter of {device} stands still for {still_s:.1f} s: "
                "a virtual machine or its driver does not pass it on",
            )
        return Reading(device, level.energy_uj, now.at_s, meter.source, meter.tier, level.epoch)
