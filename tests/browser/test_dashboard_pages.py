"""The pages in Dask's own dashboard, in a real browser: full, empty, hostile, and for whom."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from distributed import Scheduler
from playwright.sync_api import TimeoutError as NotYet

from eco_dask.dashboard.model import Snapshot
from eco_dask.dashboard.pages import registry
from eco_dask.dashboard.pages.feed import Feed
from eco_dask.dashboard.pages.signing_in import SignIns
from eco_dask.dashboard.pages.site import PAGES, PROVIDER, Site, path_of
from eco_dask.ledger.receipts import Receipt, ReceiptReason
from eco_dask.ledger.tokens import PUBLIC, Scope
from eco_dask.testing import snapshots

SAMPLES = {"full": snapshots.full, "empty": snapshots.empty, "hostile": snapshots.hostile}
#: Markup of the hostile names that must never become elements.
PLANTED = "img[src=x], svg[onload], script:text('alert')"
TOKENS = {"ada's": Scope("owner", "ada"), "the operator's": Scope("operator")}


@dataclass
class Shown:
    """A scheduler's dashboard that shows whatever snapshot a test wants, to whom it wants."""

    url: str = ""
    snapshot: Snapshot = field(default_factory=snapshots.empty)
    at_s: float = snapshots.AT_S
    failure: str = ""
    tokens: dict[str, Scope] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)

    async def build(self) -> Snapshot:
        if self.failure:
            raise RuntimeError(self.failure)
        self.at_s += 1
        return replace(self.snapshot, at_s=self.at_s)

    async def receipts(self, owner: str) -> list[Receipt]:
        reasons = (ReceiptReason.AGREED, ReceiptReason.EXPIRED, ReceiptReason.DISSENTED)
        return [
            Receipt(
                f"lease-{n}", f"ballot-{n}", "job-a", "matmul", f"000{n % 2 * 3}c0ffee",
                owner, reason, 1.25, 2.5, 1.1, 1100 if reason == "agreed" else 0,
                snapshots.AT_S - 60 * n, b"digest",
            )
            for n, reason in enumerate(reasons * 3)
        ]  # fmt: skip

    async def serve(self, open_to: Scope, ready: threading.Event, stop: asyncio.Event) -> None:
        registry.register()
        async with Scheduler(
            host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0"
        ) as scheduler:
            feed = Feed(self.build, interval_s=0.2, receipts=self.receipts)
            site = Site(feed, SignIns(self.tokens.get), open_to)
            registry.link(scheduler, site)
            self.sites[str(open_to)] = site
            self.url = f"http://127.0.0.1:{scheduler.http_server.port}"
            ready.set()
            await stop.wait()
            registry.unlink(scheduler)


def serving(open_to: Scope) -> Iterator[Shown]:
    """In a thread: Playwright keeps a loop in the test's own."""
    made, ready, stop = Shown(), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    task = made.serve(open_to, ready, stop)
    thread = threading.Thread(target=loop.run_until_complete, args=(task,))
    thread.start()
    assert ready.wait(30)
    yield made
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    loop.close()


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    yield from serving(Scope("operator"))


@pytest.fixture(scope="module")
def guarded() -> Iterator[Shown]:
    yield from serving(PUBLIC)


@pytest.fixture
def dialogs() -> list[str]:
    return []


def visit(page, address: str):
    page.goto(address)
    page.wait_for_function("() => window.Bokeh?.documents?.[0]?.is_idle")


def open_page(new_page, dialogs, shown: Shown, path: str, **options):
    page = new_page(height=1000, **options)
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    visit(page, f"{shown.url}/{path}")
    return page


# ---------------------------------------------------------------------- what pages show


@pytest.mark.parametrize(
    ("sample", "dark"), [("full", False), ("full", True), ("empty", False), ("hostile", True)]
)
@pytest.mark.parametrize("page_of", PAGES, ids=lambda page: page.name)
def test_every_page_renders(shown, new_page, dialogs, page_of, sample, dark):
    shown.snapshot = SAMPLES[sample]()
    owners = [one.name for one in shown.snapshot.owners] or ["nobody"]
    asked = f"?owner={urllib.parse.quote(owners[0])}" if page_of is PROVIDER else ""
    page = open_page(new_page, dialogs, shown, path_of(page_of) + asked, dark=dark)

    page.locator(".tile").first.wait_for()
    for part in page_of.parts():
        if part.card.says:
            assert page.get_by_role("heading", name=part.card.title, exact=True).is_visible()
    assert page.locator(PLANTED).count() == 0
    assert dialogs == []


