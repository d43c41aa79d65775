"""judge(): what a set of answers proves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.types import Digest, LeaseId, OwnerId, ProviderId, TaskKind
from eco_dask.verification.attempt import Attempt, Case, ErrorAnswer, ValueAnswer, same_digest
from eco_dask.verification.policy import QuorumPolicy
from eco_dask.verification.quorum import (
    Agreed,
    Disputed,
    Undecided,
    Verdict,
    judge,
)
from eco_dask.verification.rules import QuorumRule


def answers(votes: str) -> list[Attempt]:
    """Write a poll as text: ``"a1 b1 T2"`` is owners a and b saying 1, a trusted worker saying 2.

    An answer that starts with ``!`` is an error.
    """
    return [
        Attempt(
            lease=LeaseId(f"{vote}-{i}"),
            provider=ProviderId(f"{vote[0]}-{i}"),
            owner=OwnerId(vote[0]),
            trusted=vote[0] == "T",
            answer=ErrorAnswer("E", vote[2:], "")
            if vote[1] == "!"
            else ValueAnswer(Digest(vote[1:].encode()), 1),
            cpu_s=1.0,
            wall_s=1.0,
            work_units=1.0,
        )
        for i, vote in enumerate(votes.split())
    ]


TWO_OF_FIVE = QuorumRule(2, 5)


def read(votes: str, rule: QuorumRule = TWO_OF_FIVE) -> Verdict:
    return judge(answers(votes), rule, same_digest)


@pytest.mark.parametrize(
    ("votes", "missing"),
    [
        ("", 2),
        ("a1", 1),
        ("a1 b2", 1),
        ("a1 a1 a1", 1),  # one owner's three machines are one witness
        ("a1 b1 c2 d2", 1),  # two pairs contradict: nobody is believed
        ("a! b1", 1),
    ],
)
def test_undecided(votes: str, missing: int) -> None:
    assert read(votes) == Undecided(missing)


def test_agreed_names_both_camps() -> None:
    a, b, c = answers("a1 b2 c1")
    verdict = judge([a, b, c], TWO_OF_FIVE, same_digest)
    assert verdict == Agreed(agreeing=(a, c), dissenting=(b,))


def test_errors_are_agreed_upon_like_values() -> None:
    a, b, c = answers("a!x b1 c!x")
    verdict = judge([a, b, c], TWO_OF_FIVE, same_digest)
    assert verdict == Agreed(agreeing=(a, c), dissenting=(b,))


@pytest.mark.parametrize(
    ("votes", "rule"),
    [
        ("a1 b2 c3", QuorumRule(2, 3)),  # spent
        ("a1 b2 c3", QuorumRule(3, 4)),  # one answer left, two needed
        ("a1 a1 b2 c2 d3", QuorumRule(4, 5)),
        ("a1 b2", QuorumRule(2, 2)),
    ],
)
def test_disputed_as_soon_as_hopeless(votes: str, rule: QuorumRule) -> None:
    assert read(votes, rule) == Disputed(tuple(answers(votes)))


@pytest.mark.parametrize("votes", ["T1", "a2 T1", "a2 b2 c2 T1", "T1 a2 b2", "a1 T1 b2 c2"])
def test_a_trusted_worker_decides_alone(votes: str) -> None:
    verdict = read(votes, QuorumRule(4, 5))
    assert isinstance(verdict, Agreed)
    assert {a.digest for a in verdict.agreeing} == {b"1"}
    assert {a.digest for a in verdict.dissenting} <= {b"2"}
    assert len(verdict.agreeing) + len(verdict.dissenting) == len(votes.split())


@pytest.mark.parametrize(("owners_min", "attempts_max"), [(4, 3), (0, 3), (-1, -1)])
def test_rule_refuses_the_impossible(owners_min: int, attempts_max: int) -> None:
    with pytest.raises(ValueError, match=f"attempts_max; got {owners_min}, {attempts_max}"):
        QuorumRule(owners_min, attempts_max)


def test_the_quorum_policy_is_bitwise_agreement_of_owners() -> None:
    policy, kind = QuorumPolicy(), TaskKind("sum")
    a, b, c = answers("a1 b2 c1")
    assert policy.judge(Case(kind, (a, b, c), TWO_OF_FIVE)) == read("a1 b2 c1")
    assert policy.same(Case(kind, (a, b, c), TWO_OF_FIVE), a, c)
    assert not policy.same(Case(kind, (a, b, c), TWO_OF_FIVE), a, b)


polls = st.lists(st.from_regex(r"[a-d][1-3]", fullmatch=True), max_size=6).map(" ".join)
rules = st.integers(1, 4).flatmap(lambda least: st.builds(QuorumRule, st.just(least), st.just(6)))


@given(polls, rules, st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(votes: str, rule: QuorumRule, rng) -> None:
    poll = answers(votes)
    shuffled = rng.sample(poll, len(poll))
    one, two = (judge(p, rule, same_digest) for p in (poll, shuffled))
    assert type(one) is type(two)
    if isinstance(one, Agreed) and isinstance(two, Agreed):
        assert set(one.agreeing) == set(two.agreeing)


@given(polls, rules)
def test_believed_only_with_enough_owners_and_more_than_any_rival(
    votes: str, rule: QuorumRule
) -> None:
    verdict = read(votes, rule)
    if isinstance(verdict, Agreed):
        believed = {a.digest for a in verdict.agreeing}
        support = {a.owner for a in verdict.agreeing}
        assert len(believed) == 1
        assert len(support) >= rule.owners_min
        for rival in {a.digest for a in verdict.dissenting}:
            assert len({a.owner for a in verdict.dissenting if a.digest == rival}) < len(support)
        assert believed.isdisjoint(a.digest for a in verdict.dissenting)


@given(polls, rules)
def test_missing_answers_can_still_decide(votes: str, rule: QuorumRule) -> None:
    """Undecided promises that its missing answers, all new and all the best one, are enough."""
    verdict = read(votes, rule)
    if isinstance(verdict, Undecided):
        digests = [vote[1:] for vote in votes.split()] or ["1"]
        outcomes = [
            read(votes + "".join(f" {owner}{d}" for owner in "uvwxyz"[: verdict.missing]), rule)
            for d in digests
        ]
        assert any(isinstance(outcome, Agreed) for outcome in outcomes)


shares = st.floats(0.01, 0.49)
errors = st.floats(1e-12, 0.999)


def odds(probability: float) -> float:
    return probability / (1 - probability)
