"""The panel in a real JupyterLab and Chromium: a job on a network with a liar, and its end."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from eco_dask import EcoCluster
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger
from eco_dask.providers.registry import Registry
from eco_dask.testing.fleets import FLEETS
from eco_dask.types import JobId

sys.path.insert(0, str(Path(__file__).parents[1] / "jupyter"))

from jupyter_process import TOKEN, JupyterServer
from panel_tools import built

pytestmark = pytest.mark.e2e
QUICK = {"eco-dask.gateway.benchmark-steps": 2, "eco-dask.gateway.benchmark-size": 64}

#: What runs in the notebook: a minute's work, and more, for four providers of whom one lies.
JOB = """
import time, eco_dask
from dask.distributed import Client
client = Client({address!r})

def slowly(x):
    time.sleep(0.15)
    return x * x

job = eco_dask.job("squares", error=1e-3, budget=500)
with job:
    futures = client.map(slowly, range(400))
"""


@pytest.fixture(scope="module")
def cluster():
    with EcoCluster(providers=FLEETS["one liar"], config=QUICK, name="the network") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def invitation(cluster):
    return cluster.invite("the-owner")


@pytest.fixture(scope="module")
def lab(tmp_path_factory, cluster):
    built()
    with JupyterServer(tmp_path_factory.mktemp("lab"), {}, app="jupyterlab") as server:
        yield server


def open_lab(new_page, lab, *, dark=False, **size):
    page = new_page(dark=dark, **size)
    page.goto(f"{lab.url}lab?token={TOKEN}&reset")
    page.wait_for_selector("#jp-main-dock-panel", timeout=90_000)
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    page.evaluate("() => window.jupyterapp.restored")
    page.click('.jp-SideBar [data-id="eco-dask-panel"]')
    return page


def run(page, command, arguments=None):
    page.evaluate(
        "([command, args]) => window.jupyterapp.commands.execute(command, args).then(() => null)",
        [command, arguments or {}],
    )


def open_notebook(page, lab, name, source):
    import nbformat

    cells = [nbformat.v4.new_code_cell(source)] if source else []
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, lab.notebooks / name)
    run(page, "docmanager:open", {"path": name})
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.ready")


def shown(page, name):
    return page.locator(f"#eco-dask-panel [data-eco={name}]").first


def until(page, name, pattern, timeout_ms=90_000):
    """Wait until a figure matches, and return it."""
    page.wait_for_function(
        "([name, pattern]) => new RegExp(pattern).test(document.querySelector("
        "`#eco-dask-panel [data-eco=${name}]`)?.textContent ?? '')",
        arg=[name, pattern],
        timeout=timeout_ms,
    )
    return shown(page, name).text_content()


def until_same(page, wanted, found, timeout_s=60):
    """Wait until two texts agree, both looked at anew."""
    deadline_s = time.monotonic() + timeout_s
    while wanted() != found():
        assert time.monotonic() < deadline_s, (wanted(), found())
        page.wait_for_timeout(300)


def points(mpt):
    """Points as the panel shows them."""
    whole = mpt / 1000
    decimals = 3 if whole < 1 else 2 if whole < 10 else 1 if whole < 100 else 0
    text = f"{whole:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def spent_mpt(cluster, job):
    engine = open_database(f"sqlite:///{cluster.data_directory / 'coordinator.sqlite'}")
    try:
        return Ledger(engine).job_totals(JobId(job)).spent_mpt
    finally:
        engine.dispose()


def earned_mpt(cluster, owner):
    # Not by the cluster's own loop, which must not run in the browser's thread.
    engine = open_database(f"sqlite:///{cluster.data_directory / 'coordinator.sqlite'}")
    try:
        ids = {each.id for each in Registry(engine).providers() if each.owner == owner}
        return sum(t.posted_mpt for t in Ledger(engine).provider_totals() if t.provider in ids)
    finally:
        engine.dispose()


def test_a_network_with_a_liar_is_shown_and_a_job_cancelled(new_page, lab, cluster, artefacts):
    page = open_lab(new_page, lab, width=1280, height=1100)
    assert "No coordinator yet" in shown(page, "no-coordinator").text_content()

    # The panel finds the notebook's coordinator by itself.
    open_notebook(page, lab, "liar.ipynb", JOB.format(address=cluster.scheduler_address))
    run(page, "notebook:run-all-cells")
    job = page.locator("#eco-dask-panel [data-eco-job]").first
    job.wait_for(timeout=90_000)
    assert "squares" in job.text_content()

    # Progress, verification, points and energy.
    until(page, "job-tasks", r"^[1-9]\d* of 400 tasks")
    until(page, "job-spent", r"^0?\.?[\d.]*[1-9][\d.]* of 500 points")
    until(page, "job-attempts", r"^\d+ tasks, [1-9]")
    until(page, "job-energy", r"\S")
    until(page, "providers", r"^5$")
    until(page, "job-caught", r"mallory", 120_000)
    page.screenshot(path=artefacts / "panel-light.png")

    # Cancelling asks first.
    page.click("#eco-dask-panel [data-eco=cancel]")
    page.click(".jp-Dialog button.jp-mod-warn")
    until(page, "job-state", r"^cancelled$")
    assert page.locator("#eco-dask-panel [data-eco=cancel]").count() == 0
    assert page.locator("#eco-dask-panel [data-eco=error]").count() == 0

    # What is shown is what the books say.
    key = job.get_attribute("data-eco-job")
    until_same(
        page,
        lambda: f"{points(spent_mpt(cluster, key))} of 500 points",
        lambda: shown(page, "job-spent").text_content(),
    )
    for owner in ("ann", "bob", "mallory"):
        line = page.locator(f"#eco-dask-panel [data-eco-owner={owner}]")
        until_same(
            page,
            lambda owner=owner: f"{owner}{points(earned_mpt(cluster, owner))} points",
            lambda line=line: line.locator(".eco-Row").first.text_content(),
        )
    page.screenshot(path=artefacts / "panel-cancelled.png")


def test_code_is_written_into_the_notebook_in_front(new_page, lab, cluster):
    page = open_lab(new_page, lab)
    until(page, "providers", r"^5$")
    open_notebook(page, lab, "empty.ipynb", "")
    page.click("#eco-dask-panel [data-eco=insert]")
    page.wait_for_function(
        "(address) => window.jupyterapp.shell.currentWidget.content.widgets.some("
        'cell => cell.model.sharedModel.source.includes(`Client("${address}")`))',
        arg=cluster.scheduler_address,
    )


def test_pages_of_the_shown_coordinator_open_in_dask_labextensions_panes(
    new_page, lab, cluster, artefacts
):
    page = open_lab(new_page, lab, width=1400, height=950)
    until(page, "providers", r"^5$")
    # Nobody told dask-labextension of it before.
    page.locator("#eco-dask-panel [data-eco=pane]").get_by_text("Network").click()
    pane = page.frame_locator("iframe[src*='individual-eco-network']")
    pane.get_by_text("connected, of 5 known").wait_for(timeout=60_000)
    page.screenshot(path=artefacts / "panel-pane.png")
    page.click('.jp-SideBar [data-id="dask-dashboard-launcher"]')
    listed = page.locator("#dask-dashboard-launcher")
    for name in ("Eco Network", "Eco Verification", "Eco Points", "Eco Energy", "Eco Jobs"):
        listed.get_by_text(name, exact=True).wait_for(timeout=30_000)


def test_this_machine_is_lent_and_paused_from_the_panel(
    new_page, lab, cluster, invitation, artefacts
):
    page = open_lab(new_page, lab, width=1280, height=1100)
    page.click("#eco-dask-panel [aria-controls=eco-machine-body]")
    page.fill("#eco-dask-panel [data-eco=join-link]", invitation)
    page.fill("#eco-dask-panel [data-eco=machine-slots]", "1")
    page.click("#eco-dask-panel [data-eco=share]")
    until(page, "machine-state", r"waiting|working")
    page.click("#eco-dask-panel [data-eco=order-pause]")
    until(page, "machine-state", r"^paused$")
    page.evaluate("() => { document.querySelector('.eco-Panel-scroll').scrollTop = 1e6; }")
    page.screenshot(path=artefacts / "panel-machine.png")
    page.click("#eco-dask-panel [data-eco=order-run]")
    until(page, "machine-state", r"waiting|working")
    page.click("#eco-dask-panel [data-eco=unshare]")
    page.wait_for_selector("#eco-dask-panel [data-eco=share]", timeout=60_000)
    secret = invitation.rpartition("/")[2].split(".")[1]
    assert secret not in page.content()


def test_a_network_is_started_and_stopped_from_the_panel(new_page, lab):
    page = open_lab(new_page, lab)
    page.click("#eco-dask-panel [data-eco=new-cluster]")
    page.fill(".jp-Dialog input", "2")
    page.click(".jp-Dialog button.jp-mod-accept")
    until(page, "providers", r"^3$", 120_000)
    page.click("#eco-dask-panel [data-eco=forget]")
    page.click(".jp-Dialog button.jp-mod-warn")
    until(page, "providers", r"^[56]$")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_rest_of_the_panel(new_page, lab, cluster, dark, artefacts):
    page = open_lab(new_page, lab, dark=dark, width=1280, height=1100)
    until(page, "providers", r"^[56]$")
    page.click("#eco-dask-panel [aria-controls=eco-machine-body]")
    page.click("#eco-dask-panel [data-eco=add]")
    page.evaluate("() => { document.querySelector('.eco-Panel-scroll').scrollTop = 1e6; }")
    name = f"panel-{'dark' if dark else 'light'}-below.png"
    page.screenshot(path=artefacts / name)
    status = page.locator("[data-eco=status]")
    assert "points" in status.text_content()
