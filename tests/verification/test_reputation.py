"""Reputation, calibration and pairs, each alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.types import OwnerId, TaskKind
from eco_dask.verification.calibration import FACTOR_MIN, Calibration
from eco_dask.verification.collusion import PAIRS_MAX, Pairs
from eco_dask.verification.reputation import MEMORY, Reputation, lies_unseen

KIND = TaskKind("sum")


def passed(times: int) -> Reputation:
    reputation = Reputation()
    for _ in range(times):
        reputation.passed(KIND, 1.0)
    return reputation


@pytest.mark.parametrize("passes", [0, 1, 2, 5, 20, 100])
def test_no_rate_of_lying_goes_unseen_more_often(passes: int) -> None:
    most = max(rate * (1 - rate) ** passes for rate in (i / 10_000 for i in range(10_001)))
    assert lies_unseen(passes) == pytest.approx(most, rel=1e-3)


@given(st.floats(0, 1e4), st.floats(0, 1e3))
def test_more_passes_leave_less_room(passes: float, more: float) -> None:
    assert lies_unseen(passes + more) <= lies_unseen(passes)


def test_passes_fade() -> None:
    assert passed(100_000).level(KIND) == pytest.approx(MEMORY, rel=0.01)


def test_an_isolated_fault_costs_a_third_and_the_next_all() -> None:
    reputation = passed(30)
    before = reputation.level(KIND)
    reputation.failed()
    assert reputation.level(KIND) == pytest.approx(before * 2 / 3)
    reputation.failed()
    assert reputation.level(KIND) == 0


def test_a_fault_is_forgotten_in_time() -> None:
    reputation = passed(30)
    reputation.failed()
    assert not reputation.clean
    for _ in range(1500):
        reputation.passed(KIND, 1.0)
    assert reputation.clean


def test_a_reputation_comes_back_as_it_was_saved() -> None:
    reputation = passed(7)
    reputation.failed()
    assert Reputation.restored(reputation.state()) == reputation


# ---------------------------------------------------------------------- calibration


def test_without_checks_the_worst_case_stands() -> None:
    assert Calibration().factor(40) == 1.0


def test_clean_checks_do_not_lower_it() -> None:
    calibration = Calibration()
    for _ in range(10_000):
        calibration.observe(20, 0.01, right=True)
    assert calibration.factor(20) == FACTOR_MIN


def test_a_level_never_seen_takes_after_the_one_below() -> None:
    calibration = Calibration()
    for _ in range(100):
        calibration.observe(20, 0.001, right=False)
    assert calibration.factor(1000) == calibration.factor(20) > 50
    assert calibration.factor(3) == 1.0


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(1e-5, 0.5), st.booleans()), max_size=40))
def test_a_wrong_answer_never_lowers_a_factor(facts: list[tuple[float, float, bool]]) -> None:
    calibration = Calibration()
    for level, expected, right in facts:
        calibration.observe(level, expected, right=right)
    before = [calibration.factor(2**i) for i in range(10)]
    calibration.observe(20, 1e-9, right=False)
    # The window fades everything by a four-thousandth.
    for old, new in zip(before, (calibration.factor(2**i) for i in range(10)), strict=True):
        assert new >= old * 0.999


def test_a_calibration_comes_back_as_it_was_saved() -> None:
    calibration = Calibration()
    for level in (0, 3, 20):
        calibration.observe(level, 0.01, right=level != 3)
    again = Calibration.restored(calibration.state())
    assert [again.factor(x) for x in (0, 3, 20, 99)] == [
        calibration.factor(x) for x in (0, 3, 20, 99)
    ]


# ---------------------------------------------------------------------- pairs


def owners(text: str) -> list[OwnerId]:
    return [OwnerId(o) for o in text]


@pytest.mark.parametrize(
    ("wrong_together", "asked", "witnesses"),
    [
        ("", "abc", "abc"),
        ("ab", "abc", "ac"),
        ("ab", "bca", "bc"),
        ("ab bc", "abc", "ac"),  # a and c were never wrong together
        ("ab bc ac", "abc", "a"),
        ("ab", "cd", "cd"),
    ],
)
def test_who_was_wrong_together_is_one_witness(
    wrong_together: str, asked: str, witnesses: str
) -> None:
    pairs = Pairs()
    for a, b in wrong_together.split():
        pairs.contradicted(OwnerId(a), (OwnerId(b),))
    assert pairs.witnesses(owners(asked)) == owners(witnesses)


@pytest.mark.parametrize(
    ("against", "right", "struck"),
    [(1, 0, False), (2, 0, False), (3, 0, True), (3, 20, False), (6, 20, True)],
)
def test_a_pair_is_struck_for_what_chance_does_not_explain(
    against: int, right: int, struck: bool
) -> None:
    pairs = Pairs()
    a, b = owners("ab")
    pairs.contradicted(a, (b,))
    for _ in range(right):
        pairs.confirmed(b, (a,))
    told: tuple[OwnerId, ...] = ()
    for _ in range(against - 1):
        told = pairs.contradicted(b, (a,))
    assert told == ((a,) if struck else ())


def test_partners_are_known_from_either_side() -> None:
    pairs = Pairs()
    pairs.contradicted(OwnerId("b"), owners("ac"))
    assert [pairs.partners(OwnerId(o)) for o in "abcd"] == [("b",), ("a", "c"), ("b",), ()]
    assert Pairs.restored(pairs.state()) == pairs


def test_pairs_are_bounded() -> None:
    pairs = Pairs()
    for i in range(PAIRS_MAX + 5):
        pairs.contradicted(OwnerId("a"), (OwnerId(str(i)),))
    assert len(pairs.common) == PAIRS_MAX
    assert len(pairs.partners(OwnerId("a"))) == PAIRS_MAX
