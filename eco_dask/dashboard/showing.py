"""The pages of this package in a scheduler's dashboard, as the settings say; none without Bokeh.

settings ──add_pages──► Dask's dashboard      scheduler, View, tokens ──show──► figures on them
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec

from distributed import Scheduler

from eco_dask.dashboard.model import Snapshot
from eco_dask.dashboard.view import View
from eco_dask.errors import ConfigurationError
from eco_dask.ledger.receipts import Receipt
from eco_dask.ledger.series import SeriesStore
from eco_dask.ledger.tokens import PUBLIC, Scope, TokenStore
from eco_dask.settings import seconds, setting
from eco_dask.types import OwnerId

logger = logging.getLogger(__name__)

#: Receipts that an owner's own page lists.
RECEIPTS_SHOWN = 200
#: How far back lines begin.
PAST_S = 3600.0


def add_pages() -> None:
    """Add the pages to the dashboards of schedulers that are made from now on.

    Raises
    ------
    ConfigurationError
        ``eco-dask.dashboard.pages`` names a page that does not exist.
    """
    if find_spec("bokeh") is None:
        # Dask's own dashboard is not there either, and says so.
        return
    from eco_dask.dashboard.pages.registry import register

    pages = setting("dashboard.pages")
    if not isinstance(pages, list | tuple):
        raise ConfigurationError(f"eco-dask.dashboard.pages must be a list; got {pages!r}")
    register([str(page) for page in pages])


def show(
    scheduler: Scheduler, view: View, tokens: TokenStore, series: SeriesStore
) -> Callable[[], None]:
    """Show a network on its scheduler's pages; call what is returned when it closes.

    Does nothing where the scheduler has no dashboard, or was made before :func:`add_pages`.
    """
    if find_spec("bokeh") is None:
        return _nothing
    from eco_dask.dashboard.pages.feed import Feed, Past
    from eco_dask.dashboard.pages.registry import link, served, unlink
    from eco_dask.dashboard.pages.signing_in import SignIns
    from eco_dask.dashboard.pages.site import Site

    if not served(scheduler):
        return _nothing
    interval_s = seconds("dashboard.interval")
    sign_ins = SignIns(lambda text: tokens.scope_of(text, time.time()))

    async def build() -> Snapshot:
        await asyncio.to_thread(sign_ins.recheck)
        return await view.snapshot(interval_s / 2)

    async def receipts(owner: str) -> Sequence[Receipt]:
        return await asyncio.to_thread(
            view.ledger.receipts, owner=OwnerId(owner), limit=RECEIPTS_SHOWN
        )

    async def past() -> Past:
        return await asyncio.to_thread(_past, series, time.time())

    link(scheduler, Site(Feed(build, interval_s, receipts, past), sign_ins, open_to()))
    return lambda: unlink(scheduler)


def open_to() -> Scope:
    """Return what somebody sees without signing in.

    Raises
    ------
    ConfigurationError
        ``eco-dask.dashboard.open-to`` is none of public, recruiter and operator.
    """
    chosen = setting("dashboard.open-to")
    known = {"public": PUBLIC, "recruiter": Scope("recruiter"), "operator": Scope("operator")}
    if chosen not in known:
        raise ConfigurationError(
            f"eco-dask.dashboard.open-to is one of {', '.join(known)}; got {chosen!r}"
        )
    return known[chosen]


def _past(store: SeriesStore, now_s: float) -> Mapping[str, Sequence[tuple[float, float]]]:
    """Read what the pages' lines begin with."""
    from eco_dask.dashboard.pages.history import POINTS_MAX, SERIES

    return {
        name: store.read(name, now_s - PAST_S, now_s, POINTS_MAX).samples
        for name in SERIES.values()
    }


def _nothing() -> None:
    """Do nothing when the scheduler closes."""
