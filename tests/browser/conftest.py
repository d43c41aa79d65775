"""A real Chromium for tests: Debian's, driven by Playwright, never skipped.

chromium ──new_page(dark=True)──► Page     at the end: a screenshot of it, and no console errors

Playwright's synchronous API leaves an event loop running in this thread while ``chromium`` lives.
So it lives as long as a module, and clusters and clients are made in fixtures that come before it
(wider, or named first), or in processes of their own.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

#: Screenshots, for people to look at; not in version control.
ARTEFACTS = Path(__file__).parents[1] / "artefacts"
ARGUMENTS = [
    "--no-sandbox",  # Chromium refuses to sandbox root, which CI runs as
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


def chromium_path() -> str:
    """Where Chromium is; its absence fails the tests, so that no CI passes without them."""
    chosen = os.environ.get("ECO_DASK_CHROMIUM")
    found = chosen or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail(
            f"the browser tests need Chromium, and none of {', '.join(NAMES)} is on the PATH. "
            "On Debian: apt install chromium. Elsewhere set ECO_DASK_CHROMIUM to its path, or "
            "leave these tests out: pytest -m 'not browser'.",
            pytrace=False,
        )
    return found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One Chromium for a module's tests."""
    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Folder of screenshots."""
    ARTEFACTS.mkdir(exist_ok=True)
    return ARTEFACTS


@pytest.fixture
def console_errors() -> list[str]:
    """What pages complained about so far; a test may take out what it expects."""
    return []


@pytest.fixture
def new_page(
    chromium: Browser, console_errors: list[str], artefacts: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """Make pages; afterwards there is a screenshot of each, and none logged an error.

    ``new_page(dark=False, width=1280, height=800)`` returns a Playwright page.
    """
    contexts: list[BrowserContext] = []

    def make(*, dark: bool = False, width: int = 1280, height: int = 800) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: console_errors.append(f"uncaught: {error}"))
        page.on(
            "console",
            lambda said: said.type == "error" and console_errors.append(f"console: {said.text}"),
        )
        return page

    yield make
    name = re.sub(r"[^\w.-]+", "-", request.node.name).strip("-")
    for number, context in enumerate(contexts):
        for page in context.pages:
            page.screenshot(path=artefacts / f"{name}{f'-{number}' if number else ''}.png")
        context.close()
    assert console_errors == []
