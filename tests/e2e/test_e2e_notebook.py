"""The example notebook, run in a real kernel: every cell works and shows itself."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLE = Path(__file__).parents[2] / "examples" / "monitor.ipynb"


@pytest.fixture(scope="module")
def outputs() -> list[list[nbformat.NotebookNode]]:
    """What each code cell put out."""
    notebook = nbformat.read(EXAMPLE, as_version=4)
    NotebookClient(notebook, timeout=180, kernel_name="python3").execute()
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]


def bundles(outputs: list[nbformat.NotebookNode]) -> list[dict]:
    return [each.data for each in outputs if each.output_type == "execute_result"]


def test_the_cluster_the_view_and_the_report_show_themselves(outputs) -> None:
    cluster, view, values, report, _ = map(bundles, outputs)
    assert "EcoCluster" in cluster[0]["text/html"]
    assert "4 of 4 connected" in cluster[0]["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in view[0]
    assert "text/plain" in view[0]
    assert values[0]["text/plain"].startswith("array([")
    assert "JobReport" in report[0]["text/html"]
    assert "'correlations'" in report[0]["text/plain"]


def test_the_notebook_is_kept_without_outputs() -> None:
    notebook = nbformat.read(EXAMPLE, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)
