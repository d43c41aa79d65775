"""Credibility: odds against a reference, what votes and evidence do to doubt, who is struck."""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eco_dask.types import Digest, LeaseId, OwnerId, ProviderId, TaskKind
from eco_dask.verification.attempt import Attempt, ValueAnswer, same_digest
from eco_dask.verification.credibility import (
    TRUSTED_DOUBT,
    Credibility,
    CredibilitySettings,
    log_odds_right,
    wrong_by_odds,
)
from eco_dask.verification.policy import Case, Evidence
from eco_dask.verification.quorum import Agreed, Disputed, Undecided, Verdict
from eco_dask.verification.rules import CredibilityRule, QuorumRule, credibility_rule

KIND = TaskKind("sum")
RULE = credibility_rule(1e-3)
doubts = st.floats(1e-5, 0.5)


def answers(votes: str, *, check_power: float = 0.0) -> tuple[Attempt, ...]:
    """``"a1 b1 T2"``: owners a and b say 1, a trusted worker says 2."""
    return tuple(
        Attempt(
            lease=LeaseId(f"{vote}-{i}"),
            provider=ProviderId(f"{vote[0]}-{i}"),
            owner=OwnerId(vote[0]),
            trusted=vote[0] == "T",
            answer=ValueAnswer(Digest(vote[1:].encode()), 1),
            cpu_s=1.0,
            wall_s=1.0,
            work_units=1.0,
            check_power=check_power,
        )
        for i, vote in enumerate(votes.split())
    )


def case(votes: str, rule: CredibilityRule = RULE, **facts: float) -> Case:
    return Case(KIND, answers(votes, **facts), rule)


def tell(
    policy: Credibility, owner: str, right: bool, *, times: int = 1, **facts: object
) -> tuple[str, ...]:
    told: tuple[str, ...] = ()
    for _ in range(times):
        told = policy.learn(Evidence(KIND, OwnerId(owner), right, "audited", **facts))  # type: ignore[arg-type]
    return told


def knowing(**passes: int) -> Credibility:
    policy = Credibility()
    for owner, times in passes.items():
        tell(policy, owner, True, times=times)
    return policy


def judge(policy: Credibility, what: Case, bar: str = "deliver") -> Verdict:
    return policy.judge(what, bar, same_digest)  # type: ignore[arg-type]


def doubt_of(policy: Credibility, votes: str, **facts: float) -> float:
    loose = CredibilityRule(0.05, 0.05)
    verdict = judge(policy, case(votes, loose, **facts))
    assert isinstance(verdict, Agreed)
    assert verdict.doubt is not None
    return verdict.doubt


# ---------------------------------------------------------------------- odds


@given(st.lists(st.lists(doubts, min_size=1, max_size=3), min_size=1, max_size=3))
def test_odds_are_the_probability_that_exactly_this_group_is_right(
    groups: list[list[float]],
) -> None:
    """Reference: all ways in which groups are right or wrong, given that at most one is right."""
    weights = [log_odds_right(sorted(group), 1e-12) for group in groups]
    # As fractions: a group of three may be wrong once in 1e15.
    odds = [math.prod((1 - Fraction(d)) / Fraction(d) for d in g) for g in groups]
    right = [w / (1 + w) for w in odds]
    world = {
        truth: math.prod(p if is_right else 1 - p for p, is_right in zip(right, truth, strict=True))
        for truth in itertools.product((True, False), repeat=len(groups))
        if sum(truth) <= 1
    }
    wrong = sum(p for truth, p in world.items() if not truth[0]) / sum(world.values())
    assert wrong_by_odds(weights) == pytest.approx(float(wrong), rel=1e-6)


@given(st.lists(doubts, min_size=1, max_size=6), st.floats(0.01, 0.4))
def test_further_owners_count_no_more_than_chance_lets_colluders_meet(
    group: list[float], colluding: float
) -> None:
    ordered = sorted(group)
    most = math.log((1 - colluding) / colluding) * (len(group) - 1)
    alone = log_odds_right(ordered[:1], colluding)
    assert alone <= log_odds_right(ordered, colluding) <= alone + most + 1e-9


# ---------------------------------------------------------------------- votes


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 60), min_size=1),
    st.permutations("abcdef"),
    st.lists(st.sampled_from("12"), min_size=6, max_size=6),
)
def test_the_order_of_arrival_does_not_matter(
    passes: dict[str, int], order: list[str], said: list[str]
) -> None:
    policy = knowing(**passes)
    votes = dict(zip("abcdef", said, strict=True))
    given_order = answers(" ".join(o + votes[o] for o in "abcdef"))
    by_lease = {a.owner: a for a in given_order}
    shuffled = tuple(by_lease[OwnerId(o)] for o in order)
    a = judge(policy, Case(KIND, given_order, RULE))
    b = judge(policy, Case(KIND, shuffled, RULE))
    assert type(a) is type(b)
    if isinstance(a, Agreed) and isinstance(b, Agreed):
        assert set(a.agreeing) == set(b.agreeing)
        assert a.doubt == pytest.approx(b.doubt)


