"""The owner's hours as people write them.

"Mon-Fri 22:00-06:00", "Sat,Sun", "08:00-12:00" ──► Window
"""

from __future__ import annotations

from collections.abc import Iterable

from eco_dask.energy.hours import OwnerHours, Window
from eco_dask.errors import ConfigurationError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTES = 60
_DAY_H = 24.0


def parse_hours(texts: Iterable[str]) -> OwnerHours:
    """Read windows, of which any one suffices.

    Raises
    ------
    ConfigurationError
        If one is no days, hours or both.
    """
    return OwnerHours(tuple(_window(text) for text in texts))


def _window(text: str) -> Window:
    words = text.split()
    try:
        if not words:
            raise ValueError("nothing")
        days = frozenset(range(len(_DAYS)))
        if words and words[0][0].isalpha():
            days = frozenset(day for part in words.pop(0).split(",") for day in _days(part))
        begins_h, ends_h = _hours(words.pop(0)) if words else (0.0, _DAY_H)
        if words:
            raise ValueError(f"{words[0]!r} is left over")
        return Window(days, begins_h, ends_h)
    except (ValueError, IndexError) as error:
        raise ConfigurationError(
            f"hours are written such as 'Mon-Fri 22:00-06:00', 'Sat,Sun' or '08:00-12:00'; "
            f"got {text!r}: {error}"
        ) from error


def _days(part: str) -> Iterable[int]:
    first, _, last = part.partition("-")
    begin = _day(first)
    end = _day(last) if last else begin
    return ((begin + n) % len(_DAYS) for n in range((end - begin) % len(_DAYS) + 1))


def _day(name: str) -> int:
    short = name.strip().casefold()[:3]
    if short not in _DAYS:
        raise ValueError(f"{name!r} is no day of the week")
    return _DAYS.index(short)


def _hours(part: str) -> tuple[float, float]:
    begin, dash, end = part.partition("-")
    if not dash:
        raise ValueError(f"{part!r} has no end")
    return _hour(begin), _hour(end)


def _hour(text: str) -> float:
    hour, _, minute = text.partition(":")
    value = int(hour) + int(minute or 0) / _MINUTES
    if not (0 <= value <= _DAY_H and 0 <= int(minute or 0) < _MINUTES):
        raise ValueError(f"{text!r} is no time of day")
    return value
