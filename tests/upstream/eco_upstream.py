"""Pytest plugin: every test of a suite of Dask's own meets one eco_dask network.

    pytest -p eco_upstream --pyargs dask.array.tests.test_overlap ──► outcomes, what providers did

One network serves the whole run, each test gets a client of its own, and what a test left on the
scheduler is forgotten before the next one starts: tests give fixed names to different things.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import time
from pathlib import Path

import dask.array.utils
import pytest
from distributed import Client
from distributed.protocol.pickle import dumps

import eco_dask

#: A benchmark of milliseconds: what is tested here is not speed.
CONFIG = {"eco-dask.gateway.benchmark-steps": 2, "eco-dask.gateway.benchmark-size": 64}
#: Seconds that the scheduler has to forget a test's keys by itself, once the test's client is gone.
FORGET_S = 0.25
#: More than there are tests in any run: each test's client is a job of its own.
JOBS_MAX = 100_000
#: Classes of Dask's tests that a recruiter has to register, as the error says that comes without.
REGISTERED = {
    "test_delayed_with_dataclass": ("ANonFrozenDataClass", "AFrozenDataClass"),
}


class Report:
    """What is written for whoever started this run."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}
        #: Tasks and attempts of each module's tests together, as the books have them.
        self.totals: dict[str, dict[str, int]] = {}
        #: Keys that the scheduler had to be told to forget.
        self.forced = 0

    def pytest_runtest_logreport(self, report):
        """Keep the outcome of a test: its call's, unless its setup or teardown is worse."""
        if report.when != "call" and report.outcome == "passed":
            return
        outcome = report.outcome
        if hasattr(report, "wasxfail"):
            outcome = "xfailed" if report.skipped else "xpassed"
        if self.outcomes.get(report.nodeid) != "failed":
            self.outcomes[report.nodeid] = outcome

    def pytest_sessionfinish(self):
        path = os.environ.get("ECO_UPSTREAM_REPORT")
        if path is not None:
            Path(path).write_text(json.dumps(vars(self), indent=1), encoding="utf-8")


def pytest_configure(config):
    # assert_eq computes with "sync" by default, here with the current client. It is changed in
    # place, as test modules hold references to it.
    function = dask.array.utils.assert_eq
    function.__defaults__ = tuple(None if v == "sync" else v for v in function.__defaults__)
    config.pluginmanager.register(Report(), "eco-upstream-report")


@pytest.fixture(scope="session")
def eco_network(pytestconfig):
    report = pytestconfig.pluginmanager.get_plugin("eco-upstream-report")
    with eco_dask.EcoCluster(
        n_providers=3, trusted_workers=1, quorum=2, dashboard_address=None, config=CONFIG
    ) as cluster:
        yield cluster, report


def totals_of(cluster):
    """Return what all jobs so far come to."""
    jobs = cluster.sync(cluster.scheduler_comm.eco_jobs, limit=JOBS_MAX)
    names = {"accepted": "ballots_accepted", "attempts": "attempts"}
    return {said: sum(job["totals"][name] for job in jobs) for said, name in names.items()}


@pytest.fixture(scope="module", autouse=True)
def eco_module(eco_network, request):
    """Count what one module's tests have providers do."""
    cluster, report = eco_network
    before = totals_of(cluster)
    yield
    after = totals_of(cluster)
    report.totals[request.module.__name__] = {name: after[name] - before[name] for name in after}


@pytest.fixture(scope="session")
def eco_client(eco_network):
    """One recruiter for all tests: each client is another one, whose tasks get runners anew."""
    cluster, _ = eco_network
    with Client(cluster) as client:
        yield client


@pytest.fixture(autouse=True)
def eco_test(eco_network, eco_client, request):
    cluster, report = eco_network
    with eco_client.as_current(), registered_classes(request.node):
        yield
    gc.collect()
    report.forced += cluster.sync(forget_tasks, cluster)


@contextlib.contextmanager
def registered_classes(item):
    """Do what a recruiter does whose tasks return values of classes of their own."""
    names = REGISTERED.get(item.originalname, ())
    for name in names:
        eco_dask.values.register(getattr(item.module, name))
    with eco_dask.job(item.name) if names else contextlib.nullcontext():
        yield


async def forget_tasks(cluster):
    """Wait until the scheduler has no tasks; tell it in the end. Return how many had to be told."""
    deadline_s = time.monotonic() + FORGET_S
    while left := await run_there(cluster, lambda dask_scheduler: len(dask_scheduler.tasks)):
        if time.monotonic() > deadline_s:
            await run_there(cluster, forget_all)
            break
    return left


def forget_all(dask_scheduler):
    """Run in the scheduler: forget every task."""
    keys = dict.fromkeys(dask_scheduler.tasks, "forgotten")
    dask_scheduler.transitions(keys, "eco-upstream-forget")


async def run_there(cluster, function):
    """Call a function in the scheduler."""
    answer = await cluster.scheduler_comm.run_function(function=dumps(function))
    assert answer["status"] == "OK", answer
    return answer["result"]
