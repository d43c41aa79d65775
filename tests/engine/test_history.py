"""Histories: what a kind has cost, from accepted attempts."""

from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.engine.history import ATTEMPTS_KEPT, ATTEMPTS_TRUSTED, Histories, KindHistory
from eco_dask.types import Digest, LeaseId, OwnerId, ProviderId, TaskKind
from eco_dask.verification.attempt import Attempt, ValueAnswer


def attempt(wall_s: float = 1.0, units: float = 1.0, owner: str = "a") -> Attempt:
    answer = ValueAnswer(Digest(b"d" * 32), 1)
    return Attempt(
        LeaseId("l"), ProviderId(owner), OwnerId(owner), False, answer, wall_s, wall_s, units
    )


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=3 * ATTEMPTS_KEPT))
def test_the_slowest_is_exact_and_the_median_at_most_a_few_attempts_old(walls: list[float]) -> None:
    history = KindHistory()
    medians = []
    for wall_s in walls:
        history.observe(attempt(wall_s, 2 * wall_s))
        medians.append(median(walls[: len(medians) + 1][-ATTEMPTS_KEPT:]))
    assert history.slowest_s == max(walls[-ATTEMPTS_KEPT:])
    assert history.typical_s in medians[-ATTEMPTS_TRUSTED:]
    assert history.typical_units == 2 * history.typical_s


@pytest.mark.parametrize(
    ("owners", "established"),
    [("a" * 7, False), ("a" * 64, False), ("ab" * 3, False), ("a" * 7 + "b", True)],
)
def test_established_takes_enough_attempts_of_more_than_one_owner(
    owners: str, established: bool
) -> None:
    history = KindHistory()
    for owner in owners:
        history.observe(attempt(owner=owner))
    assert history.is_established is established


def test_an_owner_whose_attempts_were_long_ago_no_longer_counts() -> None:
    history = KindHistory()
    for owner in "b" + "a" * ATTEMPTS_KEPT:
        history.observe(attempt(owner=owner))
    assert not history.is_established


def test_the_kind_unused_for_longest_is_forgotten() -> None:
    histories = Histories(kinds_max=2)
    for kind in ("sum", "dot", "sum", "fft"):
        histories.observe(TaskKind(kind), attempt())
    assert histories.get(TaskKind("dot")) is None
    assert histories.get(TaskKind("sum")) is not None
    assert histories.get(TaskKind("fft")) is not None


def test_seconds_are_those_of_a_reference_core() -> None:
    history = KindHistory()
    for _ in range(3):
        history.observe(attempt(wall_s=20.0), 0.1)
        history.observe(attempt(wall_s=1.0), 2.0)
    assert history.slowest_s == pytest.approx(2.0)
    assert history.typical_s == pytest.approx(2.0)
