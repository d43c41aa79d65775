"""What a page shows, as plain columns: computed once for all viewers, compared to send changes.

rows ──columns()──► {"name": [...], ...} ──changed()──► only what a viewer has not seen yet
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

#: Columns of equal length, by name.
Columns = Mapping[str, Sequence[Any]]
#: The columns of each part of a page, by the part's key.
PageData = Mapping[str, Columns]

#: Rows that a table shows at most; what is sorted first stays.
ROWS_MAX: Final = 1000


class Rows(dict[str, list[Any]]):
    """Columns that know how many rows were left out."""

    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure of a page's first row."""

    label: str
    value: str
    #: What it means, in a few words.
    hint: str = ""
    #: Something that whoever looks should know: shown in the colour of warnings.
    alarming: bool = False


def columns(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Rows:
    """Turn rows into columns, of no more than ``ROWS_MAX`` rows; the others are counted."""
    coming = iter(rows)
    kept = list(islice(coming, ROWS_MAX))
    if not kept:
        return Rows({name: [] for name in names})
    found = Rows(zip(names, map(list, zip(*kept, strict=True)), strict=True))
    found.left_out = sum(1 for _ in coming)
    return found


def left_out(found: Columns) -> int:
    """Count the rows that are not among those shown."""
    return found.left_out if isinstance(found, Rows) else 0


def tiles(found: Iterable[Tile]) -> Rows:
    """Turn tiles into columns."""
    names = ("label", "value", "hint", "alarming")
    return columns(names, ((t.label, t.value, t.hint, t.alarming) for t in found))


def length(found: Columns) -> int:
    """Count rows."""
    return len(next(iter(found.values()), ()))


def changed(shown: Columns, found: Columns) -> Columns:
    """Return the columns that differ from those shown; all of them if rows came or went."""
    if length(shown) != length(found) or shown.keys() != found.keys():
        return found
    return {name: column for name, column in found.items() if shown[name] != column}