@given(st.integers(20, 200), st.integers(0, 100))
def test_another_owner_that_agrees_lowers_the_doubt(first: int, second: int) -> None:
    policy = knowing(a=first, b=second)
    assert doubt_of(policy, "a1 b1") < doubt_of(policy, "a1")


def test_an_owners_second_machine_lowers_nothing() -> None:
    policy = knowing(a=30)
    assert doubt_of(policy, "a1 a1 a1") == doubt_of(policy, "a1")


@pytest.mark.parametrize(
    ("votes", "bar", "verdict"),
    [
        ("", "flow", Undecided),
        ("n1", "flow", Undecided),  # a newcomer alone
        ("n1 m1", "flow", Agreed),  # two newcomers
        ("n1 m1", "deliver", Undecided),
        ("k1", "flow", Agreed),  # somebody known
        ("k1", "deliver", Undecided),
        ("t1", "deliver", Agreed),  # somebody known for long
        ("t1 k2", "deliver", Undecided),  # two that contradict each other decide nothing
        ("t1 k2 n1", "flow", Agreed),
        ("t1 k2 n3", "flow", Undecided),  # three answers, none with a second voice
        ("T1", "deliver", Agreed),
        ("a1 b1 t1 k1 T2", "deliver", Agreed),
        ("n1 m2", "deliver", Undecided),
    ],
)
def test_verdicts(votes: str, bar: str, verdict: type) -> None:
    policy = knowing(k=10, t=60)
    assert isinstance(judge(policy, case(votes), bar), verdict)


def test_a_trusted_worker_outweighs_any_number() -> None:
    policy = knowing(a=100, b=100, c=100, d=100)
    verdict = judge(policy, case("a1 b1 c1 d1 e1 f1 T2"))
    assert isinstance(verdict, Agreed)
    assert [a.owner for a in verdict.agreeing] == ["T"]
    assert verdict.doubt == TRUSTED_DOUBT


def test_too_many_answers_without_a_decision_are_a_dispute() -> None:
    rule = CredibilityRule(1e-3, 1e-2, attempts_max=4)
    assert isinstance(judge(Credibility(), case("a1 b2 c3", rule)), Undecided)
    assert isinstance(judge(Credibility(), case("a1 b2 c3 d4", rule)), Disputed)


def test_a_passed_check_lowers_the_doubt_by_its_power() -> None:
    policy = knowing(a=30)
    full, checked = doubt_of(policy, "a1"), doubt_of(policy, "a1", check_power=0.9)
    assert checked == pytest.approx(full / 10)


def test_a_quorum_rule_is_not_for_credibility() -> None:
    with pytest.raises(TypeError, match="CredibilityRule"):
        judge(Credibility(), Case(KIND, answers("a1"), QuorumRule()))


# ---------------------------------------------------------------------- evidence


@given(st.integers(0, 300))
def test_a_passed_check_never_raises_an_owners_doubt(passes: int) -> None:
    policy = knowing(a=passes)
    before = policy.doubt(OwnerId("a"), KIND)
    tell(policy, "a", True)
    assert policy.doubt(OwnerId("a"), KIND) <= before + 1e-12


@given(st.integers(0, 300))
def test_a_wrong_answer_always_raises_it(passes: int) -> None:
    policy = knowing(a=passes)
    before = policy.doubt(OwnerId("a"), KIND)
    tell(policy, "a", False)
    assert policy.doubt(OwnerId("a"), KIND) > before


def test_nobody_is_beyond_doubt() -> None:
    policy = knowing(a=20_000)
    assert policy.doubt(OwnerId("a"), KIND) == CredibilitySettings().owners.doubt_min


def test_other_kinds_count_in_part() -> None:
    policy = knowing(a=40)
    new, same = policy.doubt(OwnerId("b"), KIND), policy.doubt(OwnerId("a"), KIND)
    assert same < policy.doubt(OwnerId("a"), TaskKind("svd")) < new


def test_liars_that_are_caught_make_newcomers_doubtful() -> None:
    policy = Credibility()
    for i in range(20):
        tell(policy, f"honest{i}", True, times=20)
    before = policy.doubt(OwnerId("new"), KIND)
    for i in range(20):
        tell(policy, f"liar{i}", False, times=5)
    assert policy.doubt(OwnerId("new"), KIND) > 2 * before


