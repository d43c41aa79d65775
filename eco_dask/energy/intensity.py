"""How much CO2e a kilowatt-hour stands for, by the place that the owner declares.

    zone ─► static_table().intensity(zone) ─► Intensity(low, central, high, year, source, warning)

The place is never guessed, least of all from a network address.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from eco_dask.energy.data_files import in_range, rows

#: The zone that stands in for an unknown one.
WORLD = "WLD"
#: An annual average against the hours in which work was done, and years passed since; judgement.
ANNUAL_SPREAD = 1.2
#: g CO2e per kWh: life cycles of hydropower and of lignite lie inside.
_RANGE_G_PER_KWH = (1.0, 1500.0)
_TAIL = 20  # the range of the world value leaves out a twentieth of the countries on each side


@dataclass(frozen=True, slots=True)
class Intensity:
    """Carbon intensity of electricity at one place, in g CO2e per kWh."""

    #: ISO 3166-1 alpha-3 of a country, ``WLD``, or a provider's own zone.
    zone: str
    low: float
    central: float
    high: float
    #: Of the value: a year, or a time stamp of a live one.
    when: str
    #: Such as "annual country average, life cycle".
    basis: str
    source: str
    #: What is to be shown beside every figure that rests on this one; empty if nothing.
    warning: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.central <= self.high < math.inf:
            raise ValueError(f"need 0 <= low <= central <= high, finite; got {self}")


class CarbonIntensityProvider(Protocol):
    """Tells the intensity of a zone; asked at the coordinator only."""

    def intensity(self, zone: str) -> Intensity:
        """The value to use now, stamped with its zone, time and source."""
        ...


@dataclass(frozen=True, slots=True)
class IntensityTable:
    """Values by zone; a zone that is not there gets the world's, with a warning."""

    values: Mapping[str, Intensity]
    world: Intensity

    def intensity(self, zone: str) -> Intensity:
        """The zone's value, or the world's with a warning."""
        found = self.values.get(zone.strip().upper())
        if found is not None:
            return found
        what = f"unknown zone {zone!r}" if zone.strip() else "the owner declared no country"
        warning = f"{what}: the world average is used; declare a code such as FRA or IND"
        it = self.world
        return Intensity(
            it.zone, it.low, it.central, it.high, it.when, it.basis, it.source, warning
        )


@cache
def static_table() -> IntensityTable:
    """The shipped table of annual country averages."""
    values = {
        row["zone"]: _annual(
            row["zone"], row["g_per_kwh"], row["year"], row["basis"], row["source"]
        )
        for row in rows("intensity.csv")
    }
    mean = values.pop(WORLD)
    ranked = sorted(it.central for it in values.values())
    tail = len(ranked) // _TAIL
    world = Intensity(
        WORLD, ranked[tail], mean.central, ranked[-1 - tail], mean.when, mean.basis, mean.source
    )
    return IntensityTable({**values, WORLD: world}, world)


def known_intensity(zone: str) -> float | None:
    """The shipped annual average of a zone, g CO2e per kWh; None if it has none."""
    found = static_table().intensity(zone)
    return None if found.warning else found.central


def json_file(text: str) -> IntensityTable:
    """The operator's own table: ``{"FRA": {"g_per_kwh": 50, "year": 2025, "source": "..."}}``.

    Zones that it lacks fall to the world's value of the shipped table.

    Raises
    ------
    ValueError
        It is no such object; the message names the zone.
    """
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("an intensity file holds one object of zones")  # noqa: TRY004  its text, not a type, is wrong
    values = {}
    for zone, row in document.items():
        if not isinstance(row, dict) or not {"g_per_kwh", "year", "source"} <= row.keys():
            raise ValueError(f"zone {zone!r} needs g_per_kwh, year and source; got {row!r}")
        basis = str(row.get("basis", "declared by the operator"))
        name = zone.upper()
        values[name] = _annual(name, row["g_per_kwh"], str(row["year"]), basis, str(row["source"]))
    return IntensityTable(values, static_table().world)


def _annual(zone: str, g_per_kwh: object, year: str, basis: str, source: str) -> Intensity:
    central = in_range(g_per_kwh, *_RANGE_G_PER_KWH, f"the intensity of {zone} in g/kWh")
    return Intensity(
        zone, central / ANNUAL_SPREAD, central, central * ANNUAL_SPREAD, year, basis, source
    )
