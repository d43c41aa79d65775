"""Engine: how tasks end when votes clash, values are withheld or the recruiter lets go."""

from __future__ import annotations

import pytest
from engine_script import Net, asked, two_answer

from eco_dask.engine import actions as act

DEADLINE_S = 600.0


# ---------------------------------------------------------------------- disputes


def test_a_dispute_is_decided_by_a_trusted_worker() -> None:
    net = Net("a b T")
    first, second = asked(net.submit(owners=2, attempts=2))
    net.answer(first, "1")
    assert net.answer(second, "2") == ["ask T"]
    words = net.answer("T", "2")
    assert {"deliver 2", "T trusted", f"{first} dissented", f"strike {first} dissented"} < set(
        words
    )
    assert not any(f"strike {who}" in line for who in (second, "T") for line in words)


def test_a_dispute_without_trusted_workers_fails_and_nobody_is_struck_or_paid() -> None:
    net = Net("a b")
    first, second = asked(net.submit(owners=2, attempts=2))
    net.answer(first, "1")
    words = net.answer(second, "2")
    assert words == [f"{first} disputed", f"{second} disputed", "fail Disagreement"]
    assert isinstance(net.failure, act.Disagreement)
    assert len(net.failure.attempts) == 2


def test_a_provider_lease_lost_during_a_dispute_buys_no_second_trusted_answer() -> None:
    net = Net("a b c d T T2")
    first, second, third = asked(net.submit(owners=3, attempts=3))
    net.answer(first, "1")
    assert [w[:5] for w in net.answer(second, "2")] == ["ask T"]
    assert asked(net.decline(third)) == []


def test_a_disputed_task_whose_trusted_worker_left_waits_for_another() -> None:
    net = Net("a b T")
    first, second = asked(net.submit(owners=2, attempts=2))
    net.answer(first, "1")
    net.answer(second, "2")
    net.leave("T")
    net.join("c")
    for _ in range(3):
        assert net.tick(2.0) == []
    assert net.join("T2") == ["ask T2"]


def test_one_trusted_answer_is_enough_however_many_owners_were_wanted() -> None:
    net = Net("T T2 T3")
    net.submit(owners=3)
    net.tick()
    (first,) = asked(net.tick(2.0))
    (second,) = asked(net.decline(first))
    assert net.answer(second, "1") == [f"{second} trusted", "deliver 1"]


def test_a_trusted_answer_overrules_what_is_being_fetched() -> None:
    net = Net("a b T")
    first, second = asked(net.submit())
    net.answer(first, "2", here=False)
    net.tick(DEADLINE_S)
    assert asked(net.tick(2.0)) == ["T"]
    (fetch,) = net.answer(second, "2", here=False)
    words = net.answer("T", "1")
    assert {"deliver 1", "T trusted", "strike a dissented", "strike b dissented"} < set(words)
    assert net.serve(fetch.removeprefix("fetch ")) == []


# ---------------------------------------------------------------------- serving values


@pytest.mark.parametrize("mismatch", [True, False])
def test_when_a_holder_cannot_serve_the_next_one_does_and_only_it_is_paid(mismatch: bool) -> None:
    net = Net("a b")
    _, _, words = two_answer(net, here=False)
    (fetch,) = words
    first = fetch.removeprefix("fetch ")
    other = {"a": "b", "b": "a"}[first]
    reason = "value-mismatch" if mismatch else "value-withheld"
    assert net.withhold(first, mismatch=mismatch) == [f"strike {first} {reason}", f"fetch {other}"]
    assert net.withhold(first, mismatch=mismatch) == []  # struck once
    words = net.serve(other)
    assert set(words) == {f"{first} {reason}", f"{other} agreed paid", "deliver 1"}


def test_when_the_serving_holder_leaves_the_next_one_serves_and_both_are_paid() -> None:
    net = Net("a b")
    _, _, (fetch,) = two_answer(net, here=False)
    first = fetch.removeprefix("fetch ")
    other = {"a": "b", "b": "a"}[first]
    assert net.leave(first) == [f"fetch {other}"]
    words = net.serve(other)
    assert set(words) == {f"{first} agreed paid", f"{other} agreed paid", "deliver 1"}


