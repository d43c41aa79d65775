"""The one policy of the engine: which rule decides, and when two answers are the same."""

from __future__ import annotations

import numpy as np
import pytest

from eco_dask.sketches import sketch
from eco_dask.types import Digest, LeaseId, OwnerId, ProviderId, TaskKind
from eco_dask.verification.attempt import Attempt, ErrorAnswer, ValueAnswer
from eco_dask.verification.comparing import same as same_answer
from eco_dask.verification.layered import LayeredPolicy
from eco_dask.verification.policy import Case, Evidence
from eco_dask.verification.quorum import Agreed, Undecided
from eco_dask.verification.rules import Compare, CredibilityRule, QuorumRule, credibility_rule

SEED = bytes(range(32))
BLOCK = np.random.default_rng(0).standard_normal((40, 40))


def attempt(owner: str, digest: str, value: object = None, stands_for: str = "") -> Attempt:
    return Attempt(
        lease=LeaseId(f"lease of {owner}"),
        provider=ProviderId(owner),
        owner=OwnerId(owner),
        trusted=False,
        answer=ValueAnswer(Digest(digest.encode()), 1),
        cpu_s=1.0,
        wall_s=1.0,
        work_units=1.0,
        sketch=None if value is None else sketch(value, SEED),
        stands_for=Digest(stands_for.encode()) if stands_for else None,
    )


def compared(compare: Compare, kind: str, a: Attempt, b: Attempt) -> bool:
    case = Case(TaskKind(kind), (a, b), CredibilityRule(1e-3, 1e-2, compare=compare))
    forth, back = same_answer(case, a, b), same_answer(case, b, a)
    assert forth == back
    return forth


NEAR, FAR = BLOCK * (1 + 1e-15), BLOCK * 1.01


@pytest.mark.parametrize(
    ("compare", "kind", "other", "same"),
    [
        ("auto", "matmul", NEAR, True),
        ("auto", "matmul", FAR, False),
        ("auto", "matmul", BLOCK.astype(np.float32), False),
        ("auto", "add", NEAR, False),  # its bits are settled everywhere
        ("close", "add", NEAR, True),
        ("close", "add", FAR, False),
        ("exact", "matmul", NEAR, False),
        ("auto", "matmul", None, False),  # who withholds the sketch agrees with equal bits only
    ],
)
def test_answers_of_other_bits(compare: Compare, kind: str, other: object, same: bool) -> None:
    assert compared(compare, kind, attempt("a", "1", BLOCK), attempt("b", "2", other)) is same


def test_equal_bits_agree_without_a_sketch() -> None:
    assert compared("auto", "matmul", attempt("a", "1"), attempt("b", "1"))


def test_what_an_answer_stands_for_counts_once_its_bytes_are_gone() -> None:
    assert compared("auto", "matmul", attempt("a", "1"), attempt("b", "2", stands_for="1"))


def test_structures_without_floats_need_equal_bits() -> None:
    assert not compared("close", "f", attempt("a", "1", "text"), attempt("b", "2", "text"))


def test_an_error_never_agrees_with_a_value() -> None:
    a = attempt("a", "1", BLOCK)
    error = ErrorAnswer("E", "", "")
    b = Attempt(a.lease, a.provider, OwnerId("b"), False, error, 1.0, 1.0, 1.0)
    assert not compared("close", "matmul", a, b)


def test_each_rule_decides_its_own_jobs() -> None:
    policy = LayeredPolicy()
    one = (attempt("a", "1"),)
    for _ in range(60):
        policy.learn(Evidence(TaskKind("k"), OwnerId("a"), True, "known"))
    assert isinstance(policy.judge(Case(TaskKind("k"), one, credibility_rule(1e-3))), Agreed)
    assert policy.judge(Case(TaskKind("k"), one, QuorumRule(2))) == Undecided(1)
    assert policy.audit_chance(Case(TaskKind("k"), one, QuorumRule(2))) == 0


def test_a_quorum_compares_closely_too() -> None:
    pair = (attempt("a", "1", BLOCK), attempt("b", "2", NEAR))
    verdict = LayeredPolicy().judge(Case(TaskKind("matmul"), pair, QuorumRule(2)))
    assert verdict == Agreed(pair, ())


def test_what_it_learned_outlives_it() -> None:
    policy, again = LayeredPolicy(), LayeredPolicy()
    for _ in range(5):
        policy.learn(Evidence(TaskKind("k"), OwnerId("liar"), False, "audited"))
    again.restore(policy.state())
    assert not again.admits(OwnerId("liar"))
    assert again.admits(OwnerId("other"))


def test_owners_are_counted_by_how_surely_they_are_right() -> None:
    policy = LayeredPolicy()
    assert sum(owners for *_, owners in policy.belief()) == 0
    for name, right, times in (("known", True, 900), ("new", True, 1), ("liar", False, 9)):
        for _ in range(times):
            policy.learn(Evidence(TaskKind("k"), OwnerId(name), right, "known"))
    bins = policy.belief()
    assert [(low, high) for low, high, _ in bins] == sorted((low, high) for low, high, _ in bins)
    assert sum(owners for *_, owners in bins) == 3
    (struck,) = [b for b in bins if b[0] <= 0.5 < b[1]]
    assert struck[2] == 1
    assert sum(owners for low, _, owners in bins if low >= 0.99) == 1
