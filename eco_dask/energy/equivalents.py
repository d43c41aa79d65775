"""Figures in terms of everyday things, from one sourced table; off unless somebody asks.

EnergyFigures + name ─► "as much as 12 hours of a 10 W LED lamp"
"""

from __future__ import annotations

from dataclasses import dataclass

from eco_dask.energy.data_files import in_range, named, rows
from eco_dask.energy.figures import EnergyFigures

_WH_PER_KWH = 1000


@dataclass(frozen=True, slots=True)
class Equivalent:
    """An amount of an everyday thing, with where its size comes from."""

    amount: float
    text: str
    source: str


def names() -> tuple[str, ...]:
    """What may be asked for."""
    return tuple(row["name"] for row in rows("equivalents.json", "equivalents"))


def equivalent(figures: EnergyFigures, name: str) -> Equivalent:
    """Say what the reserved energy, or its central CO2e, is as much as.

    Raises
    ------
    ValueError
        There is no such equivalent; the message lists them.
    """
    row = named("equivalents.json", "equivalents", name)
    per_one = in_range(row["per_one"], 1e-4, 1e4, f"one {name} in {row['unit']}")
    match row["unit"]:
        case "kWh":
            amount = figures.wh / _WH_PER_KWH / per_one
        case "gCO2e":
            amount = figures.gco2e[1] / per_one
        case unit:
            raise ValueError(f"{name} has the unit {unit!r}; known are kWh and gCO2e")
    shown = f"{float(f'{amount:.2g}'):g}"
    thing = row["one"] if shown == "1" else row["many"]
    return Equivalent(amount, f"about as much as {shown} {thing}", row["source"])
