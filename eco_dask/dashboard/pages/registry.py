"""Puts the pages into Dask's dashboard: register() before a scheduler is made, link() after.

PAGES, PANELS ──► /eco, /eco-points, ..., /individual-eco-points, ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from bokeh.document import Document
from distributed import Scheduler

from eco_dask.dashboard.pages.dask_dashboard import add_application, add_to_navigation
from eco_dask.dashboard.pages.energy import ENERGY
from eco_dask.dashboard.pages.feed import Feed
from eco_dask.dashboard.pages.jobs import JOBS
from eco_dask.dashboard.pages.network import NETWORK
from eco_dask.dashboard.pages.page import Page
from eco_dask.dashboard.pages.points import POINTS
from eco_dask.dashboard.pages.verification import VERIFICATION
from eco_dask.dashboard.pages.viewers import PageView, dress, headings

PAGES: Final = (NETWORK, VERIFICATION, POINTS, ENERGY, JOBS)


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a page on its own, for dask-labextension and for walls."""

    #: Last part of its address, after ``individual-eco-``.
    name: str
    page: Page
    #: Parts of the page to show; none for all.
    keys: tuple[str, ...] = field(default=())


PANELS: Final = (
    *(Panel(page.name, page) for page in PAGES),
    Panel("load", NETWORK, ("load",)),
    Panel("machines", NETWORK, ("states", "capability")),
    Panel("attempts", VERIFICATION, ("attempts", "reasons")),
    Panel("flow-of-points", POINTS, ("flow", "market")),
    Panel("power", ENERGY, ("watts",)),
    Panel("job-progress", JOBS, ("progress",)),
)

#: Of each scheduler in this process; more than one only in tests.
_FEEDS: dict[str, Feed] = {}


def path_of(page: Page) -> str:
    """Return a page's address; the first one is what the tab leads to."""
    return "eco" if page is PAGES[0] else f"eco-{page.name}"


def register() -> None:
    """Add all pages and panels to Dask's dashboard, for schedulers made from now on."""
    for page in PAGES:
        add_application(f"/{path_of(page)}", partial(_page_document, page))
    for panel in PANELS:
        add_application(f"/individual-eco-{panel.name}", partial(_panel_document, panel))


def link(scheduler: Scheduler, feed: Feed) -> Callable[[], None]:
    """Show a scheduler's network on its pages; call what is returned when it closes."""
    _FEEDS[scheduler.id] = feed
    add_to_navigation(scheduler, "eco", [(path_of(page), f"Eco: {page.title}") for page in PAGES])

    def unlink() -> None:
        _FEEDS.pop(scheduler.id, None)
        feed.close()

    return unlink


def _page_document(
    page: Page, scheduler: Scheduler, extra: dict[str, Any], document: Document
) -> None:
    document.title = f"Dask: {page.title} of the provider network"
    _fill(document, PageView(page, _feed_of(scheduler), ""), "eco-page.html", page, extra)


def _panel_document(
    panel: Panel, scheduler: Scheduler, extra: dict[str, Any], document: Document
) -> None:
    document.title = f"Dask: Eco {panel.name}"
    view = PageView(panel.page, _feed_of(scheduler), "", panel.keys)
    _fill(document, view, "eco-panel.html", panel.page, extra)


def _fill(
    document: Document, view: PageView, template: str, page: Page, extra: dict[str, Any]
) -> None:
    view.attach(document)
    asked = document.session_context.request.arguments.get("theme", [b""])[0].decode()
    scheme = asked if asked in ("light", "dark") else ""
    dress(
        document,
        template,
        {
            **extra,
            "headings": headings(view.parts),
            "eco_pages": [{"path": path_of(each), "title": each.title} for each in PAGES],
            "path": path_of(page),
            "scheme": scheme,
            "suffix": f"?theme={scheme}" if scheme else "",
            "viewer": "",
        },
    )


def _feed_of(scheduler: Scheduler) -> Feed:
    return _FEEDS[scheduler.id]
