"""Jobs that can wait: until when, and the wait itself, by a clock that is passed in.

deadline=, lasts= ──Deferral──► eco_start at the scheduler ──► Start ──pauses──► seconds to sleep
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dask.utils import parse_timedelta

from eco_dask.energy.hours import Start
from eco_dask.errors import ConfigurationError

#: Of the time to the deadline, what a job is taken to run if nobody says.
_LASTS_SHARE = 0.25
#: A long sleep is cut up: the machine may be suspended meanwhile.
_PAUSE_S_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Deferral:
    """When results are needed, and how long the job runs; seconds."""

    within_s: float
    lasts_s: float

    def __post_init__(self) -> None:
        if not 0 < self.lasts_s <= self.within_s:
            raise ConfigurationError(
                f"deadline= is {self.within_s:g} s away and lasts= {self.lasts_s:g} s: the job "
                "has to fit before its deadline, and to last longer than nothing"
            )


def deferral_of(deadline: float | str | None, lasts: float | str | None) -> Deferral | None:
    """Read what a recruiter says; None without a deadline.

    Raises
    ------
    ConfigurationError
        It is no duration, or the job does not fit.
    """
    if deadline is None:
        if lasts is not None:
            raise ConfigurationError(f"lasts= goes with deadline=; got {lasts!r} alone")
        return None
    within_s = _seconds("deadline", deadline)
    return Deferral(
        within_s, within_s * _LASTS_SHARE if lasts is None else _seconds("lasts", lasts)
    )


def start_from_plain(found: Any) -> Start:
    """Read what the scheduler answers."""
    return Start(found["at_s"], found["reason"], found["cost"], found["cost_now"])


def pause_s(start: Start, now_s: float) -> float:
    """How long to sleep next; 0 once the start has come."""
    return min(max(0.0, start.at_s - now_s), _PAUSE_S_MAX)


def _seconds(name: str, value: float | str) -> float:
    try:
        return float(parse_timedelta(value) if isinstance(value, str) else value)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ConfigurationError(
            f"{name}= is a number of seconds, or such as '6 h'; got {value!r}"
        ) from error
