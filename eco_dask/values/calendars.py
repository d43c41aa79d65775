"""Dates of cftime, in the calendars of climate models, field by field.

cftime.DatetimeNoLeap(2000, 3, 1) ──► class, year ... microsecond, calendar ──► the same
"""

from __future__ import annotations

from typing import Any

import cftime

from eco_dask.values.stream import Get, Put, Reader, Writer

_FIELDS = ("year", "month", "day", "hour", "minute", "second", "microsecond")
_CLASSES: dict[bytes, Any] = {
    f"cftime.{name}".encode(): getattr(cftime, name)
    for name in (
        "datetime",
        "Datetime360Day",
        "DatetimeAllLeap",
        "DatetimeGregorian",
        "DatetimeJulian",
        "DatetimeNoLeap",
        "DatetimeProlepticGregorian",
    )
}
_TAGS = {cls: tag for tag, cls in _CLASSES.items()}


def _put_date(w: Writer, date: Any) -> None:
    w.tokens.append(_TAGS[type(date)])
    w.tokens += (getattr(date, field) for field in _FIELDS)
    w.tokens += (date.calendar, date.has_year_zero)


def _getter(cls: Any) -> Get:
    def get(r: Reader) -> Any:
        fields = [r.expect(int) for _ in _FIELDS]
        calendar, has_year_zero = r.expect(str), r.expect(bool)
        return cls(*fields, calendar=calendar, has_year_zero=has_year_zero)

    return get


GETTERS: dict[bytes, Get] = {tag: _getter(cls) for tag, cls in _CLASSES.items()}


def find_putter(cls: type) -> Put | None:
    """Return how to put a value of a class of cftime, or None."""
    return _put_date if cls in _TAGS else None
