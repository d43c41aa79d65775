"""The simulated crowds and the rules that the policy is measured against."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from sabotage_adversaries import NOBODY, RIGHT, Adversary, Crowd, adversaries
from sabotage_rivals import adaptive_replication, m_first

LIAR = Adversary("always", rate=1.0)


@pytest.mark.parametrize(
    ("share", "m", "error"),
    [(0.1, 2, 0.028), (0.2, 2, 0.104), (0.2, 3, 0.0579), (0.3, 2, 0.216)],
)
def test_voting_errs_as_the_formula_says(share: float, m: int, error: float) -> None:
    """Sum over j = m..2m-1 of C(2m-1, j) f^j (1-f)^(2m-1-j), liars colluding."""
    outcome = m_first(Crowd(1000, share, LIAR, 1), 20_000, m, 1)
    assert outcome.error == pytest.approx(error, abs=0.008)


def test_adaptive_replication_tends_to_one_attempt_with_nobody_lying() -> None:
    outcome = adaptive_replication(Crowd(20, 0.0, NOBODY, 1), 20_000, 1)
    assert outcome.error == 0
    assert 1.0 < outcome.attempts / outcome.tasks < 1.1


def test_adaptive_replication_is_beaten_by_sleepers() -> None:
    sleeper = Adversary("sleeper", "sleeper", honest_first=40)
    assert adaptive_replication(Crowd(100, 0.2, sleeper, 1), 30_000, 1).error > 0.02


@pytest.mark.parametrize("adversary", adversaries((20,)), ids=lambda a: a.name)
def test_honest_providers_are_right_and_liars_are_wrong_at_times(adversary: Adversary) -> None:
    crowd = Crowd(50, 0.2, adversary, 3)
    assert len(crowd.liars) == 10
    wrong = {who for task in range(400) for who in range(50) if crowd.answer(who, task) != RIGHT}
    assert wrong == crowd.liars


def test_a_sleeper_is_honest_first() -> None:
    crowd = Crowd(2, 0.5, Adversary("s", "sleeper", honest_first=5), 1)
    (liar,) = crowd.liars
    assert [crowd.answer(liar, t) == RIGHT for t in range(7)] == [True] * 5 + [False] * 2


def test_colluders_tell_one_lie_about_the_same_tasks() -> None:
    crowd = Crowd(10, 0.4, Adversary("c", rate=0.3), 1)
    for task in range(100):
        assert len({crowd.answer(who, task) for who in crowd.liars}) == 1


def test_a_block_registered_in_a_row_behind_one_prefix() -> None:
    crowd = Crowd(100, 0.2, Adversary("b", block=True), 1)
    assert max(crowd.liars) - min(crowd.liars) == 19
    assert len({crowd.prefix(who) for who in crowd.liars}) == 1
    assert len({crowd.prefix(who) for who in range(100)}) == 81


def test_machines_err_at_their_rate() -> None:
    crowd = Crowd(10, 0.0, NOBODY, 1, fault_rate=0.01)
    wrong = sum(crowd.answer(t % 10, t) != RIGHT for t in range(20_000))
    assert wrong == pytest.approx(200, abs=60)