@pytest.mark.parametrize("panel", registry.PANELS, ids=lambda panel: panel.name)
def test_every_panel_stands_alone_and_is_listed_for_jupyterlab(shown, new_page, dialogs, panel):
    shown.snapshot = snapshots.full()
    listed = json.load(urllib.request.urlopen(f"{shown.url}/individual-plots.json"))
    path = f"individual-eco-{panel.name}"
    assert f"/{path}" in listed.values()

    page = open_page(new_page, dialogs, shown, f"{path}?owner=ada", width=520)
    page.locator("section.eco-card .bk-Figure, .tile, .slick-row").first.wait_for()
    assert page.locator(".navbar").count() == 0


def test_all_pages_are_in_dasks_navigation(shown, new_page, dialogs):
    page = open_page(new_page, dialogs, shown, "workers")
    assert page.locator("#myTopnav > ul > li > a[href=eco]").is_visible()
    more = page.locator(".dropdown-content a")
    assert {path_of(each) for each in PAGES} <= {
        more.nth(n).get_attribute("href") for n in range(more.count())
    }


def test_an_empty_network_says_what_to_do(shown, new_page, dialogs):
    shown.snapshot = snapshots.empty()
    page = open_page(new_page, dialogs, shown, "eco")
    page.get_by_text("eco-dask invite").first.wait_for()


def test_figures_change_without_a_reload(shown, new_page, dialogs):
    shown.snapshot = full = snapshots.full()
    page = open_page(new_page, dialogs, shown, "eco")
    page.get_by_text("3 of 16 slots").wait_for()
    shown.snapshot = replace(full, network=replace(full.network, slots=99))
    page.get_by_text("3 of 99 slots").wait_for()


def test_tables_show_hostile_names_as_text(shown, new_page, dialogs):
    shown.snapshot = snapshots.hostile()
    page = open_page(new_page, dialogs, shown, "eco-verification")
    page.get_by_text("<script>alert('eco')</script>").first.wait_for()
    assert page.locator(PLANTED).count() == 0
    assert dialogs == []


def test_tooltips_show_hostile_names_as_text(shown, new_page, dialogs):
    shown.snapshot = snapshots.hostile()
    page = open_page(new_page, dialogs, shown, "individual-eco-job-progress")
    page.locator(".bk-Figure").first.wait_for()
    box = page.locator(".bk-Figure").first.bounding_box()
    tooltip = page.locator(".bk-tooltip-content").first
    # Down through the bars, wherever they are drawn.
    for height in [box["height"] * (10 + step) / 50 for step in range(30)]:
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + height, steps=3)
        with contextlib.suppress(NotYet):
            tooltip.wait_for(timeout=250)
            break
    assert "alert" in tooltip.inner_text()
    assert page.locator(PLANTED).count() == 0
    assert dialogs == []


def test_a_thousand_providers_can_be_scrolled_through_and_more_are_counted(
    shown, new_page, dialogs
):
    shown.snapshot = snapshots.crowded(1003)
    page = open_page(new_page, dialogs, shown, "eco")
    page.get_by_text("of 1,003 known").wait_for()
    page.locator(".slick-row").first.wait_for()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    rows = page.locator(".slick-viewport").first
    rows.hover()
    page.mouse.wheel(0, 30_000)
    # Revoked ones are sorted last.
    page.locator(".slick-row").get_by_text("revoked").first.wait_for()
    note = page.get_by_text("3 more rows are left out here")
    note.wait_for()
    shown.snapshot = snapshots.crowded(1000)
    note.wait_for(state="hidden")


