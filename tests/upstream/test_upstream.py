"""Dask's own tests on a network of three providers where two must agree.

All suites run in one pytest of their own, on one network, with the plugin :mod:`eco_upstream`;
their outcomes are compared with known_failures.toml.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import dask
import pytest
from upstream_suites import HERE, LINE, SUITES, known_failures, surprises

#: Node ids begin here, wherever Dask is installed.
ROOT = Path(dask.__file__).parents[1]


@dataclass(frozen=True)
class Run:
    """What the plugin reports, and what pytest printed."""

    outcomes: dict[str, str]
    totals: dict[str, dict[str, int]]
    printed: str


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run all suites."""
    report_path = tmp_path_factory.mktemp("upstream") / "report.json"
    selected = [name for suite in SUITES for name in suite.selected]
    command = [sys.executable, "-m", "pytest", "--pyargs", *selected]
    command += ["-c", str(HERE / "upstream.ini"), f"--rootdir={ROOT}", "-p", "eco_upstream"]
    command += ["-p", "no:cacheprovider", "-p", "no:asyncio", "-q", "--tb=short"]
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    environment = os.environ | {"PYTHONPATH": path, "ECO_UPSTREAM_REPORT": str(report_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert report_path.exists(), done.stdout + done.stderr
    report = json.loads(report_path.read_text(encoding="utf-8"))
    return Run(report["outcomes"], report["totals"], done.stdout)


@pytest.mark.e2e
@pytest.mark.timeout(900)
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.module.rpartition(".")[2])
def test_suite_of_dask_passes_on_a_network(suite, ran, record_property):
    totals = ran.totals.get(suite.module)
    assert totals, f"the network did not come up or did not go down\n{ran.printed}"
    file = suite.module.replace(".", "/") + ".py::"
    outcomes = {test: said for test, said in ran.outcomes.items() if test.startswith(file)}
    counts = Counter(outcomes.values())
    said = ", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items()))
    record_property(
        LINE,
        f"{suite.module}: {said}; {totals['accepted']} tasks in {totals['attempts']} attempts of "
        "providers",
    )
    known = {test: why for test, why in known_failures().items() if test.startswith(file)}
    assert not surprises(outcomes, known), ran.printed
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
