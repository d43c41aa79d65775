"""The live view in a real JupyterLab, in a notebook that runs on a real network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from distributed import Client
from jupyterlab_server import (
    PATIENCE_S,
    Lab,
    open_lab,
    open_notebook,
    running_lab,
    start_all,
    write_notebook,
)
from playwright.sync_api import Page, expect

from eco_dask import EcoCluster
from eco_dask.cluster import ProviderSpec
from eco_dask.display.figures import JOBS_MAX, jobs, sections

TASKS = 40
# A busy machine starts runners, and loads pages, in more than the usual five seconds.
expect.set_options(timeout=1000 * PATIENCE_S)
CONNECT = """\
import time
from dask.distributed import Client
import eco_dask
client = Client({address!r})
eco_dask.monitor(client, interval="500 ms")"""
COMPUTE = """\
def slowly(x):
    time.sleep(0.25)
    return 2 * x

with eco_dask.job("<b>doubling</b>", quorum=2, budget=500) as job:
    values = client.gather(client.map(slowly, range({tasks}), pure=False))
assert values == [2 * x for x in range({tasks})]
job"""

#: The widget in the notebook; the panel at the side has figures of its own.
VIEW = ".jp-Notebook "


@pytest.fixture(scope="module")
def network() -> Iterator[EcoCluster]:
    """Three honest providers, and one that lies."""
    liar = ProviderSpec(
        "mallory", module="eco_dask.testing.provider", arguments=("--behaviour", "lie:0.5")
    )
    providers = [ProviderSpec("ada"), ProviderSpec("bob"), ProviderSpec("cem"), liar]
    quick = {"eco-dask.gateway.benchmark-steps": 2, "eco-dask.gateway.benchmark-size": 64}
    with EcoCluster(providers=providers, config=quick) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def lab(network: EcoCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        connect = CONNECT.format(address=network.scheduler_address)
        cells = [connect, COMPUTE.format(tasks=TASKS), "job.report()"]
        write_notebook(lab.notebooks / "watched.ipynb", cells)
        write_notebook(lab.notebooks / "restarted.ipynb", [connect])
        yield lab


def figure(page: Page, path: str) -> str:
    """What the view says at a path of the snapshot."""
    found = page.locator(f'{VIEW}[data-eco="{path}"]').first
    return str(found.get_attribute("data-value"))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_numbers_change_while_a_cell_computes_and_end_as_the_books_say(
    dark: bool, network: EcoCluster, lab: Lab, new_page: Callable[..., Page]
) -> None:
    page = new_page(dark=dark, width=1280, height=1300)
    open_lab(page, lab, dark=dark)
    open_notebook(page, "watched.ipynb")
    start_all(page)
    job = page.locator("tr[data-job]").filter(has_text="running").first
    expect(job).to_contain_text("<b>doubling</b>")
    done = job.locator('[data-eco$=".done"]')
    last = "0"
    # Not one number at the end of the cell: several, while the kernel is busy with it.
    for _ in range(3):
        expect(done).not_to_have_attribute("data-value", last)
        last = str(done.get_attribute("data-value"))
        assert page.locator(".jp-InputPrompt").nth(1).inner_text() == "[*]:"
    page.wait_for_selector(".jp-OutputArea h3:has-text('JobReport')")
    shown = page.locator("tr[data-job]").first
    expect(shown.locator('[data-eco$=".done"]')).to_have_attribute("data-value", str(TASKS))
    page.wait_for_function("() => document.querySelectorAll('.eco-state-running').length === 0")
    assert float(figure(page, "points.spent_mpt")) > 0
    assert figure(page, "network.providers_connected") == "5"
    assert "Job" in page.inner_text(".jp-Notebook")


def test_every_figure_is_the_schedulers_once_nothing_moves(
    network: EcoCluster, lab: Lab, new_page: Callable[..., Page]
) -> None:
    page = new_page()
    open_lab(page, lab)
    open_notebook(page, "restarted.ipynb")
    start_all(page)
    page.wait_for_selector(VIEW + "[data-eco]")

    with Client(network.scheduler_address, set_as_default=False) as client:
        deadline_s = time.monotonic() + PATIENCE_S
        while differing := _differing(page, client):
            assert time.monotonic() < deadline_s, differing
            page.wait_for_timeout(200)


def _differing(page: Page, client: Client) -> dict[str, Any]:
    """Figures that the page shows otherwise than the scheduler says them."""
    read = "all => Object.fromEntries(all.map(e => [e.dataset.eco, e.dataset.value]))"
    shown = page.eval_on_selector_all(VIEW + "[data-eco]", read)
    plain = client.sync(client.scheduler.eco_snapshot)
    groups = (*sections(plain), *jobs(plain)[:JOBS_MAX])
    said = {f.path: "" if f.value is None else str(f.value) for g in groups for f in g.figures}
    # Failures of a job without any are not shown.
    return {
        path: (value, said.get(path)) for path, value in shown.items() if value != said.get(path)
    }


def test_a_restarted_kernel_is_said_and_the_cell_runs_again(
    lab: Lab, new_page: Callable[..., Page], console_errors: list[str]
) -> None:
    page = new_page(width=1280, height=1000)
    open_lab(page, lab)
    open_notebook(page, "restarted.ipynb")
    start_all(page)
    page.wait_for_selector(VIEW + '[data-eco="network.providers_connected"]')
    notice = page.locator(".eco-notice")
    expect(notice).to_be_hidden()
    page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    expect(notice).to_contain_text("The kernel is gone. The numbers are those of ")
    assert figure(page, "network.providers_connected") == "5"
    start_all(page)
    expect(page.locator(".eco-notice")).to_be_hidden()
    assert figure(page, "network.providers_connected") == "5"
    # JupyterLab's own, of requests that a restart interrupts.
    console_errors[:] = [error for error in console_errors if "Canceled future for" not in error]