def test_a_trusted_worker_that_left_with_two_answers_to_one_task_is_not_asked_for_either() -> None:
    net = Net("T*2")
    net.submit(trusted_only=True)
    late = net.leases["t"]["T"]
    assert asked(net.tick(DEADLINE_S)) == ["T"]
    assert net.answer("T", "1", here=False) == ["fetch T"]
    net.leases["t"]["T"] = late
    net.answer("T", "1", here=False)
    assert sorted(net.leave("T")) == ["T provider-left", "T provider-left"]
    assert net.join("T2") == ["ask T2"]


def test_a_holder_that_left_before_the_vote_ended_is_not_asked_to_serve() -> None:
    net = Net("a b")
    first, second = asked(net.submit())
    net.answer(first, "1", here=False)
    net.leave(first)
    net.join(first)  # back, without what it kept
    assert net.answer(second, "1", here=False) == [f"fetch {second}"]


def test_when_all_holders_are_gone_the_task_is_computed_again() -> None:
    net = Net("a b")
    first, second, _ = two_answer(net, here=False)
    net.join("c d")
    net.leave(first)
    words = net.leave(second)
    assert {f"{first} provider-left", f"{second} provider-left", "ask c", "ask d"} == set(words)
    net.answer("c", "1")
    assert "deliver 1" in net.answer("d", "1")


def test_a_lone_holder_that_withholds_again_and_again_fails_the_task_in_the_end() -> None:
    net = Net("a", losses_max=2)
    words = net.submit(owners=1)
    for _ in range(3):
        assert "ask a" in words
        assert net.answer("a", "1", here=False) == ["fetch a"]
        words = net.withhold("a")
    assert words == ["a value-withheld", "strike a value-withheld", "fail LostTooOften"]


def test_who_withheld_a_value_is_passed_over_when_it_is_computed_again() -> None:
    net = Net("a b")
    (first,) = asked(net.submit(owners=1))
    net.answer(first, "1", here=False)
    assert asked(net.withhold(first)) == [{"a": "b", "b": "a"}[first]]


def test_a_value_that_is_here_already_needs_no_holder() -> None:
    net = Net("a b")
    first, second = asked(net.submit())
    net.answer(first, "1", here=True)
    net.leave(first)
    assert "deliver 1" in net.answer(second, "1", here=False)


def test_values_nobody_asked_for_change_nothing() -> None:
    net = Net("a b")
    first, second = asked(net.submit())
    assert net.serve(first) == []
    assert net.withhold(first) == []
    net.answer(first, "1", here=True)
    assert net.withhold(first, mismatch=True) == []
    assert "deliver 1" in net.answer(second, "1")


# ---------------------------------------------------------------------- cancelling


def test_cancelled_while_waiting_a_task_is_forgotten() -> None:
    net = Net()
    net.submit()
    assert net.cancel() == []
    assert net.join("a b") == []
    assert net.cancel() == []


def test_cancelled_while_voting_answers_are_unpaid_and_the_rest_is_recalled() -> None:
    net = Net("a b")
    first, second = asked(net.submit())
    net.answer(first, "1")
    assert net.cancel() == [f"{first} cancelled", f"recall {second}"]
    assert net.answer(second, "1") == [f"{second} cancelled"]
    assert net.engine.leases_held == 0


def test_cancelled_while_fetching_the_value_is_not_delivered() -> None:
    net = Net("a b")
    _, _, (fetch,) = two_answer(net, here=False)
    assert sorted(net.cancel()) == ["a cancelled", "b cancelled"]
    assert net.serve(fetch.removeprefix("fetch ")) == []


def test_cancelled_after_a_holder_withheld_the_receipt_says_what_it_did() -> None:
    net = Net("a b")
    _, _, (fetch,) = two_answer(net, here=False)
    first = fetch.removeprefix("fetch ")
    net.withhold(first)
    other = {"a": "b", "b": "a"}[first]
    assert set(net.cancel()) == {f"{first} value-withheld", f"{other} cancelled"}
