"""The pages of one scheduler: where their figures come from, and who may see what.

request ──scope_of──► Scope ──view()──► PageView of what that scope may see
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from distributed import Scheduler

from eco_dask.dashboard.model import Snapshot
from eco_dask.dashboard.pages.columns import PageData
from eco_dask.dashboard.pages.energy import ENERGY
from eco_dask.dashboard.pages.feed import Feed
from eco_dask.dashboard.pages.history import History
from eco_dask.dashboard.pages.jobs import JOBS
from eco_dask.dashboard.pages.network import NETWORK
from eco_dask.dashboard.pages.page import Page
from eco_dask.dashboard.pages.points import POINTS
from eco_dask.dashboard.pages.provider import provider_page, provider_parts
from eco_dask.dashboard.pages.signing_in import SignIns, audience_of
from eco_dask.dashboard.pages.verification import VERIFICATION
from eco_dask.dashboard.pages.viewers import PageView
from eco_dask.ledger.tokens import Scope

#: Stands for every owner's own page until one is chosen.
PROVIDER: Final = Page("provider", "Provider", lambda _, __: {}, provider_parts)
PAGES: Final = (NETWORK, VERIFICATION, POINTS, ENERGY, JOBS, PROVIDER)


@dataclass(frozen=True, slots=True)
class Site:
    """The pages of one scheduler."""

    feed: Feed
    sign_ins: SignIns
    #: What somebody sees without signing in.
    open_to: Scope

    def scope_of(self, cookie: str | None) -> Scope:
        """Return what the holder of a cookie may see."""
        return self.sign_ins.scope_of(cookie) or self.open_to

    def owner_shown(self, scope: Scope, asked: str) -> str | None:
        """Return whose own page somebody sees: an owner its own, the operator any."""
        if scope.kind == "owner":
            return scope.name
        return asked or None if scope.kind == "operator" else None

    def view(self, page: Page, cookie: str | None, asked: str, keys: Sequence[str]) -> PageView:
        """Return a page as the holder of a cookie may see it."""
        scope = self.scope_of(cookie)
        owner = self.owner_shown(scope, asked) if page is PROVIDER else None
        share = str(scope)
        if owner is not None:
            page = provider_page(owner, lambda: self.feed.receipts.get(owner, ()))
            share = f"owner:{owner}"
        elif page is PROVIDER:
            page = replace(PROVIDER, parts=list)
        elif scope.kind == "recruiter" and scope.name is not None:
            page = _of_recruiter(page, scope.name)
        return PageView(
            page,
            self.feed,
            audience_of(scope),
            share=share,
            owner=owner,
            keys=keys,
            may_look=lambda: self.scope_of(cookie) == scope,
        )


def _of_recruiter(page: Page, recruiter: str) -> Page:
    """Return a page with the jobs of one recruiter only."""

    def data(snapshot: Snapshot, history: History) -> PageData:
        own = tuple(job for job in snapshot.jobs if job.recruiter == recruiter)
        return page.data(replace(snapshot, jobs=own), history)

    return replace(page, data=data)


def path_of(page: Page) -> str:
    """Return a page's address; the first one is what the tab leads to."""
    return "eco" if page is PAGES[0] else f"eco-{page.name}"


#: Of each scheduler in this process; there are several only in tests.
_SITES: Final[dict[str, Site]] = {}


def open_site(scheduler: Scheduler, site: Site) -> None:
    """Show it on the scheduler's pages from now on."""
    _SITES[scheduler.id] = site


def close_site(scheduler: Scheduler) -> None:
    """Show nothing any more."""
    site = _SITES.pop(scheduler.id, None)
    if site is not None:
        site.feed.close()


def site_of(scheduler: Scheduler) -> Site | None:
    """Return what a scheduler's pages show; None if eco_dask was not installed on it."""
    return _SITES.get(scheduler.id)


def query(arguments: Mapping[str, list[bytes]], name: str) -> str:
    """Return an argument of a page's address; empty if it is not there."""
    values: Any = arguments.get(name) or [b""]
    return bytes(values[0]).decode(errors="replace")
