"""The pages in Dask's own dashboard, in a real browser: with data, with none, with hostile names."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from distributed import Scheduler

from eco_dask.dashboard.model import Snapshot
from eco_dask.dashboard.pages import registry
from eco_dask.dashboard.pages.feed import Feed
from eco_dask.testing import snapshots

SAMPLES = {"full": snapshots.full, "empty": snapshots.empty, "hostile": snapshots.hostile}
PATHS = [registry.path_of(page) for page in registry.PAGES]
PANELS = [f"individual-eco-{panel.name}" for panel in registry.PANELS]


@dataclass
class Shown:
    """A scheduler's dashboard that shows whatever snapshot a test wants."""

    url: str = ""
    snapshot: Snapshot = snapshots.empty()
    at_s: float = snapshots.AT_S

    async def build(self) -> Snapshot:
        self.at_s += 1
        return replace(self.snapshot, at_s=self.at_s)


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    """In a thread: Playwright keeps a loop in the test's own."""
    made, ready, stop = Shown(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        registry.register()
        async with Scheduler(
            host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0"
        ) as scheduler:
            unlink = registry.link(scheduler, Feed(made.build, interval_s=0.2))
            made.url = f"http://127.0.0.1:{scheduler.http_server.port}"
            ready.set()
            await stop.wait()
            unlink()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(30)
    yield made
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    loop.close()


def open_page(new_page, shown: Shown, path: str, **options):
    page = new_page(height=1000, **options)
    page.goto(f"{shown.url}/{path}")
    page.wait_for_function("() => window.Bokeh?.documents?.[0]?.is_idle")
    return page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("path", PATHS)
def test_every_page_renders(shown, new_page, path, sample, dark):
    shown.snapshot = SAMPLES[sample]()
    page = open_page(new_page, shown, path, dark=dark)
    page.locator(".tile").first.wait_for()
    page.wait_for_timeout(500)
