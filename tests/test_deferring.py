"""Jobs that can wait: what a recruiter may say, when they start, the wait by a made-up clock."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from eco_dask.client import Clock, Job, job
from eco_dask.deferring import Deferral, deferral_of, pause_s
from eco_dask.energy.hours import Start, Wish
from eco_dask.energy_config import EnergyRule
from eco_dask.errors import ConfigurationError
from eco_dask.jobs import JobSpec
from eco_dask.plugins.energy import best_start
from eco_dask.types import JobId

HOUR = 3600.0
#: Noon of some day, UTC.
NOON = 20_000 * 24 * HOUR + 12 * HOUR
#: Cheap from midnight to four.
NIGHTS = EnergyRule("", "", "", (50.0,) * 4 + (300.0,) * 20, None, "EUR")
ALWAYS = EnergyRule("", "", "", (), None, "EUR")


@pytest.mark.parametrize(
    ("deadline", "lasts", "found"),
    [
        (None, None, None),
        (7200, None, Deferral(7200, 1800)),
        ("6 h", "30 minutes", Deferral(6 * HOUR, 1800)),
    ],
)
def test_durations_are_read(deadline: Any, lasts: Any, found: Deferral | None) -> None:
    assert deferral_of(deadline, lasts) == found


@pytest.mark.parametrize(
    ("deadline", "lasts", "message"),
    [
        (None, 5, "goes with deadline="),
        ("tomorrow", None, "such as '6 h'"),
        ("1 h", "2 h", "has to fit before its deadline"),
        (0, None, "last longer than nothing"),
        (-5, None, "last longer than nothing"),
    ],
)
def test_what_cannot_be_is_refused_at_once(deadline: Any, lasts: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        job(deadline=deadline, lasts=lasts)


@pytest.mark.parametrize(
    ("rule", "within_h", "lasts_h", "starts_in_h", "reason"),
    [
        (NIGHTS, 24, 1, 12, "later hours are better"),
        (NIGHTS, 24, 4, 12, "later hours are better"),
        (NIGHTS, 8, 1, 0, "no later hour is better"),
        (NIGHTS, 1, 1, 0, "the deadline leaves no time to wait"),
        (ALWAYS, 24, 1, 0, "the operator configured no hours"),
    ],
)
def test_a_job_starts_in_the_best_hours_that_keep_its_deadline(
    rule: EnergyRule, within_h: float, lasts_h: float, starts_in_h: float, reason: str
) -> None:
    start = best_start(rule, NOON, Wish(NOON + within_h * HOUR, lasts_h * HOUR))
    assert start.at_s == NOON + starts_in_h * HOUR
    assert start.reason.startswith(reason)


class FakeTime:
    """A clock that only sleep moves."""

    def __init__(self) -> None:
        self.now_s = NOON
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


class FakeClient:
    """As much of a client as a job that waits asks: it forwards to the scheduler's decision."""

    asynchronous = False

    def __init__(self, rule: EnergyRule) -> None:
        self.rule = rule
        self.scheduler = self

    async def eco_start(self, now_s: float, within_s: float, lasts_s: float) -> dict[str, Any]:
        return asdict(best_start(self.rule, now_s, Wish(now_s + within_s, lasts_s)))

    def sync(self, call: Any, *arguments: Any) -> Any:
        coroutine = call(*arguments)
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value
        raise AssertionError("it waited for something else than the scheduler")


def entered(rule: EnergyRule, time: FakeTime, monkeypatch: pytest.MonkeyPatch) -> Job:
    client = FakeClient(rule)
    monkeypatch.setattr("eco_dask.client.get_client", lambda: client)
    clock = Clock(lambda: time.now_s, time.sleep)
    it = Job(JobSpec(JobId("job-1"), "nightly"), Deferral(24 * HOUR, HOUR), clock)
    with it:
        return it


def test_the_block_opens_when_the_better_hours_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    time = FakeTime()
    it = entered(NIGHTS, time, monkeypatch)
    assert time.now_s == NOON + 12 * HOUR
    # In short naps, so that a suspended machine does not oversleep.
    assert max(time.slept) <= 60
    assert it.start == Start(NOON + 12 * HOUR, "later hours are better", 50.0, 300.0)


def test_without_better_hours_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    time = FakeTime()
    entered(ALWAYS, time, monkeypatch)
    assert time.slept == []


def test_an_interrupt_ends_the_wait_and_opens_no_block(monkeypatch: pytest.MonkeyPatch) -> None:
    class Impatient(FakeTime):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr("eco_dask.client.get_client", lambda: FakeClient(NIGHTS))
    time = Impatient()
    clock = Clock(lambda: time.now_s, time.sleep)
    it = Job(JobSpec(JobId("job-1"), "nightly"), Deferral(24 * HOUR, HOUR), clock)
    with pytest.raises(KeyboardInterrupt):
        it.__enter__()
    assert "not started" in str(it.facts().values())


def test_an_asynchronous_client_is_told_how(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeClient(NIGHTS)
    client.asynchronous = True
    monkeypatch.setattr("eco_dask.client.get_client", lambda: client)
    it = Job(JobSpec(JobId("job-1"), "nightly"), Deferral(24 * HOUR, HOUR))
    with pytest.raises(ConfigurationError, match="async with"):
        it.__enter__()


def test_pauses_end_at_the_start() -> None:
    start = Start(100.0, "")
    assert [pause_s(start, now_s) for now_s in (0.0, 70.0, 100.0, 200.0)] == [60.0, 30.0, 0.0, 0.0]


def test_a_preference_is_one_of_four() -> None:
    assert job(prefer="carbon").spec.prefer == "carbon"
    spec = job(prefer="energy").spec
    assert JobSpec.from_annotation(spec.to_annotation()) == spec
    with pytest.raises(ConfigurationError, match="prefer= is one of energy, carbon, speed, price"):
        job(prefer="green")  # type: ignore[arg-type]