def test_a_failing_snapshot_is_told_and_ends(shown, new_page, dialogs):
    shown.snapshot = snapshots.full()
    page = open_page(new_page, dialogs, shown, "eco-jobs")
    page.locator(".tile").first.wait_for()
    shown.failure = "the books <b>are</b> busy"
    page.get_by_role("alert").get_by_text("the books <b>are</b> busy").wait_for()
    shown.failure = ""
    page.get_by_role("alert").wait_for(state="hidden")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_address_may_choose_the_colours(shown, new_page, dialogs, theme):
    page = open_page(new_page, dialogs, shown, f"eco?theme={theme}", dark=theme == "light")
    scheme = "getComputedStyle(document.documentElement).colorScheme"
    assert page.evaluate(scheme) == theme


# ---------------------------------------------------------------------- who sees what


def frames_of(page) -> list[str | bytes]:
    """Everything that the server sends to a page after its HTML."""
    found: list[str | bytes] = []
    page.on(
        "websocket", lambda socket: socket.on("framereceived", lambda frame: found.append(frame))
    )
    return found


def said(page, frames) -> str:
    return page.content() + "".join(
        each if isinstance(each, str) else each.decode("latin1") for each in frames
    )


def sign_in(page, guarded: Shown, token: str) -> None:
    page.goto(f"{guarded.url}/eco-sign-in?next=eco-provider")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("page_of", PAGES, ids=lambda page: page.name)
def test_the_public_is_sent_no_names(guarded, new_page, dialogs, page_of):
    guarded.snapshot = snapshots.full()
    page = new_page(height=1000)
    frames = frames_of(page)
    visit(page, f"{guarded.url}/{path_of(page_of)}?owner=ada")
    page.get_by_text("ign in").first.wait_for()
    if page_of is not PROVIDER:
        page.locator(".tile").first.wait_for()
    for name in ("mallory", "bob", "c0ffee", "north sea"):
        assert name not in said(page, frames)


def test_an_owner_sees_its_own_page_and_nothing_of_others(guarded, new_page):
    guarded.snapshot = snapshots.full()
    guarded.tokens.update(TOKENS)
    page = new_page(height=1000)
    frames = frames_of(page)
    sign_in(page, guarded, "ada's")
    page.get_by_text("2 known").wait_for()
    page.get_by_text("No answer came before the deadline").first.wait_for()
    visit(page, f"{guarded.url}/eco-provider?owner=mallory")
    page.get_by_text("owner:ada").wait_for()
    page.locator(".tile").first.wait_for()
    for name in ("mallory", "bob", "0001c0ffee", "0002c0ffee"):
        assert name not in said(page, frames).replace("?owner=mallory", "")


def test_the_operator_chooses_an_owner(guarded, new_page):
    guarded.snapshot = snapshots.full()
    guarded.tokens.update(TOKENS)
    page = new_page(height=1000)
    sign_in(page, guarded, "the operator's")
    page.get_by_label("Owner").fill("mallory")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("2 known").wait_for()
    page.locator(".slick-row").get_by_text("0002c0ffee").first.wait_for()


def test_a_wrong_token_opens_nothing(guarded, new_page, console_errors):
    guarded.tokens.update(TOKENS)
    page = new_page()
    sign_in(page, guarded, "<b>guess</b>")
    page.get_by_role("alert").get_by_text("opens nothing").wait_for()
    assert page.context.cookies() == []
    # Chromium logs every 403.
    assert [text for text in console_errors if "403" not in text] == []
    console_errors.clear()


def test_signing_out_takes_the_page_away(guarded, new_page):
    guarded.snapshot = snapshots.full()
    guarded.tokens.update(TOKENS)
    page = new_page()
    sign_in(page, guarded, "ada's")
    page.locator(".tile").first.wait_for()
    other = page.context.new_page()
    visit(other, f"{guarded.url}/eco-jobs")
    other.get_by_role("button", name="Sign out").click()
    # In the page that is still open, too.
    page.locator(".tile").first.wait_for(state="detached")


def test_no_script_can_read_the_cookie_and_no_other_site_sends_it(guarded, new_page):
    guarded.tokens.update(TOKENS)
    page = new_page()
    sign_in(page, guarded, "ada's")
    page.get_by_text("owner:ada").wait_for()
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert cookie["value"] not in TOKENS
