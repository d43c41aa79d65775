"""One viewer's page: its parts, brought up to date when there is a new snapshot.

Feed ──update()──► parts ──► Bokeh's document ──► a browser
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from bokeh.core.properties import without_property_validation
from bokeh.document import Document
from jinja2 import Environment, FileSystemLoader

from eco_dask.dashboard.pages.dask_dashboard import BOKEH_THEME, TEMPLATES_FOLDER
from eco_dask.dashboard.pages.feed import Feed
from eco_dask.dashboard.pages.page import Page
from eco_dask.dashboard.pages.parts import Part

#: Ours first; Dask's hold the navigation. What strangers wrote is escaped where it is used.
TEMPLATES: Final = Environment(  # noqa: S701  Bokeh's own HTML is inserted as it is
    loader=FileSystemLoader([Path(__file__).with_name("templates"), TEMPLATES_FOLDER]),
    trim_blocks=True,
    lstrip_blocks=True,
)


class PageView:
    """The parts of a page for one viewer.

    Parameters
    ----------
    page : Page
        What to show.
    feed : Feed
        Where it comes from.
    audience : str
        Those who may see the same share one computation.
    keys : sequence of str
        Parts to show; none for all.
    """

    def __init__(self, page: Page, feed: Feed, audience: str, keys: Sequence[str] = ()) -> None:
        self._page, self._feed, self._audience = page, feed, audience
        self.parts: list[Part] = [p for p in page.parts() if not keys or p.card.key in keys]
        self._tick = 0

    def update(self) -> int:
        """Show the latest snapshot; return how many parts had something new to show."""
        self._feed.watch()
        if self._feed.tick == self._tick:
            return 0
        self._tick = self._feed.tick
        data = self._feed.data(self._page, self._audience)
        return sum(part.show(data[part.card.key]) for part in self.parts if part.card.key in data)

    def attach(self, document: Document) -> None:
        """Put the parts into a document and keep them up to date."""
        for part in self.parts:
            document.add_root(part.root)
        # Only the document may keep this alive: it must go when the viewer goes.
        view = weakref.ref(self)
        document.add_periodic_callback(lambda: _update(view), round(self._feed.interval_s * 500))
        document.add_next_tick_callback(lambda: _update(view))
        held = cast("Any", document)
        held.eco_view = self


@without_property_validation  # type: ignore[untyped-decorator]
def _update(view: weakref.ref[PageView]) -> None:
    found = view()
    if found is not None:
        found.update()


def dress(document: Document, template: str, variables: Mapping[str, Any]) -> None:
    """Give a document its template, headings and colours."""
    document.template = TEMPLATES.get_template(template)
    document.template_variables.update(variables)
    document.theme = BOKEH_THEME


def headings(parts: Sequence[Part]) -> dict[str, dict[str, Any]]:
    """Return what stands over each part; tiles need no heading."""
    return {
        part.card.key: {
            "title": part.card.title,
            "says": part.card.says,
            "shown": bool(part.card.says),
        }
        for part in parts
    }
