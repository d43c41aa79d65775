"""agree() and choose(): one tolerance, no equivalence, one answer all the same."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eco_dask.sketches import sketch
from eco_dask.types import Digest, LeaseId, OwnerId, ProviderId
from eco_dask.verification.attempt import Attempt, ValueAnswer, same_digest
from eco_dask.verification.compare import Agrees, Choice, Differs, agree, choose
from eco_dask.verification.quorum import Agreed, judge
from eco_dask.verification.rules import QuorumRule

SEED = b"7" * 32
SIZES = st.sampled_from([1, 5, 16, 17, 400, 3000])


@given(
    SIZES.flatmap(lambda n: hnp.arrays("f8", n, elements=st.floats(-1e6, 1e6))),
    st.floats(1e-9, 1e-3),
    st.binary(min_size=32, max_size=32),
)
@settings(max_examples=60, deadline=None)
def test_what_differs_by_far_less_than_the_tolerance_agrees_and_by_far_more_does_not(
    array: np.ndarray, tolerance: float, seed: bytes
) -> None:
    norm = float(np.linalg.norm(array))
    if norm < 1e-100:
        return
    step = np.zeros_like(array)
    step[0] = norm * tolerance
    one = sketch(array, seed)
    near, far = sketch(array + step / 50, seed), sketch(array + step * 1000, seed)
    assert isinstance(agree(one, near, tolerance), Agrees)
    assert isinstance(agree(one, far, tolerance), Differs)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 10))
@settings(max_examples=40, deadline=None)
def test_agreement_is_symmetric(number: int, size: float) -> None:
    generator = np.random.default_rng(number)
    a = generator.standard_normal(2000)
    b = a + generator.standard_normal(2000) * 1e-6 * size
    one, other = sketch(a, SEED), sketch(b, SEED)
    assert agree(one, other, 4e-6) == agree(other, one, 4e-6)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (np.ones(100, "f4"), "<f8 here, <f4 there"),
        (np.ones((10, 10)), r"shape \(100,\) here, \(10, 10\) there"),
        (np.r_[np.nan, np.ones(99)], "NaN"),
        (np.r_[2, np.ones(99)], "times the 1e-06 that rounding"),
        ([np.ones(100), np.ones(100)], "1 arrays and numbers here, 2 there"),
        ([np.ones(100)], "structure"),
    ],
)
def test_a_reason_says_what_differs(other: object, reason: str) -> None:
    verdict = agree(sketch(np.ones(100), SEED), sketch(other, SEED), 1e-6)
    assert isinstance(verdict, Differs)
    assert re.search(reason, verdict.reason)


def test_the_used_share_of_the_tolerance_grows_with_the_difference() -> None:
    array = np.random.default_rng(0).standard_normal(5000)
    used = []
    for size in (0, 1e-9, 1e-8):
        verdict = agree(sketch(array, SEED), sketch(array * (1 + size), SEED), 1e-6)
        assert isinstance(verdict, Agrees)
        used.append(verdict.used)
    assert used[0] == 0
    assert used[1] * 5 < used[2] < 1


# ---------------------------------------------------------------------- chains


def attempts(votes: str) -> list[Attempt]:
    """Write answers as numbers on a line: ``"a10 b11 c12"``; the letter is the owner."""
    return [
        Attempt(
            LeaseId(vote),
            ProviderId(f"{vote[0]}{i}"),
            OwnerId(vote[0]),
            False,
            ValueAnswer(Digest(vote[1:].encode()), 1),
            cpu_s=1.0,
            wall_s=1.0,
            work_units=1.0,
        )
        for i, vote in enumerate(votes.split())
    ]


def near(a: Attempt, b: Attempt) -> bool:
    """Answers agree that are at most 1 apart: no equivalence."""
    return abs(int(a.digest) - int(b.digest)) <= 1


def chosen(votes: str) -> Choice:
    choice = choose(attempts(votes), near)
    assert choice is not None
    return choice


@pytest.mark.parametrize(
    ("votes", "centre", "support", "opposition"),
    [
        ("a10", "10", 1, 0),
        ("a10 b10", "10", 2, 0),
        ("a10 b20", "10", 1, 1),
        ("a10 b11 c12", "11", 3, 0),  # the middle of a chain agrees with all of it
        ("a10 b11 c12 d13", "11", 3, 2),  # c12 and d13 stand against 11; c12 is on both sides
        ("a10 b11 c12 d13 e14", "11", 3, 3),  # three have three; 11 is the smallest digest
        ("a10 b10 c11 d12 e12", "11", 5, 0),
        ("a10 b10 c20 d20", "10", 2, 2),
        ("a10 a11 a12 b20 c20", "20", 2, 1),  # one owner is one witness, however many answers
        ("a10 b11 c11 d12 e13 f13", "12", 5, 3),
    ],
)
def test_chains_are_decided_by_the_centre_with_most_owners(
    votes: str, centre: str, support: int, opposition: int
) -> None:
    for order in itertools.islice(itertools.permutations(votes.split()), 200):
        choice = chosen(" ".join(order))
        assert (choice.centre.digest, choice.support, choice.opposition) == (
            centre.encode(),
            support,
            opposition,
        )


def test_nobody_is_in_a_camp_by_way_of_somebody_else() -> None:
    choice = chosen("a10 b11 c12 d13")
    assert {a.digest for a in choice.agreeing} == {b"10", b"11", b"12"}
    assert {a.digest for a in choice.dissenting} == {b"13"}


def test_no_answers_no_choice() -> None:
    assert choose([], near) is None


POLLS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(10, 15)), min_size=1, max_size=8, unique=True
).map(lambda votes: " ".join(f"{owner}{answer}" for owner, answer in votes))


@given(POLLS, st.randoms())
def test_the_order_of_arrival_decides_nothing(votes: str, random: object) -> None:
    shuffled = votes.split()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = chosen(votes), chosen(" ".join(shuffled))
    assert first.centre.lease == second.centre.lease
    assert {a.lease for a in first.agreeing} == {a.lease for a in second.agreeing}
    assert (first.support, first.opposition) == (second.support, second.opposition)


@given(POLLS)
def test_all_of_a_camp_agree_with_its_centre_and_the_others_do_not(votes: str) -> None:
    choice = chosen(votes)
    assert all(near(a, choice.centre) for a in choice.agreeing)
    assert not any(near(a, choice.centre) for a in choice.dissenting)
    assert len(choice.agreeing) + len(choice.dissenting) == len(votes.split())


@given(POLLS, st.integers(1, 3))
def test_where_same_is_an_equivalence_the_choice_is_the_quorums(
    votes: str, owners_min: int
) -> None:
    cast = attempts(votes)
    choice = choose(cast, same_digest)
    verdict = judge(cast, QuorumRule(owners_min, 20), same_digest)
    assert choice is not None
    wins = choice.support >= owners_min and choice.support > choice.opposition
    assert isinstance(verdict, Agreed) == wins
    if isinstance(verdict, Agreed):
        assert set(verdict.agreeing) == set(choice.agreeing)
        assert set(verdict.dissenting) == set(choice.dissenting)
