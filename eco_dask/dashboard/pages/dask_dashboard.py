"""Names of Dask's dashboard that are not public, read in distributed 2026.8: all in one place.

pages ──applications, navigation──► Dask's own Bokeh server
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import distributed.http
from distributed import Scheduler
from distributed.dashboard import scheduler as dashboard
from distributed.dashboard.components.scheduler import BOKEH_THEME

__all__ = [
    "BOKEH_THEME",
    "TEMPLATES_FOLDER",
    "add_application",
    "add_to_navigation",
    "navigation",
    "serves",
]

#: Where Dask's ``base.html`` with its navigation is.
TEMPLATES_FOLDER: Final = Path(distributed.http.__file__).with_name("templates")


def add_application(path: str, make: Any) -> None:
    """Serve a page on every scheduler made from now on.

    ``make(scheduler, extra, document)`` fills the document of one viewer. Only what is added
    before the scheduler is made gets into ``/individual-plots.json``, so into dask-labextension.
    """
    dashboard.applications[path] = make


def serves(scheduler: Scheduler, path: str) -> bool:
    """Whether a scheduler's dashboard has a page; without a dashboard it has none."""
    served = getattr(scheduler.http_application, "applications", ())
    return any(path in getattr(app, "app_paths", ()) for app in served)


def navigation(scheduler: Scheduler) -> dict[str, Any]:
    """Return what Dask's ``base.html`` wants to know."""
    variables: dict[str, Any] = dashboard.template_variables(scheduler)
    return variables


def add_to_navigation(scheduler: Scheduler, tab: str, entries: list[tuple[str, str]]) -> None:
    """Add a tab to all pages of a scheduler's dashboard, and ``(path, title)`` under *More*.

    Dask computes the variables of its templates once for each scheduler; every page holds the
    same lists.
    """
    variables = navigation(scheduler)
    if tab not in variables["pages"]:
        variables["pages"].append(tab)
    known = {plot["url"] for plot in variables["plots"]}
    new = [{"url": path, "name": title} for path, title in entries if path not in known]
    variables["plots"][:0] = new
