"""The simulation drives the real engine to the end of its jobs, and counts what it sees."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from sabotage import honest_struck_by_faults
from sabotage_adversaries import NOBODY, Adversary
from sabotage_network import Scenario, simulate

LIAR = Adversary("liar", rate=1.0)


def small(adversary: Adversary, share: float, **facts: object) -> Scenario:
    return Scenario(adversary, share, 20, 300, providers=30, **facts)  # type: ignore[arg-type]


def test_an_honest_network_delivers_all_and_soon_needs_little_more_than_one_attempt() -> None:
    result = simulate(small(NOBODY, 0.0))
    assert (result.tasks, result.delivered, result.wrong) == (600, 600, 0)
    assert 1.0 < result.attempts_each < 2.5
    assert result.slowdown > result.attempts_each * 0.9
    assert result.paid_wrong_mpt == 0 < result.paid_mpt


def test_open_liars_are_caught_at_once_and_struck() -> None:
    result = simulate(small(LIAR, 0.2))
    assert (result.wrong, result.honest_struck) == (0, 0)
    assert result.liars_struck == 6
    assert len(result.to_first_catch) == 6
    assert max(result.to_first_catch) <= 8


def test_who_is_caught_may_come_again() -> None:
    result = simulate(small(Adversary("w", rate=1.0, returns=True), 0.1))
    assert result.wrong == 0
    assert result.delivered + result.failed == 600


@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_is_the_same_twice(seed: int) -> None:
    first, second = (simulate(small(LIAR, 0.1, seed=seed)) for _ in range(2))
    assert first == second


def test_accidental_faults_strike_no_honest_owner() -> None:
    assert honest_struck_by_faults(5000) == 0
