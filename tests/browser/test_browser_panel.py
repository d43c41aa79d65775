"""The panel in a real JupyterLab and Chromium: a job on a network with a liar, and its end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from eco_dask import EcoCluster
from eco_dask.testing.fleets import FLEETS

sys.path.insert(0, str(Path(__file__).parents[1] / "jupyter"))

from jupyter_process import TOKEN, JupyterServer
from panel_tools import built

pytestmark = pytest.mark.e2e
QUICK = {"eco-dask.gateway.benchmark-steps": 2, "eco-dask.gateway.benchmark-size": 64}

#: What runs in the notebook: half a minute of work for four providers, one of whom lies.
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
    theme = "JupyterLab Dark" if dark else "JupyterLab Light"
    run(page, "apputils:change-theme", {"theme": theme})
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

    # What is shown is what the books say.
    (mallory,) = [p for p in cluster.providers if p["owner"] == "mallory"]
    line = page.locator("#eco-dask-panel [data-eco-owner=mallory]")
    assert f"{mallory['posted_mpt']}" == "0" or "points" in line.text_content()

    # Cancelling asks first.
    page.click("#eco-dask-panel [data-eco=cancel]")
    page.click(".jp-Dialog button.jp-mod-warn")
    until(page, "job-state", r"^cancelled$")
    assert page.locator("#eco-dask-panel [data-eco=cancel]").count() == 0
    page.screenshot(path=artefacts / "panel-cancelled.png")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_rest_of_the_panel(new_page, lab, cluster, dark, artefacts):
    page = open_lab(new_page, lab, dark=dark, width=1280, height=1100)
    until(page, "providers", r"^5$")
    page.click("#eco-dask-panel [aria-controls=eco-machine-body]")
    page.click("#eco-dask-panel [data-eco=add]")
    page.evaluate("() => { document.querySelector('.eco-Panel-scroll').scrollTop = 1e6; }")
    name = f"panel-{'dark' if dark else 'light'}-below.png"
    page.screenshot(path=artefacts / name)
    status = page.locator("[data-eco=status]")
    assert "points" in status.text_content()
