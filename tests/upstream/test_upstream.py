"""Dask's own tests on a network of three providers where two must agree.

Each suite runs in a pytest of its own, with the plugin :mod:`eco_upstream`; its outcomes are
compared with known_failures.toml.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import dask
import pytest
from upstream_suites import HERE, LINE, SUITES, known_failures, surprises

#: Node ids begin here, wherever Dask is installed.
ROOT = Path(dask.__file__).parents[1]


def run(suite, report_path):
    """Run a suite; return what the plugin reports and what pytest printed."""
    command = [sys.executable, "-m", "pytest", "--pyargs", *suite.selected]
    command += ["-c", str(HERE / "upstream.ini"), f"--rootdir={ROOT}", "-p", "eco_upstream"]
    command += ["-p", "no:cacheprovider", "-p", "no:asyncio", "-q", "--tb=short"]
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    environment = os.environ | {"PYTHONPATH": path, "ECO_UPSTREAM_REPORT": str(report_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert report_path.exists(), done.stdout + done.stderr
    return json.loads(report_path.read_text(encoding="utf-8")), done.stdout


@pytest.mark.e2e
@pytest.mark.timeout(600)
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.module.rpartition(".")[2])
def test_suite_of_dask_passes_on_a_network(suite, tmp_path, record_property):
    started_s = time.monotonic()
    report, printed = run(suite, tmp_path / "report.json")
    outcomes, totals = report["outcomes"], report["totals"]
    assert totals, f"the network did not come up or did not go down\n{printed}"
    counts = Counter(outcomes.values())
    said = ", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items()))
    record_property(
        LINE,
        f"{suite.module}: {said}; {totals['accepted']} tasks in {totals['attempts']} attempts of "
        f"providers; {time.monotonic() - started_s:.0f} s",
    )
    file = suite.module.replace(".", "/") + ".py::"
    known = {test: why for test, why in known_failures().items() if test.startswith(file)}
    assert not surprises(outcomes, known), printed
    assert counts["passed"] >= suite.passed_min
    assert totals["accepted"] >= suite.tasks_min
    assert totals["attempts"] >= 2 * totals["accepted"]


@pytest.mark.parametrize(
    ("outcomes", "known", "said"),
    [
        ({"a": "passed", "b": "skipped", "c": "xfailed"}, {}, []),
        ({"a": "failed", "b": "passed"}, {"a": "why"}, []),
        ({"a": "skipped"}, {"a": "why"}, []),
        ({"a": "failed"}, {}, ["a failed and is not in known_failures.toml"]),
        ({"a": "passed"}, {"a": "why"}, ["a passes: take it out of known_failures.toml"]),
        ({}, {"a": "why"}, ["a is in known_failures.toml, but did not run"]),
    ],
)
def test_the_list_of_known_failures_foresees_neither_more_nor_less(outcomes, known, said):
    assert surprises(outcomes, known) == said
