"""Figures: stacked bars, lines over time, ranges, and a distribution.

columns ──show()──► Bokeh's figure, without tools, with tooltips
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from bokeh.models import (
    BasicTicker,
    DatetimeTickFormatter,
    FactorRange,
    HoverTool,
    Legend,
    NumeralTickFormatter,
    UIElement,
)
from bokeh.plotting import figure

from eco_dask.dashboard.pages.colours import BLUE, GREY
from eco_dask.dashboard.pages.columns import Columns
from eco_dask.dashboard.pages.history import POINTS_MAX
from eco_dask.dashboard.pages.parts import Card, Part, as_array

_HEIGHT_PX: Final = 220
_BAR_PX: Final = 26
_LEGEND_PX: Final = 30
_LEGEND_COLUMNS: Final = 5
#: Units of which there are no fractions.
WHOLE: Final = frozenset({"providers", "slots, tasks", "tasks", "tasks, slots", "attempts in all"})
#: Points that a viewer may have missed and still gets as such, not as whole lines.
_CATCH_UP: Final = 60
#: In the page's colours; figures themselves read them from the page (see templates/eco.css).
_TOOLTIP_CSS: Final = """
:host { background: var(--eco-card) !important; color: var(--eco-text) !important;
  border-color: var(--eco-line) !important; font-size: 12.5px; max-width: 420px; }
