"""Lines over time, of which only new points are sent.

columns ──show()──► a figure with steps from point to point
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bokeh.models import DatetimeTickFormatter, UIElement

from eco_dask.dashboard.pages.charts import (
    HEIGHT_PX,
    Series,
    add_legend,
    add_tooltips,
    number_axis,
    plain_figure,
)
from eco_dask.dashboard.pages.columns import Columns
from eco_dask.dashboard.pages.history import POINTS_MAX
from eco_dask.dashboard.pages.parts import Card, Part, as_array

#: Points that a viewer may have missed and still gets as such, not as whole lines.
_CATCH_UP: Final = 60


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
        drawing = plain_figure(x_axis_type="datetime", y_axis_label=self._unit, height=HEIGHT_PX)
        drawing.y_range.start = 0
        drawing.xaxis.formatter = DatetimeTickFormatter(
            seconds="%H:%M:%S", minsec="%H:%M:%S", minutes="%H:%M", hourmin="%H:%M"
        )
        number_axis(drawing.yaxis, self._unit)
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
        add_legend(drawing, [each.title for each in self._series], lines)
        shown = [(each.title, f"@{{{each.name}}}{{0,0.[000]}}") for each in self._series]
        add_tooltips(
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
