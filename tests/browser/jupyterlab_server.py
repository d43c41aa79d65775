"""A JupyterLab for tests: a process of its own, with folders of its own, and its page.

Lab.start(folder) ──► url      open_lab(page, lab) ──► open_notebook(page, path) ──► run_all(page)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
from playwright.sync_api import Page

TOKEN = "eco"
#: A busy machine takes its time to start JupyterLab, and to load its page.
PATIENCE_S = 90.0


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    #: Ends with a slash.
    url: str
    #: Where its notebooks are.
    notebooks: Path


@contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """Start a JupyterLab that knows nothing of this user's, and end it."""
    notebooks, home = folder / "notebooks", folder / "home"
    config = home / "config" / "labconfig"
    notebooks.mkdir(parents=True)
    config.mkdir(parents=True)
    # No announcements over the page.
    disabled = {"@jupyterlab/apputils-extension:announcements": True}
    (config / "page_config.json").write_text(json.dumps({"disabledExtensions": disabled}))
    names = ("CONFIG", "DATA", "RUNTIME")
    environment = {
        **os.environ,
        "HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        **{f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in names},
    }
    arguments = [
        "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0",
        f"--ServerApp.root_dir={notebooks}", f"--IdentityProvider.token={TOKEN}",
        "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    with (folder / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *arguments],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        yield Lab(_url(process, home / "runtime", folder / "lab.log"), notebooks)
    finally:
        process.terminate()
        process.wait(30)


def _url(process: subprocess.Popen[bytes], runtime: Path, log: Path) -> str:
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s and process.poll() is None:
        for facts in runtime.glob("jpserver-*.json"):
            url = json.loads(facts.read_text() or "{}").get("url")
            if url is not None and _answers(f"{url}api/status?token={TOKEN}"):
                return str(url)
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """Write a notebook of code cells."""
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, path)


def open_lab(page: Page, lab: Lab, *, dark: bool = False) -> None:
    """Load JupyterLab and wait until it has restored itself."""
    page.set_default_timeout(1000 * PATIENCE_S)
    page.goto(f"{lab.url}lab?token={TOKEN}&reset")
    page.wait_for_selector("#jp-main-dock-panel")
    page.wait_for_function("() => window.jupyterapp !== undefined")
    page.evaluate("() => window.jupyterapp.restored")
    if dark:
        execute(page, "apputils:change-theme", theme="JupyterLab Dark")
        page.wait_for_selector('body[data-jp-theme-light="false"]', state="attached")


def execute(page: Page, command: str, **arguments: object) -> None:
    """Execute a command of JupyterLab and wait for its end."""
    page.evaluate(
        "async ([c, a]) => { await window.jupyterapp.commands.execute(c, a); }",
        [command, arguments],
    )


def open_notebook(page: Page, name: str) -> None:
    """Open a notebook and wait for its kernel."""
    execute(page, "docmanager:open", path=name)
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.ready")


def start_all(page: Page) -> None:
    """Start all cells of the open notebook, without waiting for them."""
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