def test_wrong_answers_at_a_level_make_everybody_there_doubtful_and_above() -> None:
    """Sleepers: honest for 20 checks, then not; nobody tells them from honest owners before."""
    policy = Credibility()
    owners = [f"o{i}" for i in range(40)]
    for owner in owners:
        tell(policy, owner, True, times=20)
    before = policy.doubt(OwnerId("o0"), KIND)
    for sleeper in owners[20:]:
        tell(policy, sleeper, False)
    assert policy.doubt(OwnerId("o0"), KIND) > 10 * before


def test_who_is_caught_is_in_doubt_with_those_that_said_the_same() -> None:
    policy = knowing(a=10, b=10)
    assert tell(policy, "a", True, alike=(OwnerId("b"),)) == ()
    assert tell(policy, "a", False, alike=(OwnerId("b"),)) == ("a", "b")
    assert tell(policy, "a", False) == ("a", "b"), "the pair is remembered"


def test_a_pair_that_was_wrong_together_is_one_witness() -> None:
    policy = knowing(a=60, b=60, c=60)
    assert doubt_of(policy, "b1 c1") < doubt_of(policy, "c1")
    tell(policy, "a", False, alike=(OwnerId("b"),))
    tell(policy, "a", True, times=100)
    apart = log_odds_right(sorted(policy.doubt(OwnerId(o), KIND) for o in "ab")[:1], 0.1)
    loose = CredibilityRule(0.05, 0.05)
    verdict = judge(policy, case("a1 b1", loose))
    assert isinstance(verdict, Agreed)
    assert verdict.doubt == pytest.approx(wrong_by_odds([apart]))


def test_a_pair_that_agrees_against_audits_is_struck_together() -> None:
    policy = knowing(a=50, b=50, c=50)
    for _ in range(3):
        tell(policy, "a", False, alike=(OwnerId("b"),))
    assert [policy.admits(OwnerId(o)) for o in "abc"] == [False, False, True]


# ---------------------------------------------------------------------- strikes


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_an_honest_machine_that_errs_is_never_struck_for_good(seed: int) -> None:
    chance = random.Random(seed)
    policy = Credibility()
    for _ in range(20_000):
        tell(policy, "a", chance.random() >= 2e-3)
    assert policy.admits(OwnerId("a"))


@pytest.mark.parametrize(("rate", "within"), [(1.0, 4), (0.5, 30), (0.1, 300), (0.05, 1500)])
def test_a_liar_is_struck_for_good(rate: float, within: int) -> None:
    chance = random.Random(1)
    policy = Credibility()
    for _ in range(within):
        tell(policy, "a", chance.random() >= rate)
    assert not policy.admits(OwnerId("a"))


def test_honest_years_do_not_save_up_for_lies() -> None:
    policy = knowing(a=50_000)
    tell(policy, "a", False, times=4)
    assert not policy.admits(OwnerId("a"))


# ---------------------------------------------------------------------- audits and known answers


def test_audits_never_stop_and_are_more_for_who_cannot_deliver_yet() -> None:
    policy = knowing(k=8, t=400)
    known, trusted = (policy.audit_chance(case(votes)) for votes in ("k1", "t1"))
    assert CredibilitySettings().audit_floor <= trusted < known
    assert policy.audit_chance(case("T1")) == 0.0
    assert 0 < policy.audit_chance(case("k1 t1")) <= CredibilitySettings().audit_floor


def test_newcomers_get_known_tasks_first() -> None:
    policy = knowing(a=50)
    new, known = (policy.quiz_chance(OwnerId(o), KIND) for o in "na")
    assert 0 < known < new


# ---------------------------------------------------------------------- outliving the gateway


def test_what_was_learned_comes_back() -> None:
    policy = knowing(a=30, b=30)
    tell(policy, "a", False, alike=(OwnerId("b"),))
    tell(policy, "c", False, times=5)
    again = Credibility()
    again.restore(policy.state())
    for owner in "abcn":
        assert again.doubt(OwnerId(owner), KIND) == pytest.approx(
            policy.doubt(OwnerId(owner), KIND), rel=0.05
        )
        assert again.admits(OwnerId(owner)) == policy.admits(OwnerId(owner))
    assert again.state() == policy.state()


def test_a_pass_of_an_algebraic_check_counts_by_its_power() -> None:
    doubts = []
    for power in (1.0, 0.5, 0.0):
        policy = Credibility()
        for _ in range(10):
            policy.learn(Evidence(KIND, OwnerId("a"), True, "checked", power=power))
        doubts.append(policy.doubt(OwnerId("a"), KIND))
    assert doubts[0] < doubts[1] < doubts[2]
    assert doubts[2] == pytest.approx(Credibility().doubt(OwnerId("a"), KIND))
