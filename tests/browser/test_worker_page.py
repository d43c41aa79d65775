"""The provider's own page in a real browser, of a real provider that works for a real client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from distributed import Client
from playwright.sync_api import Page, expect

from eco_dask import EcoCluster

pytestmark = pytest.mark.e2e
QUICK = {
    "eco-dask.gateway.benchmark-steps": 2,
    "eco-dask.gateway.benchmark-size": 64,
    "eco-dask.quorum.size": 1,
}


@dataclass(frozen=True)
class Lent:
    """A machine that was lent."""

    link: str
    home: Path
    process: subprocess.Popen


@pytest.fixture(scope="module")
def a_lent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lent]:
    """A provider that answered some tasks and waits for more; named to come before Chromium."""

    def slow(n: int) -> int:
        time.sleep(0.2)
        return n

    home = tmp_path_factory.mktemp("lent") / "provider"
    with EcoCluster(
        n_providers=0, trusted_workers=0, dashboard_address=None, config=QUICK
    ) as cluster:
        command = [sys.executable, "-m", "eco_dask.cli.worker", "--local-directory", str(home)]
        process = subprocess.Popen(
            [*command, "--nthreads", "1"],
            env=os.environ | {"ECO_DASK_JOIN_LINK": str(cluster.invite("olga"))},
        )
        try:
            with Client(cluster.scheduler_address) as client:
                assert sum(client.gather(client.map(slow, range(8), pure=False))) == 28
            control = json.loads((home / "control.json").read_text())
            yield Lent(f"http://127.0.0.1:{control['port']}/#{control['token']}", home, process)
        finally:
            process.terminate()
            process.wait(20)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_owner_sees_state_points_and_receipts(a_lent: Lent, new_page, dark: bool) -> None:
    page: Page = new_page(dark=dark, height=1400)
    page.goto(a_lent.link)
    expect(page.locator("#state")).to_have_text("Waiting for work")
    expect(page.locator("#why")).to_contain_text("No recruiter has work now")
    expect(page.locator("#tasks-today")).to_have_text("8")
    expect(page.locator("#done tbody tr")).to_have_count(8)
    expect(page.locator("#done tbody tr").first).to_contain_text("The answer was accepted")
    expect(page.locator("#today")).to_contain_text("points")
    expect(page.locator("#energy-source")).not_to_be_empty()
    expect(page.locator("#limits li").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_buttons_pause_and_resume(a_lent: Lent, new_page) -> None:
    page: Page = new_page()
    page.goto(a_lent.link)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#state")).to_have_text("Paused")
    expect(page.locator("#why")).to_have_text("You paused it.")
    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#state")).to_have_text("Waiting for work")


def test_a_setting_is_changed_and_a_wrong_one_is_refused_in_words(
    a_lent: Lent, new_page, console_errors
) -> None:
    page: Page = new_page()
    page.goto(a_lent.link)
    page.get_by_label("presence.idle").fill("5 minutes")
    page.get_by_label("presence.idle").blur()
    expect(page.locator("#said")).to_have_text("presence.idle is changed.")
    assert "5 minutes" in (a_lent.home / "worker.yaml").read_text()
    page.get_by_label("presence.load-max").fill("7")
    page.get_by_label("presence.load-max").blur()
    expect(page.locator("#said")).to_contain_text("at most 1")
    page.get_by_label("presence.idle").fill("")
    page.get_by_label("presence.idle").blur()
    expect(page.locator("#said")).to_have_text("presence.idle is changed.")
    # The browser logs every refusal.
    assert all("400" in error for error in console_errors)
    console_errors.clear()


def test_on_a_phone_nothing_is_cut_off(a_lent: Lent, new_page) -> None:
    page: Page = new_page(width=390, height=1800)
    page.goto(a_lent.link)
    expect(page.locator("#done tbody tr")).to_have_count(8)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_the_token_the_page_says_so(a_lent: Lent, new_page, console_errors) -> None:
    page: Page = new_page()
    page.goto(a_lent.link.partition("#")[0])
    expect(page.locator("#state")).to_have_text("The worker does not answer")
    expect(page.locator("#why")).to_contain_text("token")
    assert all("401" in error for error in console_errors)
    console_errors.clear()


def test_stop_ends_the_worker(a_lent: Lent, new_page, console_errors) -> None:
    page: Page = new_page()
    page.goto(a_lent.link)
    page.get_by_role("button", name="Stop").click()
    assert a_lent.process.wait(20) == 0
    expect(page.locator("#state")).to_have_text("The worker does not answer")
    console_errors.clear()
