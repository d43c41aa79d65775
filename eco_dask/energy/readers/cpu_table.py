"""Thermal design power of a CPU by its name, from a shipped table with source and licence per row.

"12th Gen Intel(R) Core(TM) i7-12700H" ─► "intel core i7-12700h" ─► 45 W
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

_NOISE = re.compile(
    r"\((?:r|tm|c)\)|®|™|@.*$|\bw(?:/|ith) .*$|\b\d+(?:st|nd|rd|th) gen\b"
    r"|\b\d+-cores?\b|\b(?:cpu|processor|apu)\b"
)
#: Outside of this a row is a slip of its source.
TDP_RANGE_W = (3.0, 600.0)


@dataclass(frozen=True, slots=True)
class CpuPower:
    """One row of the table."""

    name: str
    #: Watts; not the maximum, which turbo exceeds for a while.
    tdp_w: float
    source: str
    licence: str


def normal_name(name: str) -> str:
    """The form in which CPU names are compared, without what only some systems add.

    Nothing is guessed: two models never become one, and a name that is not in the table stays
    unknown.
    """
    return " ".join(_NOISE.sub(" ", name.lower()).split())


def cpu_power(name: str) -> CpuPower | None:
    """The table's row for a CPU as the system names it; None if it is not in the table."""
    return table().get(normal_name(name))


@cache
def table() -> dict[str, CpuPower]:
    """The shipped table by normal name.

    Raises
    ------
    ValueError
        A row is outside of what a CPU can be: the file was edited by mistake.
    """
    text = resources.files("eco_dask.energy").joinpath("data", "cpu_tdp.csv").read_text()
    rows = {}
    for row in csv.DictReader(text.splitlines()):
        tdp_w = float(row["tdp_w"])
        if not TDP_RANGE_W[0] <= tdp_w <= TDP_RANGE_W[1]:
            raise ValueError(f"cpu_tdp.csv gives {row['name']} {tdp_w} W, outside {TDP_RANGE_W}")
        rows[row["name"]] = CpuPower(row["name"], tdp_w, row["source"], row["licence"])
    return rows