:host .bk-tooltip-row-label { color: var(--eco-dim) !important; }
:host .bk-tooltip-row-value { color: var(--eco-text) !important; }
"""


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


class Bars(Part):
    """Horizontal bars, stacked where there are several series.

    Parameters
    ----------
    card : Card
        What stands around it. The columns have ``label`` and one column for each series.
    series : sequence of Series
        Stacked from left to right.
    unit : str
        Of all series.
    tooltips : sequence of (title, column), optional
        Further lines of the tooltip.
    """

    def __init__(
        self,
        card: Card,
        series: Sequence[Series],
        unit: str,
        tooltips: Sequence[tuple[str, str]] = (),
    ) -> None:
        fields = [each.colour for each in series if not each.colour.startswith("#")]
        super().__init__(card, ["label", *(each.name for each in series), *fields])
        self._series, self._unit, self._more = series, unit, tooltips

    def make(self) -> UIElement:
        """Return a figure with a bar for each label."""
        self._range = FactorRange(factors=[], range_padding=0.05)
        self._figure = _figure(y_range=self._range, x_axis_label=self._unit, height=_HEIGHT_PX)
        self._figure.x_range.start = 0
        self._figure.ygrid.visible = False
        self._figure.yaxis.major_tick_in = 0
        if self._unit in WHOLE:
            self._figure.xaxis.ticker = BasicTicker(min_interval=1)
        self._figure.xaxis.formatter = NumeralTickFormatter(format="0[.]0[0]a")
        drawn = self._figure.hbar_stack(
            [each.name for each in self._series],
            y="label",
            height=0.72,
            line_color=None,
            fill_color=[each.colour for each in self._series],
            source=self.source,
        )
        if len(self._series) > 1:
            _legend(self._figure, [each.title for each in self._series], drawn)
        shown = [(each.title, f"@{{{each.name}}}{{0,0.[000]}}") for each in self._series]
        _hover(
            self._figure,
            [("", "@label"), *shown, *((title, f"@{{{name}}}") for title, name in self._more)],
            renderers=drawn,
        )
        return self._figure

    def fit(self, columns: Columns) -> None:
        """Give every label its place, the first at the top."""
        factors = list(reversed(columns["label"]))
        if self._range.factors != factors:
            self._range.factors = factors
            legend = _LEGEND_PX if len(self._series) > 1 else 0
            self._figure.height = 62 + legend + _BAR_PX * max(1, len(factors))


class Lines(Part):
    """Lines over time.

    Parameters
    ----------
    card : Card
        What stands around it. The columns have ``at_ms`` and one column for each series.
    series : sequence of Series
        The lines.
    unit : str
        Of all series.
    """

    def __init__(self, card: Card, series: Sequence[Series], unit: str) -> None:
        super().__init__(card, ["at_ms", *(each.name for each in series)])
        self._series, self._unit = series, unit

    def make(self) -> UIElement:
        """Return a figure with a line for each series."""
        drawing = _figure(x_axis_type="datetime", y_axis_label=self._unit, height=_HEIGHT_PX)
        drawing.y_range.start = 0
        drawing.xaxis.formatter = DatetimeTickFormatter(
            seconds="%H:%M:%S", minsec="%H:%M:%S", minutes="%H:%M", hourmin="%H:%M"
        )
        if self._unit in WHOLE:
            drawing.yaxis.ticker = BasicTicker(min_interval=1)
        drawing.yaxis.formatter = NumeralTickFormatter(format="0[.]0[00]a")
        lines = [
            drawing.step(
                "at_ms",
                each.name,
                source=self.source,
                color=each.colour,
                line_width=2,
                line_dash=each.dash,
                mode="after",
            )
            for each in self._series
        ]
        _legend(drawing, [each.title for each in self._series], lines)
        shown = [(each.title, f"@{{{each.name}}}{{0,0.[000]}}") for each in self._series]
        _hover(
            drawing,
            [("", "@at_ms{%H:%M:%S} UTC"), *shown],
            renderers=lines[:1],
            mode="vline",
            formatters={"@at_ms": "datetime"},
        )
        return drawing

    def any_in(self, columns: Columns) -> bool:
        """Whether any line has a point."""
        return any(
            value is not None for each in self._series for value in reversed(columns[each.name])
        )

    def show(self, columns: Columns) -> bool:
        """Show these columns, and send only the points that are new."""
        times = columns["at_ms"]
        seen = self._shown.get("at_ms") or ()
        if not seen or seen[-1] not in times[-_CATCH_UP:]:
            return super().show(columns)
        first = len(times) - times[::-1].index(seen[-1])
        self._shown = columns
        self._reveal(self.any_in(columns))
        if first < len(times):
            new = {name: as_array(column[first:]) for name, column in columns.items()}
            self.source.stream(new, rollover=POINTS_MAX)
        return first < len(times)


class Ranges(Part):
    """What is known to lie between two bounds, with a dot at the likely value.

    Parameters
    ----------
    card : Card
        What stands around it. The columns have ``label``, ``low``, ``central`` and ``high``.
    unit : str
        Of all of them.
    """

    def __init__(self, card: Card, unit: str) -> None:
        super().__init__(card, ["label", "low", "central", "high"])
        self._unit = unit

    def make(self) -> UIElement:
        """Return a figure with a bar and a dot for each label."""
        self._range = FactorRange(factors=[], range_padding=0.1)
        self._figure = _figure(y_range=self._range, x_axis_label=self._unit, height=_HEIGHT_PX)
        self._figure.x_range.start = 0
        self._figure.ygrid.visible = False
        self._figure.yaxis.major_tick_in = 0
        bars = self._figure.hbar(
            y="label",
            left="low",
            right="high",
            height=0.34,
            fill_color=BLUE,
            fill_alpha=0.45,
            line_color=None,
            source=self.source,
        )
        self._figure.scatter("central", "label", size=11, color=BLUE, source=self.source)
        number = "{0,0.[0000]}"
        _hover(
            self._figure,
            [
                ("", "@label"),
                (f"likely ({self._unit})", f"@central{number}"),
                (f"range ({self._unit})", f"@low{number} to @high{number}"),
            ],
            renderers=[bars],
        )
        return self._figure

    def fit(self, columns: Columns) -> None:
        """Give every label its place."""
        factors = list(reversed(columns["label"]))
        if self._range.factors != factors:
            self._range.factors = factors
            self._figure.height = 70 + 44 * max(1, len(factors))


class Distribution(Part):
    """How many there are between bounds, on a logarithmic axis of probabilities.

    Parameters
    ----------
    card : Card
        What stands around it. The columns have ``label``, in order, and ``owners``.
    unit : str
        Of the bounds.
    """

    def __init__(self, card: Card, unit: str) -> None:
        super().__init__(card, ["label", "owners"])
        self._unit = unit

    def make(self) -> UIElement:
        """Return a figure with upright bars."""
        self._range = FactorRange(factors=[], range_padding=0.05)
        drawing = _figure(
            x_range=self._range,
            x_axis_label=self._unit,
            y_axis_label="owners",
            height=_HEIGHT_PX,
        )
        drawing.y_range.start = 0
        drawing.xgrid.visible = False
        drawing.xaxis.major_tick_in = 0
        drawing.yaxis.ticker = BasicTicker(min_interval=1)
        bars = drawing.vbar(x="label", top="owners", width=0.85, color=BLUE, source=self.source)
        _hover(drawing, [(self._unit, "@label"), ("owners", "@owners{0,0}")], renderers=[bars])
        return drawing

    def fit(self, columns: Columns) -> None:
        """Give every class its place."""
        factors = list(columns["label"])
        if self._range.factors != factors:
            self._range.factors = factors


def _figure(**options: Any) -> Any:
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
    # Greys that can be read on white and on black, where a browser knows no better.
    for axis in made.axis:
        axis.axis_line_color = axis.major_tick_line_color = GREY
        axis.minor_tick_line_color = None
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_color = axis.major_label_text_color = GREY
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "12px"
    for grid in made.grid:
        grid.grid_line_color, grid.grid_line_alpha = GREY, 0.5
    return made


def _legend(drawing: Any, titles: Sequence[str], drawn: Sequence[Any]) -> None:
    legend = Legend(
        items=[(title, [renderer]) for title, renderer in zip(titles, drawn, strict=True)],
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


def _hover(drawing: Any, tooltips: Sequence[tuple[str, str]], **options: Any) -> None:
    drawing.add_tools(HoverTool(tooltips=list(tooltips), point_policy="follow_mouse", **options))
