"""Bars: stacked, from a lower to an upper bound, or as a distribution.

columns ──show()──► a figure with a place for every label
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bokeh.models import FactorRange, UIElement

from eco_dask.dashboard.pages.charts import (
    HEIGHT_PX,
    Series,
    add_legend,
    add_tooltips,
    number_axis,
    plain_figure,
)
from eco_dask.dashboard.pages.colours import BLUE
from eco_dask.dashboard.pages.columns import Columns
from eco_dask.dashboard.pages.parts import Card, Part

_BAR_PX: Final = 26
_LEGEND_PX: Final = 30
#: Of labels, in radians.
_SLANT: Final = 0.5


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
        self._figure = plain_figure(y_range=self._range, x_axis_label=self._unit, height=HEIGHT_PX)
        self._figure.x_range.start = 0
        self._figure.ygrid.visible = False
        self._figure.yaxis.major_tick_in = 0
        number_axis(self._figure.xaxis, self._unit)
        drawn = self._figure.hbar_stack(
            [each.name for each in self._series],
            y="label",
            height=0.72,
            line_color=None,
            fill_color=[each.colour for each in self._series],
            source=self.source,
        )
        if len(self._series) > 1:
            add_legend(self._figure, [each.title for each in self._series], drawn)
        shown = [(each.title, f"@{{{each.name}}}{{0,0.[000]}}") for each in self._series]
        add_tooltips(
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
        self._figure = plain_figure(y_range=self._range, x_axis_label=self._unit, height=HEIGHT_PX)
        self._figure.x_range.start = 0
        self._figure.ygrid.visible = False
        number_axis(self._figure.xaxis, self._unit)
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
        add_tooltips(
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
        drawing = plain_figure(
            x_range=self._range,
            x_axis_label=self._unit,
            y_axis_label="owners",
            height=HEIGHT_PX,
        )
        drawing.y_range.start = 0
        drawing.xgrid.visible = False
        drawing.xaxis.major_tick_in = 0
        # Bounds near 1 need many digits: upright, they would cover one another.
        drawing.xaxis.major_label_orientation = _SLANT
        number_axis(drawing.yaxis, "owners")
        bars = drawing.vbar(x="label", top="owners", width=0.85, color=BLUE, source=self.source)
        add_tooltips(
            drawing, [(self._unit, "@label"), ("owners", "@owners{0,0}")], renderers=[bars]
        )
        return drawing

    def fit(self, columns: Columns) -> None:
        """Give every class its place."""
        factors = list(columns["label"])
        if self._range.factors != factors:
            self._range.factors = factors
