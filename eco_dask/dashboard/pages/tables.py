"""Tables: sortable, scrolling beyond a dozen rows, and in the page's colours.

columns ──show()──► Bokeh's DataTable
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from bokeh.models import (
    CellFormatter,
    DataTable,
    Div,
    NumberFormatter,
    ScientificFormatter,
    StringFormatter,
    TableColumn,
    UIElement,
)
from bokeh.models import Column as Stack

from eco_dask.dashboard.pages.columns import Columns, left_out, length
from eco_dask.dashboard.pages.formats import UNKNOWN
from eco_dask.dashboard.pages.parts import Card, Part

Kind = Literal["text", "count", "number", "points", "chance", "wh", "grams", "percent"]

_FORMATS: Final[dict[str, str]] = {
    "count": "0,0",
    "number": "0,0.00",
    "points": "0,0.000",
    "wh": "0,0.0000",
    "grams": "0,0.000",
    "percent": "0.0%",
}
_ROW_PX: Final = 27
_HEADER_PX: Final = 40
_ROWS_SEEN: Final = 12
_CSS: Final = """
:host { font-size: 13px; color: var(--eco-text); }
.bk-data-table { z-index: 0; }
.bk-data-table, .slick-viewport, .grid-canvas { background: var(--eco-card) !important; }
.slick-row, .slick-cell { background: var(--eco-card) !important; border-color: transparent;
  color: var(--eco-text) !important; }
.slick-row .slick-cell { border: 0; border-bottom: 1px solid var(--eco-line); padding: 4px 8px; }
.slick-row:hover .slick-cell, .slick-cell.selected { background: var(--eco-hover) !important; }
.slick-header, .slick-header-columns, .slick-header-column { background: var(--eco-card) !important;
  border: 0 !important; color: var(--eco-dim) !important; }
.slick-header-columns { border-bottom: 2px solid var(--eco-line) !important; }
.slick-header-column { height: 30px !important; padding: 4px 8px !important; line-height: 1.15;
  font-weight: 600; white-space: normal !important; }
.slick-header-column:hover { color: var(--eco-text) !important; }
.slick-column-name { white-space: normal; }
.slick-cell > div { overflow: hidden; text-overflow: ellipsis; }
"""
_NOTE_CSS: Final = ".bk-clearfix { padding: 6px 8px; color: var(--eco-dim); font-size: 12px; }"
_NOTE: Final = "The first %d rows. %d more %s left out here; the HTTP API pages through all."
#: Headings of numbers stand where their numbers do.
_RIGHT: Final = ".slick-header-column:nth-child(%d) { text-align: right; }"


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a table."""

    #: Name of the data's column.
    name: str
    #: Heading, with the unit.
    title: str
    kind: Kind = "text"
    width_px: int = 90

    @property
    def is_number(self) -> bool:
        """Whether it stands to the right."""
        return self.kind != "text"


class Table(Part):
    """A table of rows.

    Parameters
    ----------
    card : Card
        What stands around it.
    fields : sequence of Field
        Its columns, left to right.
    """

    def __init__(self, card: Card, fields: Sequence[Field]) -> None:
        super().__init__(card, [field.name for field in fields])
        self._fields = fields

    def make(self) -> UIElement:
        """Return a DataTable."""
        self._table = DataTable(
            source=self.source,
            columns=[
                TableColumn(
                    field=field.name,
                    title=field.title,
                    width=field.width_px,
                    formatter=_formatter(field.kind),
                )
                for field in self._fields
            ],
            index_position=None,
            row_height=_ROW_PX,
            height=_HEADER_PX + _ROW_PX,
            margin=0,
            sizing_mode="stretch_width",
            reorderable=False,
            stylesheets=[_CSS, *(_RIGHT % n for n, f in enumerate(self._fields, 1) if f.is_number)],
        )
        self._note = Div(
            text="",
            disable_math=True,
            visible=False,
            margin=0,
            sizing_mode="stretch_width",
            stylesheets=[_NOTE_CSS],
        )
        return Stack(self._table, self._note, margin=0, sizing_mode="stretch_width")

    def show(self, columns: Columns) -> bool:
        """Show the rows, and say how many are not among them."""
        if columns is self._shown:
            return super().show(columns)
        more = left_out(columns)
        rows = "row is" if more == 1 else "rows are"
        note = _NOTE % (length(columns), more, rows) if more else ""
        moved = self._note.text != note
        if moved:
            self._note.update(text=note, visible=bool(more))
        return super().show(columns) or moved

    def fit(self, columns: Columns) -> None:
        """Be as high as the rows, up to a dozen."""
        height = _HEADER_PX + _ROW_PX * min(length(columns), _ROWS_SEEN) + 4
        if self._table.height != height:
            self._table.height = height


def _formatter(kind: Kind) -> CellFormatter:
    common: dict[str, Any] = {"null_format": UNKNOWN, "nan_format": UNKNOWN}
    if kind == "text":
        return StringFormatter(**common)
    if kind == "chance":
        return ScientificFormatter(precision=1, text_align="right", **common)
    return NumberFormatter(format=_FORMATS[kind], text_align="right", **common)
