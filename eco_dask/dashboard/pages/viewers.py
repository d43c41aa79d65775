"""One viewer's page: its parts, brought up to date when there is a new snapshot.

Feed ──update()──► parts ──► Bokeh's document ──► a browser
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from bokeh.core.properties import without_property_validation
from bokeh.document import Document
from bokeh.models import Div
from jinja2 import Environment, FileSystemLoader

from eco_dask.dashboard.pages.dask_dashboard import BOKEH_THEME, TEMPLATES_FOLDER
from eco_dask.dashboard.pages.feed import Feed
from eco_dask.dashboard.pages.page import Page
from eco_dask.dashboard.pages.parts import AUDIENCES, Audience, notice_html

#: Ours first; Dask's hold the navigation. What strangers wrote is escaped where it is used.
TEMPLATES: Final = Environment(  # noqa: S701  Bokeh's own HTML is inserted as it is
    loader=FileSystemLoader([Path(__file__).with_name("templates"), TEMPLATES_FOLDER]),
    trim_blocks=True,
    lstrip_blocks=True,
)
_MS_PER_S: Final = 1000
_NOTICE: Final = "notice"


class PageView:
    """The parts of a page for one viewer.

    Parameters
    ----------
    page : Page
        What to show.
    feed : Feed
        Where it comes from.
    audience : str
        Parts that this audience may not see are neither made nor sent.
    share : str
        Viewers with the same one see the same columns, computed once.
    owner : str, optional
        Whose own page it is.
    keys : sequence of str
        Parts to show; none for all.
    may_look : function
        Whether the viewer may still see it.
    """

    def __init__(
        self,
        page: Page,
        feed: Feed,
        audience: Audience,
        *,
        share: str = "",
        owner: str | None = None,
        keys: Sequence[str] = (),
        may_look: Callable[[], bool] = lambda: True,
    ) -> None:
        self._page, self._feed, self._share, self._owner = page, feed, share, owner
        self._may_look = may_look
        wanted = [part for part in page.parts() if not keys or part.card.key in keys]
        rank = AUDIENCES.index(audience)
        self.parts = [p for p in wanted if AUDIENCES.index(p.card.least) <= rank]
        #: Whether others see more, and who.
        self.is_partial = len(self.parts) < len(wanted)
        more = {part.card.least for part in wanted} - set(AUDIENCES[: rank + 1])
        words = {"recruiter": "recruiters and the operator", "operator": "the operator"}
        self.more_for = next((words[a] for a in AUDIENCES if a in more), "")
        self._notice = Div(
            text="", visible=False, disable_math=True, name=_NOTICE, tags=["wide", "bare"], margin=0
        )
        self._tick = 0

    def update(self) -> int:
        """Show the latest snapshot; return how many parts had something new to show."""
        self._feed.watch(self._owner)
        if self._feed.tick == self._tick:
            return 0
        self._tick = self._feed.tick
        self._say(self._feed.failure)
        data = self._feed.data(self._page, self._share)
        return sum(part.show(data[part.card.key]) for part in self.parts if data)

    def attach(self, document: Document) -> None:
        """Put the parts into a document and keep them up to date."""
        document.add_root(self._notice)
        for part in self.parts:
            document.add_root(part.root)
        # Only the document may keep this alive: it must go when the viewer goes.
        view = weakref.ref(self)
        held = cast("Any", document)
        held.eco_view = self
        document.add_next_tick_callback(lambda: _update(view))
        # Twice in each interval, so that what is shown is never much older than one.
        period_ms = round(self._feed.interval_s * _MS_PER_S / 2)
        document.add_periodic_callback(lambda: _update(view), period_ms)

    def headings(self) -> dict[str, dict[str, Any]]:
        """Return what stands over each part; tiles need no heading."""
        found = {
            p.card.key: {"title": p.card.title, "says": p.card.says, "shown": bool(p.card.says)}
            for p in self.parts
        }
        return found | {_NOTICE: {"title": "Notice", "says": "", "shown": False}}

    def refresh(self) -> None:
        """Update, or take everything away from a viewer whose right ended."""
        if self._may_look():
            self.update()
        elif (document := self._notice.document) is not None:
            document.clear()

    def _say(self, failure: str) -> None:
        text = notice_html(f"The figures could not be brought up to date: {failure}")
        self._notice.text = text if failure else ""
        self._notice.visible = bool(failure)


@without_property_validation  # type: ignore[untyped-decorator]
def _update(view: weakref.ref[PageView]) -> None:
    found = view()
    if found is not None:
        found.refresh()


def dress(document: Document, template: str, variables: Mapping[str, Any]) -> None:
    """Give a document its template, headings and colours."""
    document.template = TEMPLATES.get_template(template)
    document.template_variables.update(variables)
    document.theme = BOKEH_THEME
