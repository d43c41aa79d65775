"""Dates, times and time zones, field by field."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Any

from eco_dask.errors import ValueCodecError
from eco_dask.values.stream import Get, Put, Reader, Writer

#: What a zone of the IANA database is called; nothing that could climb out of its folder.
_ZONE_KEY = re.compile(r"[A-Za-z0-9_+\-]{1,32}(/[A-Za-z0-9_+\-]{1,32}){0,3}")
#: An offset from UTC, as Arrow writes it.
_ZONE_OFFSET = re.compile(r"[+\-][0-9]{2}:[0-9]{2}")


def put_zone(w: Writer, zone: tzinfo | None) -> None:
    """Append None, a fixed offset, or the key of a zoneinfo zone."""
    if zone is None:
        w.tokens.append(None)
    elif type(zone) is timezone:
        initial: tuple[Any, ...] = zone.__getinitargs__()  # type: ignore[attr-defined]
        w.tokens += (b"zone", None if len(initial) == 1 else initial[1])
        _put_timedelta(w, initial[0])
    elif _is_zoneinfo(zone):
        w.tokens.append(zone.key)  # type: ignore[attr-defined]
    else:
        cls = type(zone)
        raise ValueCodecError(
            f"a time zone of type {cls.__module__}.{cls.__qualname__} has no safe encoding; "
            f"convert it to a zoneinfo.ZoneInfo of the IANA database or to a datetime.timezone"
        )


def _is_zoneinfo(zone: tzinfo) -> bool:
    cls = type(zone)
    if cls.__module__ != "zoneinfo" or cls.__qualname__ != "ZoneInfo":
        return False
    return isinstance(zone.key, str)  # type: ignore[attr-defined]


def is_zone_name(name: str) -> bool:
    """Whether a text is the key of a zone or an offset such as "+05:30"."""
    return bool(_ZONE_KEY.fullmatch(name) or _ZONE_OFFSET.fullmatch(name))


def get_zone(r: Reader) -> tzinfo | None:
    """Return what :func:`put_zone` put."""
    token = r.token()
    if token is None:
        return None
    if token == b"zone":
        name = r.expect(str, type(None))
        offset = r.typed(timedelta)
        return timezone(offset) if name is None else timezone(offset, name)
    if type(token) is not str or not _ZONE_KEY.fullmatch(token):
        raise ValueCodecError(f"{token!r:.80} is no time zone")
    from zoneinfo import ZoneInfo

    return ZoneInfo(token)


def _put_datetime(w: Writer, at: datetime) -> None:
    w.tokens += (b"datetime", at.year, at.month, at.day, at.hour, at.minute, at.second)
    w.tokens += (at.microsecond, at.fold)
    put_zone(w, at.tzinfo)


def _get_datetime(r: Reader) -> datetime:
    *fields, fold = (r.expect(int) for _ in range(8))
    zone_free = datetime(*fields)  # noqa: DTZ001  the zone comes next
    return zone_free.replace(fold=fold, tzinfo=get_zone(r))


def _put_date(w: Writer, day: date) -> None:
    w.tokens += (b"date", day.year, day.month, day.day)


def _get_date(r: Reader) -> date:
    return date(r.expect(int), r.expect(int), r.expect(int))


def _put_time(w: Writer, at: time) -> None:
    w.tokens += (b"time", at.hour, at.minute, at.second, at.microsecond, at.fold)
    put_zone(w, at.tzinfo)


def _get_time(r: Reader) -> time:
    *fields, fold = (r.expect(int) for _ in range(5))
    return time(*fields).replace(fold=fold, tzinfo=get_zone(r))


def _put_timedelta(w: Writer, span: timedelta) -> None:
    w.tokens += (b"timedelta", span.days, span.seconds, span.microseconds)


def _get_timedelta(r: Reader) -> timedelta:
    return timedelta(r.expect(int), r.expect(int), r.expect(int))


PUTTERS: dict[type, Put] = {
    datetime: _put_datetime,
    date: _put_date,
    time: _put_time,
    timedelta: _put_timedelta,
}
TYPES: dict[bytes, type] = {
    b"datetime": datetime,
    b"date": date,
    b"time": time,
    b"timedelta": timedelta,
}
GETTERS: dict[bytes, Get] = {
    b"datetime": _get_datetime,
    b"date": _get_date,
    b"time": _get_time,
    b"timedelta": _get_timedelta,
}
