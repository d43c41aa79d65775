"""What all figures share: one series, their look, legends, tooltips.

plain_figure() ──► Bokeh's figure ◄── add_legend(), add_tooltips()
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from bokeh.core.properties import value
from bokeh.models import BasicTicker, CustomJSTickFormatter, HoverTool, Legend, LegendItem
from bokeh.plotting import figure

from eco_dask.dashboard.pages.colours import BLUE, GREY

HEIGHT_PX: Final = 220
#: Units of which there are no fractions.
WHOLE: Final = frozenset(
    {"providers", "slots, tasks", "tasks", "tasks, slots", "attempts in all", "owners"}
)
_LEGEND_COLUMNS: Final = 5
#: 1,500 as 1.5K, and 0.00004 as it is.
_COMPACT: Final = (
    "return new Intl.NumberFormat('en', {notation: 'compact', maximumSignificantDigits: 4})"
    ".format(tick)"
)


@dataclass(frozen=True, slots=True)
class Series:
    """One line, or one part of all bars."""

    #: Name of the data's column.
    name: str
    #: What the legend says.
    title: str
    #: Or the name of the data's column that has it.
    colour: str = BLUE
    dash: str = "solid"


def plain_figure(**options: Any) -> Any:
    """Return a figure without tools, in greys that read on white and on black."""
    made = figure(
        tools="",
        toolbar_location=None,
        sizing_mode="stretch_width",
        margin=0,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        min_border_right=16,
        **options,
    )
    # Where a browser reads the page's own colours (templates/eco.css), these do not count.
    for axis in made.axis:
        axis.axis_line_color = axis.major_tick_line_color = GREY
        axis.minor_tick_line_color = None
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_color = axis.major_label_text_color = GREY
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "12px"
    for grid in made.grid:
        grid.grid_line_color, grid.grid_line_alpha = GREY, 0.5
    return made


def number_axis(axis: Any, unit: str) -> None:
    """Make an axis show numbers of a unit: short, and whole where there are no fractions."""
    if unit in WHOLE:
        axis.ticker = BasicTicker(min_interval=1)
    axis.formatter = CustomJSTickFormatter(code=_COMPACT)


def add_legend(drawing: Any, titles: Sequence[str], drawn: Sequence[Any]) -> None:
    """Put a legend above a figure; a click hides what it names."""
    legend = Legend(
        # Not pairs: Bokeh turns those into items only while it validates, which Dask switches off,
        # for the whole process, whenever it draws its own pages.
        items=[
            LegendItem(label=value(title), renderers=[renderer])
            for title, renderer in zip(titles, drawn, strict=True)
        ],
        orientation="horizontal",
        ncols=_LEGEND_COLUMNS,
        location="top_left",
        background_fill_alpha=0,
        border_line_color=None,
        label_text_color=GREY,
        label_text_font_size="12px",
        padding=0,
        margin=4,
        spacing=14,
        click_policy="hide",
    )
    drawing.add_layout(legend, "above")


def add_tooltips(drawing: Any, tooltips: Sequence[tuple[str, str]], **options: Any) -> None:
    """Show ``(title, what)`` beside the pointer; Bokeh inserts columns as text."""
    drawing.add_tools(HoverTool(tooltips=list(tooltips), point_policy="follow_mouse", **options))
