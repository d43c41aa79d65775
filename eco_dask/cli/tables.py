"""Tables for people and JSON for programs, from the same rows.

rows ──show_table──► rich table     ──show_json──► one JSON list
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eco_dask.text import clean

#: Columns of a table that goes into a file or a pipe, where nothing may be cut off.
_PIPE_WIDTH = 240
_CELL_CHARS_MAX = 500


def console() -> Console:
    """Return where tables go: standard output, without reading markup into strangers' texts."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
) -> None:
    """Print a table; numbers stand to the right, None is shown as a dash."""
    rows = [list(row) for row in rows]
    table = Table(box=None, title=title, title_justify="left", header_style="bold", pad_edge=False)
    for number, name in enumerate(columns):
        numeric = any(isinstance(row[number], int | float | Points) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    console().print(table)


def show_json(rows: Sequence[Any]) -> None:
    """Print rows as one JSON list."""
    click.echo(json.dumps(rows, indent=2))


class Points:
    """An amount in millipoints, shown in points."""

    def __init__(self, amount_mpt: int) -> None:
        self._amount_mpt = amount_mpt

    def __str__(self) -> str:
        return f"{self._amount_mpt / 1000:,.3f}"


def ago(at_s: float | None, now_s: float) -> str:
    """Say how long ago a time in seconds since 1970 was."""
    if at_s is None:
        return "never"
    past_s = max(0.0, now_s - at_s)
    for unit, size_s in (("d", 86400), ("h", 3600), ("min", 60)):
        if past_s >= size_s:
            return f"{past_s / size_s:.0f} {unit} ago"
    return f"{past_s:.0f} s ago"


def when(at_s: float) -> str:
    """Show a time in seconds since 1970 in the local time zone."""
    return dt.datetime.fromtimestamp(at_s).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}"
    return clean(str(value), _CELL_CHARS_MAX)
