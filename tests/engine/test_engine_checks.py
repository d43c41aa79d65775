"""Algebraic checks: a lone answer is fetched and checked before it is judged."""

from __future__ import annotations

import pytest
from engine_beliefs import CredibleNet
from engine_script import asked

from eco_dask.engine import actions as act
from eco_dask.verification.checks import Failed, NotApplicable, Passed
from eco_dask.verification.rules import QuorumRule


def checked(*, here: bool = True, **task: object) -> CredibleNet:
    """One answer to a task that can be checked, and others who might do it."""
    net = CredibleNet("a")
    net.put(checkable=True, **task)
    assert net.answer("a", "1", here=here) == (["check a"] if here else ["fetch a"])
    net.join("b c")
    return net


def test_a_lone_answer_that_passes_is_delivered_without_another_attempt() -> None:
    net = checked(wanted=True)
    assert net.check("a", Passed(0.999)) == ["a agreed paid", "deliver 1"]
    assert net.beliefs.told == {("a", True, "checked"): 1}


def test_an_answer_is_fetched_to_be_checked() -> None:
    net = checked(here=False, wanted=True)
    assert net.serve("a") == ["check a"]
    assert net.check("a", Passed(0.999))[-1] == "deliver 1"


def test_a_weak_check_proves_little_and_is_told_with_its_power() -> None:
    net = checked(wanted=True)
    assert len(asked(net.check("a", Passed(0.5)))) == 1
    assert net.beliefs.told == {("a", True, "checked"): 1}
    assert [e.power for e in net.beliefs.heard] == [0.5]


def test_what_cannot_be_checked_is_judged_as_it_is() -> None:
    net = checked()
    assert net.check("a", NotApplicable("no such function")) == ["deliver 1"]


def test_an_answer_that_fails_is_struck_and_done_again_by_another() -> None:
    net = checked()
    words = net.check("a", Failed("the residual is 1"))
    assert words[:2] == ["a dissented", "strike a dissented"]
    (b,) = asked(words)
    assert b != "a"
    assert net.beliefs.told == {("a", False, "checked"): 1}
    assert net.answer(b, "2") == [f"check {b}"]
    assert net.check(b, Passed(1.0)) == ["deliver 2"]


def test_a_provider_whose_answers_always_fail_does_not_get_the_task_for_ever() -> None:
    net = CredibleNet("a")
    net.put(checkable=True)
    words: list[str] = []
    for _ in range(net.rule.losses_max + 1):
        net.answer("a", "1")
        words = net.check("a", Failed("no"))
    assert words[-1] == "fail LostTooOften"


@pytest.mark.parametrize("how", ["withheld", "left"])
def test_an_answer_whose_bytes_do_not_come_is_done_again(how: str) -> None:
    net = checked(here=False)
    words = net.withhold("a") if how == "withheld" else net.leave("a")
    assert len(asked(words)) == 1
    assert asked(words) != ["a"]


def test_a_check_that_comes_after_the_vote_still_counts() -> None:
    net = CredibleNet("a b")
    (first,) = asked(net.put(checkable=True))
    (second,) = {"a", "b"} - {first}
    (expired,) = asked(net.tick(601))
    assert expired == second
    net.answer(first, "1")
    assert net.answer(second, "1") == ["deliver 1"]
    words = net.check(first, Failed("both are wrong"))
    assert {f"strike {first} dissented", f"strike {second} dissented", "revoke t"} <= set(words)
    assert {f"{first} dissented", f"{second} dissented"} <= set(words)


@pytest.mark.parametrize("what", ["1", "!Oops"])
def test_neither_errors_nor_what_a_quorum_decides_is_checked(what: str) -> None:
    net = CredibleNet("a", doubts={"a": 1e-6})
    rule = {"rule": QuorumRule(1, 1)} if what == "1" else {}
    net.put(checkable=True, wanted=True, **rule)
    assert f"deliver {what}" in net.answer("a", what)
    assert not any(isinstance(x, act.CheckValue) for x in net.actions)


def test_a_check_that_nobody_ordered_any_more_changes_nothing() -> None:
    net = checked(wanted=True)
    net.check("a", Passed(1.0))
    assert net.check("a", Failed("too late")) == []
