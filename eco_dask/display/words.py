"""Numbers as people read them, each with its unit; what is unknown is a dash, never 0."""

from __future__ import annotations

import datetime as dt
import math
from typing import TypeGuard

from eco_dask.energy.figures import in_unit

UNKNOWN = "-"
_UJ_PER_WH = 3_600_000_000


def count(number: object) -> str:
    """A whole number."""
    return f"{number:,.0f}" if _is_known(number) else UNKNOWN


def points(amount_mpt: object) -> str:
    """Millipoints, in points."""
    return f"{amount_mpt / 1000:,.3f}" if _is_known(amount_mpt) else UNKNOWN


def energy(amount_uj: object) -> str:
    """Microjoules, in watt-hours."""
    return in_unit(amount_uj / _UJ_PER_WH, "Wh") if _is_known(amount_uj) else UNKNOWN


def grams(amount_g: object) -> str:
    """Grams, of CO2 equivalent."""
    return in_unit(amount_g, "g") if _is_known(amount_g) else UNKNOWN


def ratio(number: object) -> str:
    """Attempts per task and the like."""
    return f"{number:.2f}" if _is_known(number) else UNKNOWN


def chance(probability: object) -> str:
    """A probability that is usually small."""
    return f"{probability:.1e}" if _is_known(probability) else UNKNOWN


def share(part: object, whole: object) -> str:
    """A part of a whole, in percent."""
    if not (_is_known(part) and _is_known(whole) and whole):
        return UNKNOWN
    return f"{100 * part / whole:.0f} %"


def span(time_s: object) -> str:
    """Seconds, in the unit that suits them."""
    if not _is_known(time_s):
        return UNKNOWN
    for unit, size_s in (("d", 86400), ("h", 3600), ("min", 60)):
        if time_s >= 2 * size_s:
            return f"{time_s / size_s:.0f} {unit}"
    return f"{time_s:.0f} s" if time_s >= 10 else f"{time_s:.1f} s"  # noqa: PLR2004  one digit is enough


def clock(at_s: object) -> str:
    """A time since 1970, as the wall clock here shows it."""
    if not _is_known(at_s):
        return UNKNOWN
    return dt.datetime.fromtimestamp(at_s).astimezone().strftime("%H:%M:%S")


def _is_known(number: object) -> TypeGuard[float]:
    return type(number) in (int, float) and math.isfinite(number)  # type: ignore[arg-type]
