"""Turns what hardware reports into energy that only grows, and marks where nothing is known.

    raw counter or watts + Moment ─► Accumulator.advance ─► Level(energy_uj, epoch)

Pure: the clock is passed in. A wrap is energy; a reset, a jump backwards, a long silence and a new
boot are gaps, which add nothing and begin a new epoch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, TypeVar

ValueT_contra = TypeVar("ValueT_contra", contravariant=True)

#: A silence longer than this is a gap: the machine slept, or the sampler stood still.
GAP_MAX_S = 10.0


@dataclass(frozen=True, slots=True)
class Moment:
    """When a value was read."""

    #: Seconds on a clock that counts suspended time and never steps back.
    at_s: float
    #: Differs after every start of the machine; empty where the system has none.
    boot_id: str = ""


@dataclass(frozen=True, slots=True)
class CounterRule:
    """What a counter of one kind can honestly do."""

    #: More than this for long is no energy but a broken counter.
    watts_max: float
    #: Counters move in steps: one step late is no excess. Seconds.
    step_s: float = 0.5
    gap_max_s: float = GAP_MAX_S


@dataclass(frozen=True, slots=True)
class RawCounter:
    """A cumulative hardware counter as read."""

    raw_uj: int
    #: What is added when it wraps, in microjoules; None if it never wraps.
    range_uj: int | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """Where an accumulator stands."""

    energy_uj: int
    #: Rises by one at each gap.
    epoch: int
    #: When the energy last grew or an epoch began, in seconds.
    moved_at_s: float


class Accumulator(Protocol[ValueT_contra]):
    """Keeps the energy of one device."""

    def advance(self, value: ValueT_contra, now: Moment) -> Level:
        """Take the next value in; return where the energy stands."""
        ...

    def interrupt(self) -> None:
        """Forget the last value: the device was away, and what it used is not known."""
        ...


class MonotoneCounter:
    """The energy behind a counter that wraps, resets, steps back and sleeps.

    Parameters
    ----------
    rule : CounterRule
        What is believable for this counter.
    """

    def __init__(self, rule: CounterRule) -> None:
        self._rule = rule
        self._last: tuple[RawCounter, Moment] | None = None
        self._level: Level | None = None

    def advance(self, value: RawCounter, now: Moment) -> Level:
        """Take the counter's next value in.

        Two values at the same instant change nothing: the later one is counted with the next.
        """
        if self._last is None or self._level is None:
            return self._begin(value, now)
        raw, then = self._last
        if now == then:
            return self._level
        used_uj = self._used_uj(raw, then, value, now)
        if used_uj is None:
            return self._begin(value, now)
        moved_at_s = now.at_s if used_uj else self._level.moved_at_s
        self._last = (value, now)
        self._level = Level(self._level.energy_uj + used_uj, self._level.epoch, moved_at_s)
        return self._level

    def interrupt(self) -> None:
        """Forget the last value, so that the next one begins a new epoch."""
        self._last = None

    def _begin(self, value: RawCounter, now: Moment) -> Level:
        self._last = (value, now)
        self._level = next_epoch(self._level, now)
        return self._level

    def _used_uj(
        self, last: RawCounter, then: Moment, value: RawCounter, now: Moment
    ) -> int | None:
        elapsed_s = now.at_s - then.at_s
        if is_gap(then, now, self._rule.gap_max_s):
            return None
        used_uj = value.raw_uj - last.raw_uj
        if used_uj < 0 and value.range_uj is not None:
            used_uj += value.range_uj
        # A counter that was reset, or stepped back a little, looks like a wrap of nearly its whole
        # range; no device draws that much in the time.
        believable_uj = self._rule.watts_max * (elapsed_s + self._rule.step_s) * 1e6
        return used_uj if 0 <= used_uj <= believable_uj else None


class PowerIntegral:
    """The energy under sampled power, by the trapezoid rule.

    Parameters
    ----------
    gap_max_s : float
        Samples further apart than this bound no area: it is a gap.
    """

    def __init__(self, gap_max_s: float = GAP_MAX_S) -> None:
        self._gap_max_s = gap_max_s
        self._last: tuple[float, Moment] | None = None
        self._level: Level | None = None
        self._rest_uj = 0.0

    def advance(self, value: float, now: Moment) -> Level:
        """Take a power sample in.

        Parameters
        ----------
        value : float
            Watts, finite and not negative.
        now : Moment
            When it was drawn.

        Raises
        ------
        ValueError
            It is no power.
        """
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"power is a finite number of watts >= 0, not {value!r}")
        if self._last is None or self._level is None or is_gap(self._last[1], now, self._gap_max_s):
            self._level = next_epoch(self._level, now)
        else:
            watts, then = self._last
            area_uj = (watts + value) / 2 * (now.at_s - then.at_s) * 1e6 + self._rest_uj
            whole_uj = int(area_uj)
            self._rest_uj = area_uj - whole_uj
            moved_at_s = now.at_s if whole_uj else self._level.moved_at_s
            self._level = Level(self._level.energy_uj + whole_uj, self._level.epoch, moved_at_s)
        self._last = (value, now)
        return self._level

    def interrupt(self) -> None:
        """Forget the last sample, so that the next one begins a new epoch."""
        self._last = None


def is_gap(then: Moment, now: Moment, gap_max_s: float) -> bool:
    """Whether what was used between two moments cannot be known."""
    return now.boot_id != then.boot_id or not 0 <= now.at_s - then.at_s <= gap_max_s


def next_epoch(level: Level | None, now: Moment) -> Level:
    """The level after a gap, or the very first one: same energy, nothing added."""
    if level is None:
        return Level(0, 0, now.at_s)
    return Level(level.energy_uj, level.epoch + 1, now.at_s)
