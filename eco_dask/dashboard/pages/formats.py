"""Numbers as people read them: always with a unit, a dash where nothing is known.

amount_mpt, energy_uj, left_s ──► "1.24 points", "3.1 Wh", "2 min"
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import Final

from eco_dask.energy.figures import in_unit
from eco_dask.text import clean

#: What stands where a figure is unknown.
UNKNOWN: Final = "–"  # noqa: RUF001  a dash, as in a table on paper
_UJ_PER_WH: Final = 3_600_000_000
_LABEL_CHARS_MAX: Final = 40
_MILLI: Final = 1000
_SPANS: Final = (("d", 86400), ("h", 3600), ("min", 60))


@lru_cache(maxsize=8192)  # the same names come with every snapshot
def label(text: str, chars_max: int = _LABEL_CHARS_MAX) -> str:
    """Return a stranger's name, fit to be shown: bounded, printable, and no formula.

    Bokeh typesets what stands between two ``$$``, links included, so none is left in a name.
    """
    shown = clean(text, 10 * chars_max)
    shown = re.sub(r"\$(?=\$)", "$ ", shown)
    for opening in (r"\(", r"\["):
        shown = shown.replace(opening, f"\\ {opening[-1]}")
    shown = " ".join(shown.split())
    return shown if len(shown) <= chars_max else f"{shown[: chars_max - 1]}…"


def unique(labels: list[str]) -> list[str]:
    """Tell equal labels apart by a number: an axis shows each of its labels once."""
    seen: dict[str, int] = {}
    found = []
    for each in labels:
        seen[each] = seen.get(each, 0) + 1
        found.append(each if seen[each] == 1 else f"{each} ({seen[each]})")
    # "a", "a", "a (2)": the second of them took the third one's name.
    return found if len(set(found)) == len(found) else unique(found)


def count(number: float | None) -> str:
    """Return a whole number with its thousands apart."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def ratio(number: float | None, digits: int = 2) -> str:
    """Return a number without a unit, such as attempts per task."""
    return UNKNOWN if number is None else f"{number:,.{digits}f}"


def share(part: float | None, whole: float | None) -> str:
    """Return a part of a whole in percent."""
    if part is None or not whole:
        return UNKNOWN
    return f"{100 * part / whole:.1f} %"


def points(amount_mpt: float | None) -> str:
    """Return millipoints as points."""
    return UNKNOWN if amount_mpt is None else f"{amount_mpt / _MILLI:,.3f}"


def in_points(amount_mpt: float | None) -> float | None:
    """Return millipoints as points, for a column of numbers."""
    return None if amount_mpt is None else amount_mpt / _MILLI


def watt_hours(energy_uj: int | None) -> str:
    """Return microjoules as watt-hours with a fitting prefix."""
    return UNKNOWN if energy_uj is None else in_unit(energy_uj / _UJ_PER_WH, "Wh")


def in_watt_hours(energy_uj: int | None) -> float | None:
    """Return microjoules as watt-hours, for a column of numbers."""
    return None if energy_uj is None else energy_uj / _UJ_PER_WH


def grams(mass_g: float | None) -> str:
    """Return a mass of CO2e with a fitting prefix."""
    return UNKNOWN if mass_g is None else in_unit(mass_g, "g")


def chance(probability: float | None) -> str:
    """Return the probability of an error."""
    return UNKNOWN if probability is None else f"{probability:.1e}"


def span(duration_s: float | None) -> str:
    """Return a duration in its largest unit and the next one."""
    if duration_s is None:
        return UNKNOWN
    rest = max(0.0, duration_s)
    parts: list[str] = []
    for unit, size_s in _SPANS:
        if rest >= size_s or parts:
            parts.append(f"{int(rest // size_s)} {unit}")
            rest %= size_s
    return " ".join(parts[:2]) or f"{rest:.0f} s"


def clock(at_s: float | None) -> str:
    """Return a time in seconds since 1970 in UTC, as viewers may be anywhere."""
    if at_s is None:
        return UNKNOWN
    return dt.datetime.fromtimestamp(at_s, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
