"""Who is served what, how often, and for how long: sign-ins, scopes, and the one feed of all."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import dask
import pytest
from distributed import Scheduler

from eco_dask.dashboard.pages import registry
from eco_dask.dashboard.pages.feed import Feed
from eco_dask.dashboard.pages.network import NETWORK
from eco_dask.dashboard.pages.parts import AUDIENCES
from eco_dask.dashboard.pages.signing_in import BROWSERS_MAX, RECHECK_S, SIGNED_IN_S, SignIns
from eco_dask.dashboard.pages.site import PAGES, PROVIDER, Site, query
from eco_dask.dashboard.pages.viewers import PageView
from eco_dask.dashboard.showing import add_pages, open_to
from eco_dask.errors import ConfigurationError
from eco_dask.ledger.tokens import PUBLIC, Scope
from eco_dask.testing import snapshots

ADA, OPERATOR, EVE = Scope("owner", "ada"), Scope("operator"), Scope("recruiter", "eve")


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


async def no_snapshot():
    raise AssertionError("nobody asked")


def site(scope: Scope) -> Site:
    made = Site(Feed(no_snapshot, 1.0), SignIns({}.get), scope)
    made.feed.take(snapshots.full())
    return made


def keys_of(view: PageView) -> set[str]:
    return {part.card.key for part in view.parts}


# ---------------------------------------------------------------------- signing in


def test_a_token_opens_its_scope_until_the_cookie_ends():
    clock = Clock()
    found = SignIns({"token": ADA}.get, clock)
    cookie = found.enter("token")
    assert found.scope_of(cookie) == ADA
    clock.now_s += SIGNED_IN_S - 1
    assert found.scope_of(cookie) == ADA
    clock.now_s += 1
    assert found.scope_of(cookie) is None


@pytest.mark.parametrize("cookie", [None, "", "guess", "token"])
def test_no_other_cookie_opens_anything(cookie):
    found = SignIns({"token": ADA}.get)
    found.enter("token")
    assert found.scope_of(cookie) is None


def test_a_wrong_token_gives_no_cookie():
    assert SignIns({"token": ADA}.get).enter("guess") is None


def test_a_revoked_token_signs_its_browsers_out():
    clock, tokens = Clock(), {"token": ADA}
    found = SignIns(tokens.get, clock)
    cookie = found.enter("token")
    tokens.clear()
    found.recheck()
    assert found.scope_of(cookie) == ADA
    clock.now_s += RECHECK_S
    found.recheck()
    assert found.scope_of(cookie) is None


def test_leaving_ends_one_browser_only():
    found = SignIns({"token": ADA}.get)
    here, there = found.enter("token"), found.enter("token")
    found.leave(here)
    assert (found.scope_of(here), found.scope_of(there)) == (None, ADA)


def test_browsers_are_bounded():
    found = SignIns({"token": ADA}.get)
    first = found.enter("token")
    for _ in range(BROWSERS_MAX):
        last = found.enter("token")
    assert (found.scope_of(first), found.scope_of(last)) == (None, ADA)


# ---------------------------------------------------------------------- who sees what


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_audience_sees_what_those_below_see(page):
    if page is PROVIDER:
        return
    seen = [keys_of(site(scope).view(page, None, "", ())) for scope in (PUBLIC, EVE, OPERATOR)]
    assert seen[0] <= seen[1] <= seen[2] == {part.card.key for part in page.parts()}
    assert keys_of(site(ADA).view(page, None, "", ())) == seen[0]


@pytest.mark.parametrize(
    ("scope", "asked", "owner"),
    [
        (PUBLIC, "ada", None), (EVE, "ada", None), (ADA, "bob", "ada"), (ADA, "", "ada"),
        (OPERATOR, "bob", "bob"), (OPERATOR, "", None),
    ],
)  # fmt: skip
def test_an_owners_page_is_for_the_owner_and_the_operator(scope, asked, owner):
    assert site(scope).owner_shown(scope, asked) == owner
    assert bool(site(scope).view(PROVIDER, None, asked, ()).parts) is (owner is not None)


def test_a_recruiter_sees_its_own_jobs_only():
    made = site(EVE)
    mine, other = replace(snapshots.full().jobs[0], name="mine"), snapshots.full().jobs[1]
    jobs = (mine, replace(other, recruiter="carol", name="other"))
    made.feed.take(replace(snapshots.full(), jobs=jobs))
    page = next(page for page in PAGES if page.name == "jobs")
    assert made.view(page, None, "", ())._page.data(made.feed.snapshot, made.feed.history)["jobs"][
        "job"
    ] == ["mine"]


def test_credibility_is_the_operators():
    least = {p.card.key: p.card.least for page in PAGES for p in page.parts()}
    assert least["credibility"] == AUDIENCES[-1]


def test_arguments_of_an_address_are_text_whatever_bytes_come():
    assert query({"owner": [b"\xff\xfe"]}, "owner") == "\ufffd\ufffd"
    assert query({}, "owner") == ""


# ---------------------------------------------------------------------- one feed


async def feed_for(watchers: int) -> tuple[Feed, list[int]]:
    built: list[int] = []

    async def build():
        built.append(1)
        return replace(snapshots.full(), at_s=snapshots.AT_S + len(built))

    feed = Feed(build, 0.05)
    views = [PageView(NETWORK, feed, "operator") for _ in range(watchers)]
    for view in views:
        for part in view.parts:
            _ = part.root
    while feed.tick < 3:
        for view in views:
            view.update()
        await asyncio.sleep(0.005)
    feed.close()
    return feed, built


@pytest.mark.parametrize("watchers", [1, 10])
def test_a_tick_is_one_snapshot_however_many_look(watchers):
    feed, built = asyncio.run(feed_for(watchers))
    assert len(built) == feed.tick


def test_without_viewers_nothing_is_built():
    async def run() -> None:
        Feed(no_snapshot, 0.01)
        await asyncio.sleep(0.05)

    asyncio.run(run())


def test_snapshots_end_when_nobody_looks_any_more():
    async def run() -> None:
        feed = Feed(lambda: asyncio.sleep(0, snapshots.full()), 0.01)
        feed.watch()
        task = feed._task
        await asyncio.wait_for(task, 10)
        assert feed.tick >= 1

    asyncio.run(run())


def test_viewers_of_one_kind_share_what_is_computed():
    feed = Feed(no_snapshot, 1.0)
    feed.take(snapshots.full())
    assert feed.data(NETWORK, "public") is feed.data(NETWORK, "public")
    before = feed.data(NETWORK, "public")
    feed.take(snapshots.full())
    assert feed.data(NETWORK, "public") is not before


# ---------------------------------------------------------------------- settings


@pytest.mark.parametrize("chosen", ["everybody", None, "owner:ada", ""])
def test_a_wrong_open_to_is_named(chosen):
    with (
        dask.config.set({"eco-dask.dashboard.open-to": chosen}),
        pytest.raises(ConfigurationError, match="open-to is one of public, recruiter, operator"),
    ):
        open_to()


@pytest.mark.parametrize("pages", [["network", "weather"], "network"])
def test_wrong_pages_are_named(pages):
    with (
        dask.config.set({"eco-dask.dashboard.pages": pages}),
        pytest.raises(ConfigurationError, match=r"weather|must be a list"),
    ):
        add_pages()


def test_a_scheduler_without_a_dashboard_has_no_pages():
    async def run() -> list:
        async with Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
            return registry.served(scheduler)

    assert asyncio.run(run()) == []
