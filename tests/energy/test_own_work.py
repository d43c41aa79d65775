"""A coordinator's own energy: split among the jobs that kept it busy, growing, never lost."""

from __future__ import annotations

import time
from typing import Any

import pytest

from eco_dask.energy import own_work
from eco_dask.energy.intensity import static_table
from eco_dask.energy.own_work import OwnWork
from eco_dask.energy.readers.choose import Meters
from eco_dask.energy.reading import Reading, Tier
from eco_dask.energy.tally import Terms

TERMS = Terms(static_table().intensity("FRA"))


class StepReader:
    """A counter that grows by ten joules at each reading."""

    name = "rapl"

    def __init__(self) -> None:
        self.energy_uj = 0

    def read(self) -> dict[str, Any]:
        self.energy_uj += 10_000_000
        at_s = self.energy_uj / 1e7
        return {"cpu:0": Reading("cpu:0", self.energy_uj, at_s, self.name, Tier.METERED)}


def busy(work: OwnWork, **counts: int) -> dict[str, Any]:
    """Keep this process busy for several of the system's ticks, for some jobs."""
    end_s = time.thread_time() + 0.1
    while time.thread_time() < end_s:
        sum(range(1000))
    for job, steps in counts.items():
        work.count(job, steps)
    return work.tick()


def test_jobs_share_by_what_was_done_for_each() -> None:
    work = OwnWork(Meters((StepReader(),), (), ()), TERMS)
    grown = busy(work, a=3, b=1)
    a, b = (grown[job].figures.marginal_uj for job in "ab")
    assert a == pytest.approx(3 * b, rel=0.01)
    assert 0 < a + b <= 10_000_000 * 1.25
    assert grown["a"].figures.sources == {"rapl"}


def test_sums_grow_and_only_those_that_grew_are_told() -> None:
    work = OwnWork(Meters((StepReader(),), (), ()), TERMS)
    first = busy(work, a=1, b=1)
    second = busy(work, a=1)
    assert set(second) == {"a"}
    assert second["a"].number == first["a"].number
    assert second["a"].figures.marginal_uj > first["a"].figures.marginal_uj
    assert busy(work) == {}


def test_a_job_that_was_forgotten_begins_a_sum_of_another_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(own_work, "JOBS_KEPT", 1)
    work = OwnWork(Meters((StepReader(),), (), ()), TERMS)
    first = busy(work, a=1)
    busy(work, b=1)
    again = busy(work, a=1)
    assert again["a"].number != first["a"].number


def test_without_meters_nothing_is_told() -> None:
    assert busy(OwnWork(Meters((), (), ()), TERMS), a=1) == {}
