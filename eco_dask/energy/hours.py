"""When to work: owners' hours by clock, tariff and carbon, and when a job that can wait starts.

OwnerHours + now ─► may_work ─► Open | Closed(reason, until)
forecast + deadline + estimate ─► when_to_start ─► Start
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_HOUR_S = 3600.0
_DAY_S = 86_400.0
_WEEK_DAYS = 7
#: 1 January 1970 was a Thursday; Monday is 0.
_EPOCH_WEEKDAY = 3
_HOURS_PER_DAY = 24.0


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of some days of the week in the owner's time; past midnight if the end is smaller."""

    #: Monday is 0.
    days: frozenset[int]
    begins_h: float
    ends_h: float

    def __post_init__(self) -> None:
        hours = (self.begins_h, self.ends_h)
        if not self.days <= frozenset(range(_WEEK_DAYS)) or not self.days:
            raise ValueError(f"days are some of 0 (Monday) to 6; got {sorted(self.days)}")
        if not all(0 <= hour <= _HOURS_PER_DAY for hour in hours) or hours[0] == hours[1]:
            raise ValueError(f"hours are two different ones from 0 to 24; got {hours}")

    def holds(self, day: int, hour: float) -> bool:
        """Whether a weekday and hour lie inside; the end does not."""
        if self.begins_h < self.ends_h:
            return day in self.days and self.begins_h <= hour < self.ends_h
        before = (day - 1) % _WEEK_DAYS
        return (day in self.days and hour >= self.begins_h) or (
            before in self.days and hour < self.ends_h
        )


@dataclass(frozen=True, slots=True)
class OwnerHours:
    """When an owner lets a machine work; without limits, always."""

    #: Any of them, such as the hours of a cheap tariff; always if empty.
    windows: tuple[Window, ...] = ()
    #: Only while the grid is below, g CO2e per kWh.
    g_per_kwh_max: float | None = None
    #: Of the owner's clock from UTC, seconds; summer time is the caller's to add.
    utc_offset_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Open:
    """The machine may work now."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The machine may not work now."""

    reason: str
    #: Next opening by the clock; None if nothing tells.
    until_s: float | None


def may_work(hours: OwnerHours, now_s: float, g_per_kwh: float | None = None) -> Open | Closed:
    """Say whether a machine may work at ``now_s`` (seconds since 1970, UTC).

    An owner who set a carbon limit is not overruled where the intensity is unknown.
    """
    if hours.windows and not _in_windows(hours, now_s):
        return Closed("outside of the owner's hours", _next_opening(hours, now_s))
    if hours.g_per_kwh_max is not None:
        if g_per_kwh is None:
            return Closed("the owner set a carbon limit and the grid's intensity is unknown", None)
        if g_per_kwh > hours.g_per_kwh_max:
            over = f"the grid is at {g_per_kwh:.0f} g/kWh, over the owner's {hours.g_per_kwh_max:g}"
            return Closed(over, None)
    return Open()


@dataclass(frozen=True, slots=True)
class HourForecast:
    """What an hour costs, in any unit that is less where better: g CO2e or money per kWh."""

    begins_s: float
    cost: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.begins_s) or not math.isfinite(self.cost):
            raise ValueError(f"a forecast is finite; got {self}")


@dataclass(frozen=True, slots=True)
class Wish:
    """A job that can wait."""

    deadline_s: float
    #: How long it is expected to run, seconds.
    work_s: float
    #: Kept free before the deadline, as a share of the work: estimates err.
    slack_share: float = 0.5

    def __post_init__(self) -> None:
        if self.work_s <= 0 or self.slack_share < 0:
            raise ValueError(f"work is > 0 and slack >= 0; got {self}")

    @property
    def latest_s(self) -> float:
        """When it has to start."""
        return self.deadline_s - self.work_s * (1 + self.slack_share)


@dataclass(frozen=True, slots=True)
class Start:
    """When to start, and why then."""

    at_s: float
    reason: str
    #: Mean cost over the run then and if it began now; None where the forecast does not reach.
    cost: float | None = None
    cost_now: float | None = None


def when_to_start(now_s: float, wish: Wish, forecast: Sequence[HourForecast]) -> Start:
    """Choose the start with the least mean cost that keeps the deadline; the earliest of equals.

    Starts worth a look are now, and those where the run begins or ends with an hour of the
    forecast, or as late as may be: the mean cost is straight in between. Runs that the forecast
    does not cover whole are not considered: unknown hours are no better ones.
    """
    if wish.latest_s <= now_s:
        return Start(now_s, "the deadline leaves no time to wait")
    edges = {it.begins_s for it in forecast} | {it.begins_s + _HOUR_S for it in forecast}
    starts = {now_s, wish.latest_s, *edges, *(edge - wish.work_s for edge in edges)}
    costs = {
        at_s: cost
        for at_s in sorted(starts)
        if now_s <= at_s <= wish.latest_s
        and (cost := _mean_cost(at_s, wish.work_s, forecast)) is not None
    }
    cost_now = costs.get(now_s)
    if cost_now is None:
        return Start(now_s, "no forecast covers the run if it begins now")
    best_s = min(costs, key=lambda it: (costs[it], it))
    if costs[best_s] >= cost_now:
        return Start(now_s, "no later hour is better", cost_now, cost_now)
    return Start(best_s, "later hours are better", costs[best_s], cost_now)


def _mean_cost(at_s: float, work_s: float, forecast: Sequence[HourForecast]) -> float | None:
    covered_s = cost = 0.0
    for hour in forecast:
        overlap_s = min(at_s + work_s, hour.begins_s + _HOUR_S) - max(at_s, hour.begins_s)
        if overlap_s > 0:
            covered_s += overlap_s
            cost += hour.cost * overlap_s
    # Sums of parts of hours miss the whole by rounding only.
    return cost / work_s if math.isclose(covered_s, work_s, rel_tol=1e-9) else None


def _in_windows(hours: OwnerHours, at_s: float) -> bool:
    days, second = divmod(at_s + hours.utc_offset_s, _DAY_S)
    day = (int(days) + _EPOCH_WEEKDAY) % _WEEK_DAYS
    return any(window.holds(day, second / _HOUR_S) for window in hours.windows)


def _next_opening(hours: OwnerHours, now_s: float) -> float:
    """First second from now at which a window begins; within a week there is always one."""
    midnight_s = (now_s + hours.utc_offset_s) // _DAY_S * _DAY_S - hours.utc_offset_s
    starts = (
        midnight_s + day * _DAY_S + window.begins_h * _HOUR_S
        for window in hours.windows
        for day in range(-1, _WEEK_DAYS + 1)
    )
    return min(it for it in starts if it > now_s and _in_windows(hours, it))
