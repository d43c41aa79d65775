"""Reads the tables that come with the package; the only module of the accounting that does.

rows("cloud.json", "families") ─► [{"name": ..., "source": ..., "year": ..., "licence": ...}, ...]
"""

from __future__ import annotations

import csv
import json
from functools import cache
from importlib import resources
from typing import Any

#: Without them a figure cannot be defended, so a row that lacks one is refused.
PROVENANCE = ("source", "year", "licence")


@cache
def rows(file: str, table: str = "") -> tuple[dict[str, Any], ...]:
    """Rows of a packaged table; of a JSON file, those of one of its lists.

    Raises
    ------
    ValueError
        A row does not name its source, year and licence: the file was edited by mistake.
    """
    text = resources.files("eco_dask.energy").joinpath("data", file).read_text(encoding="utf-8")
    found: list[dict[str, Any]] = (
        list(csv.DictReader(text.splitlines()))
        if file.endswith(".csv")
        else json.loads(text)[table]
    )
    for row in found:
        missing = [name for name in PROVENANCE if not row.get(name)]
        if missing:
            raise ValueError(f"a row of {file} lacks {', '.join(missing)}: {row}")
    return tuple(found)


def named(file: str, table: str, name: str) -> dict[str, Any]:
    """The row of that name.

    Raises
    ------
    ValueError
        There is none; the message lists the names.
    """
    for row in rows(file, table):
        if row["name"] == name:
            return row
    known = ", ".join(row["name"] for row in rows(file, table))
    raise ValueError(f"{file} has no {table} named {name!r}; it has {known}")


def in_range(value: Any, low: float, high: float, what: str) -> float:
    """Return a number of a table if it can be true.

    Raises
    ------
    ValueError
        It is outside of ``low`` to ``high``, as bad rows of well-known tables are.
    """
    number = float(value)
    if not low <= number <= high:
        raise ValueError(f"{what} is {number:g}, outside of what can be, {low:g} to {high:g}")
    return number
