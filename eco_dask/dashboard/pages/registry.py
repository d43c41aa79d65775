"""Puts the pages into Dask's dashboard: register() before a scheduler is made, link() after.

PAGES, PANELS ──► /eco, /eco-points, ..., /individual-eco-points, ...
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from bokeh.document import Document
from distributed import Scheduler

from eco_dask.dashboard.pages.dask_dashboard import add_application, add_to_navigation, serves
from eco_dask.dashboard.pages.energy import ENERGY
from eco_dask.dashboard.pages.formats import label
from eco_dask.dashboard.pages.jobs import JOBS
from eco_dask.dashboard.pages.network import NETWORK
from eco_dask.dashboard.pages.page import Page
from eco_dask.dashboard.pages.points import POINTS
from eco_dask.dashboard.pages.sign_in_routes import cookie_name, routes
from eco_dask.dashboard.pages.site import (
    PAGES,
    PROVIDER,
    Site,
    close_site,
    open_site,
    path_of,
    query,
    site_of,
)
from eco_dask.dashboard.pages.verification import VERIFICATION
from eco_dask.dashboard.pages.viewers import dress
from eco_dask.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Panel:
    """Parts of a page on their own, for dask-labextension and for walls."""

    #: Last part of its address, after ``individual-eco-``.
    name: str
    page: Page
    #: Parts of the page to show; none for all.
    keys: tuple[str, ...] = field(default=())


#: Of all pages, in the order of the navigation.
NAMES: Final = tuple(page.name for page in PAGES)
PANELS: Final = (
    *(Panel(page.name, page) for page in PAGES),
    Panel("load", NETWORK, ("load",)),
    Panel("machines", NETWORK, ("states", "capability")),
    Panel("attempts", VERIFICATION, ("attempts", "reasons")),
    Panel("flow-of-points", POINTS, ("flow", "market")),
    Panel("power", ENERGY, ("watts",)),
    Panel("job-progress", JOBS, ("tiles", "progress")),
)


def register(names: Collection[str] = NAMES) -> None:
    """Add pages and their panels to Dask's dashboard, for schedulers made from now on.

    Raises
    ------
    ConfigurationError
        There is no page of that name.
    """
    unknown = set(names) - set(NAMES)
    if unknown:
        raise ConfigurationError(
            f"the dashboard has no page {', '.join(sorted(unknown))!r}; there are "
            f"{', '.join(NAMES)}"
        )
    for page in PAGES:
        if page.name in names:
            add_application(f"/{path_of(page)}", partial(_document, Panel(page.name, page), False))
    for panel in PANELS:
        if panel.page.name in names:
            add_application(f"/individual-eco-{panel.name}", partial(_document, panel, True))


def served(scheduler: Scheduler) -> list[Page]:
    """Return the pages that a scheduler's dashboard has."""
    return [page for page in PAGES if serves(scheduler, f"/{path_of(page)}")]


def link(scheduler: Scheduler, site: Site) -> None:
    """Show a scheduler's network on its pages."""
    open_site(scheduler, site)
    paths = {path_of(page): f"Eco: {page.title}" for page in served(scheduler)}
    add_to_navigation(scheduler, next(iter(paths)), list(paths.items()))
    scheduler.http_application.add_handlers(".*", routes(scheduler, site.sign_ins, tuple(paths)))


def unlink(scheduler: Scheduler) -> None:
    """Show nothing any more, as the scheduler closes."""
    close_site(scheduler)


def _document(
    panel: Panel, alone: bool, scheduler: Scheduler, extra: Mapping[str, Any], document: Document
) -> None:
    """Fill the document of one viewer; called by Dask."""
    document.title = f"Dask: Eco {panel.name}"
    template = "eco-panel.html" if alone else "eco-page.html"
    site = site_of(scheduler)
    request: Any = document.session_context.request
    cookie = request.cookies.get(cookie_name(scheduler))
    asked, theme = query(request.arguments, "owner"), query(request.arguments, "theme")
    scheme = theme if theme in ("light", "dark") else ""
    variables = {
        **extra,
        "alone": alone,
        "eco_pages": [{"path": path_of(each), "title": each.title} for each in served(scheduler)],
        "path": path_of(panel.page),
        "scheme": scheme,
        "suffix": f"?theme={scheme}" if scheme else "",
        "headings": {},
    }
    if site is not None:
        view = site.view(panel.page, cookie, asked, panel.keys)
        view.attach(document)
        variables |= {"headings": view.headings(), **_viewer(site, panel.page, cookie, asked)}
        variables |= {"is_partial": view.is_partial, "more_for": view.more_for}
    dress(document, template, variables | {"installed": site is not None})


def _viewer(site: Site, page: Page, cookie: str | None, asked: str) -> dict[str, Any]:
    """Return what the template says about who looks."""
    scope = site.scope_of(cookie)
    owner = site.owner_shown(scope, asked)
    own_page = page is PROVIDER
    choosing = own_page and scope.kind == "operator"
    snapshot = site.feed.snapshot
    return {
        "signed_in": site.sign_ins.scope_of(cookie) is not None,
        "scope": label(str(scope), 60),
        "owner": owner or "",
        "needs_sign_in": own_page and owner is None and not choosing,
        "choosing": choosing,
        "owners": sorted(one.name for one in snapshot.owners) if choosing and snapshot else [],
    }
