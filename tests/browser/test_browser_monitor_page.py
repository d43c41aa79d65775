"""The live view's front end alone, in a page with a stand-in for the host's model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page

import eco_dask.notebook
from eco_dask.dashboard.model import Snapshot
from eco_dask.display.show import monitor_html
from eco_dask.testing.snapshots import crowded, empty, full, hostile

FOLDER = Path(eco_dask.notebook.__file__).parent
#: What a host gives to ``render``: values, and listeners by name.
MODEL = """
const listeners = {};
window.model = {
  values: {html: '', trouble: '', beat: 0, interval_s: 1},
  get: name => model.values[name],
  on: (name, f) => (listeners[name] ??= new Set()).add(f),
  off: (name, f) => listeners[name]?.delete(f),
  fire: name => listeners[name]?.forEach(f => f()),
  tell: values => {
    Object.assign(model.values, values, {beat: model.values.beat + 1});
    model.fire('change:beat');
  },
  listening: () => Object.values(listeners).reduce((n, each) => n + each.size, 0),
};
"""
COLOURS = {
    False: "background: #ffffff; color: #1f1f1f; color-scheme: light",
    True: "background: #111111; color: #dddddd; color-scheme: dark",
}


def page_of(page: Page, dark: bool = False) -> Page:
    """Show the front end in a page whose time stands still until a test moves it."""
    css, source = ((FOLDER / f"monitor.{kind}").read_text() for kind in ("css", "js"))
    page.clock.install()
    page.set_content(
        f"<!doctype html><html lang='en'><title>monitor</title><style>{css}</style>"
        f"<body style='{COLOURS[dark]}'><div id='view'></div></body></html>"
    )
    page.add_script_tag(content=MODEL)
    page.evaluate(
        """async source => {
          const url = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));
          const {default: widget} = await import(url);
          window.stop = widget.render({model, el: document.getElementById('view')});
        }""",
        source,
    )
    return page


def tell(page: Page, snapshot: Snapshot, **values: object) -> None:
    page.evaluate("v => model.tell(v)", {"html": monitor_html(snapshot.to_plain()), **values})


def figure(page: Page, path: str) -> str:
    return page.locator(f'[data-eco="{path}"]').inner_text()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    "snapshot",
    [full(), empty(), hostile(), crowded(1000)],
    ids=["full", "empty", "hostile", "crowded"],
)
def test_every_snapshot_is_shown(
    snapshot: Snapshot, dark: bool, new_page: Callable[..., Page]
) -> None:
    page = page_of(new_page(dark=dark, width=1000, height=720), dark)
    page.on("dialog", lambda dialog: pytest.fail(f"a name ran: {dialog.message}"))
    assert "Waiting for the first numbers" in page.inner_text("#view")
    tell(page, snapshot)
    assert figure(page, "network.providers_known") == f"{snapshot.network.providers_known:,}"
    assert page.locator("#view :is(script, img, svg, iframe, a)").count() == 0
    # Nothing is wider than its page.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_numbers_change_in_place(new_page: Callable[..., Page]) -> None:
    page = page_of(new_page())
    tell(page, full())
    node = page.locator('[data-eco="points.spent_mpt"]')
    node.evaluate("e => { e.marked = true; }")
    tell(page, replace(full(), points=replace(full().points, spent_mpt=1_234_567)))
    assert node.inner_text() == "1,234.567"
    assert node.evaluate("e => e.marked")
    # Jobs come and go: the table follows.
    tell(page, replace(full(), jobs=full().jobs[:1]))
    assert page.locator("tbody tr").count() == 1
    tell(page, empty())
    assert page.locator("tbody tr").count() == 0
    tell(page, full())
    assert page.locator("tbody tr").count() == len(full().jobs)


def test_silence_of_the_kernel_is_said_and_forgotten_when_news_come(
    new_page: Callable[..., Page],
) -> None:
    page = page_of(new_page())
    tell(page, full())
    notice = page.locator(".eco-notice")
    page.clock.run_for(4000)
    assert notice.is_hidden()
    page.clock.run_for(4000)
    assert "No news from the kernel for 8 s: it is busy or gone." in notice.inner_text()
    assert "The numbers are those of " in notice.inner_text()
    tell(page, full())
    assert notice.is_hidden()


def test_a_kernel_that_is_gone_is_said_at_once_and_the_numbers_stay(
    new_page: Callable[..., Page],
) -> None:
    page = page_of(new_page())
    tell(page, full())
    page.evaluate("model.fire('comm_live_update')")
    notice = page.locator(".eco-notice")
    assert notice.inner_text().startswith("The kernel is gone. The numbers are those of ")
    assert "Run the cell again" in notice.inner_text()
    assert figure(page, "network.providers_known") == "6"


def test_what_troubles_the_feed_is_said_as_text(new_page: Callable[..., Page]) -> None:
    page = page_of(new_page())
    tell(page, full(), trouble="The scheduler does not answer (<b>refused</b>).")
    assert "(<b>refused</b>)." in page.locator(".eco-notice").inner_text()


def test_a_view_that_is_taken_away_leaves_nothing_behind(new_page: Callable[..., Page]) -> None:
    page = page_of(new_page())
    assert page.evaluate("model.listening()") == 2
    page.evaluate("stop()")
    assert page.evaluate("model.listening()") == 0


def test_the_module_needs_nothing_from_elsewhere() -> None:
    source = (FOLDER / "monitor.js").read_text()
    assert "import " not in source
    assert "http" not in source
