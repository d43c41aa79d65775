"""Dask's own tests on a network of three providers where two must agree.

All suites run in one pytest of their own, on one network, with the plugin :mod:`eco_upstream`;
their outcomes are compared with known_failures.toml.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import dask
import pytest
from upstream_suites import HERE, LINE, SUITES, TASKS_MIN, known_failures, surprises

#: Node ids begin here, wherever Dask is installed.
ROOT = Path(dask.__file__).parents[1]


@dataclass(frozen=True)
class Run:
    """What the plugin reports, what pytest printed, and how long it took."""

    outcomes: dict[str, str]
    totals: dict[str, int]
    printed: str
    wall_s: float

    def of(self, suite):
        """Return the outcomes of a suite's tests."""
        return {k: v for k, v in self.outcomes.items() if k.startswith(file_of(suite))}


def file_of(suite):
    """Return how the ids of a suite's tests begin."""
    return suite.module.replace(".", "/") + ".py::"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run all suites."""
    report_path, started_s = tmp_path_factory.mktemp("upstream") / "report.json", time.monotonic()
    selected = [name for suite in SUITES for name in suite.selected]
    command = [sys.executable, "-m", "pytest", "--pyargs", *selected]
    command += ["-c", str(HERE / "upstream.ini"), f"--rootdir={ROOT}", "-p", "eco_upstream"]
    command += ["-p", "no:cacheprovider", "-p", "no:asyncio", "-q", "--tb=short"]
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    environment = os.environ | {"PYTHONPATH": path, "ECO_UPSTREAM_REPORT": str(report_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert report_path.exists(), done.stdout + done.stderr
    report = json.loads(report_path.read_text(encoding="utf-8"))
    took_s = time.monotonic() - started_s
    return Run(report["outcomes"], report["totals"], done.stdout, took_s)


@pytest.mark.e2e
@pytest.mark.timeout(900)
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.module.rpartition(".")[2])
def test_suite_of_dask_passes_on_a_network(suite, ran, record_property):
    counts = Counter(ran.of(suite).values())
    said = ", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items()))
    record_property(LINE, f"{suite.module}: {said}")
    known = {k: why for k, why in known_failures().items() if k.startswith(file_of(suite))}
    assert not surprises(ran.of(suite), known), ran.printed
    assert counts["passed"] >= suite.passed_min


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_providers_did_the_work_of_all_suites_and_agreed_on_it(ran, record_property):
    totals = ran.totals
    assert totals, f"the network did not come up or did not go down\n{ran.printed}"
    record_property(
        LINE,
        f"together: {totals['accepted']} tasks in {totals['attempts']} attempts of providers; "
        f"{ran.wall_s:.0f} s",
    )
    assert totals["accepted"] >= TASKS_MIN
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
