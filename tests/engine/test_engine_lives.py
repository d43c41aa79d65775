"""Engine: the lives that a task can have, one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine_script import Net, asked, granted, provider, saying, two_answer

from eco_dask.engine import actions as act
from eco_dask.engine import events as ev
from eco_dask.types import BallotId
from eco_dask.verification.attempt import ValueAnswer

GRACE_S, DEADLINE_S = 60.0, 600.0


# ---------------------------------------------------------------------- agreement


def test_an_agreed_value_is_delivered_and_both_owners_are_paid_alike() -> None:
    net = Net("a b")
    first, second, words = two_answer(net)
    assert words == [f"{first} agreed paid", f"{second} agreed paid", "deliver 1"]


def test_the_books_come_first_and_answers_are_released_after_delivery() -> None:
    net = Net("a b")
    two_answer(net)
    kinds = [type(action) for action in net.actions]
    assert kinds == [act.Record, act.DeliverValue, *[act.ReleaseAnswer] * 2, act.ForgetTask]


def test_one_owners_machines_are_asked_once() -> None:
    net = Net("a a2 a3 b")
    owners = {who[0] for who in asked(net.submit(owners=2))}
    assert owners == {"a", "b"}


def test_a_dissenter_is_struck_and_unpaid_after_a_third_owner_decides() -> None:
    net = Net("a b c")
    liar, honest, words = two_answer(net, "21")
    (third,) = asked(words)
    words = net.answer(third, "1")
    assert f"strike {liar} dissented" in words
    assert f"{liar} dissented" in words
    assert {f"{honest} agreed paid", "deliver 1"} < set(words)


def test_an_error_is_delivered_only_when_owners_agree_on_it() -> None:
    net = Net("a b")
    first, second = asked(net.submit())
    assert net.answer(first, "!Oops", here=False) == []
    words = net.answer(second, "!Oops", here=False)
    assert words == [f"{first} error-agreed paid", f"{second} error-agreed paid", "deliver !Oops"]


def test_one_provider_cannot_fail_a_task_by_claiming_an_error() -> None:
    net = Net("a b c")
    liar, _, words = two_answer(net, ["!Oops", "1"])
    (third,) = asked(words)
    words = net.answer(third, "1")
    assert {"deliver 1", f"strike {liar} dissented"} < set(words)


def test_a_value_that_claims_an_errors_digest_backs_nothing() -> None:
    net = Net("a b c")
    first, second = asked(net.submit())
    net.answer(first, "!Oops")
    (third,) = asked(net.answer(second, ValueAnswer(saying("!Oops").digest, 8), here=False))
    assert "deliver !Oops" in net.answer(third, "!Oops")


def test_the_same_task_twice_is_refused_and_changes_nothing() -> None:
    net = Net("a b")
    first, second = asked(net.submit())
    with pytest.raises(ValueError, match="'t' was submitted before"):
        net.submit()
    assert net.answer(first, "1") == []
    assert "deliver 1" in net.answer(second, "1")


# ---------------------------------------------------------------------- deadlines


def test_at_the_deadline_another_owner_is_asked_and_a_late_answer_still_counts() -> None:
    net = Net("a b c")
    slow, quick = asked(net.submit())
    net.answer(quick, "1")
    assert net.tick(DEADLINE_S - 1) == []
    words = net.tick(1)
    (third,) = asked(words)
    assert words == [f"strike {slow} expired", f"ask {third}"]
    words = net.answer(slow, "1")
    assert sorted(words) == sorted(
        [f"{slow} agreed-late paid", f"{quick} agreed paid", "deliver 1", f"recall {third}"]
    )


@pytest.mark.parametrize(
    ("what", "ending"),
    [("1", ["{late} agreed-late paid"]), ("2", ["{late} dissented", "strike {late} dissented"])],
)
def test_an_answer_after_the_decision_is_compared_like_the_others(
    what: str, ending: list[str]
) -> None:
    net = Net("a b c")
    slow, quick = asked(net.submit())
    net.answer(quick, "1", cpu_s=0.0)
    (third,) = asked(net.tick(DEADLINE_S))
    assert f"recall {slow}" in net.answer(third, "1", cpu_s=0.0)
    net.tick(GRACE_S - 1)
    assert net.answer(slow, what) == [line.format(late=slow) for line in ending]


def test_after_the_grace_time_a_late_answer_is_unknown() -> None:
    net = Net("a b c")
    slow, quick = asked(net.submit())
    net.answer(quick, "1")
    (third,) = asked(net.tick(DEADLINE_S))
    words = net.tick(GRACE_S)
    assert words == [f"{slow} expired", f"recall {slow}"]
    assert net.answer(slow, "1") == []
    assert "deliver 1" in net.answer(third, "1")


def test_a_deadline_that_passes_during_the_grace_time_does_not_cut_it_short() -> None:
    net = Net("a")
    net.submit(owners=1)
    net.tick(DEADLINE_S - 10)
    net.cancel()
    assert net.tick(10) == []
    assert net.tick(GRACE_S - 10) == ["a cancelled"]


@pytest.mark.parametrize("how", ["tick", "decline", "leave"])
def test_a_recalled_lease_ends_as_recalled_however_it_comes_back(how: str) -> None:
    net = Net("a b c")
    slow, quick = asked(net.submit())
    net.answer(quick, "1")
    (third,) = asked(net.tick(DEADLINE_S))
    assert f"recall {third}" in net.answer(slow, "1")
    ends = {"tick": lambda: net.tick(GRACE_S), "decline": lambda: net.decline(third)}
    assert ends.get(how, lambda: net.leave(third))() == [f"{third} recalled"]
    assert net.engine.leases_held == 0


# ---------------------------------------------------------------------- losses


@pytest.mark.parametrize("how", ["decline", "leave"])
def test_a_lost_lease_is_granted_to_another_at_once(how: str) -> None:
    net = Net("a b")
    (first,) = asked(net.submit(owners=1))
    other = {"a": "b", "b": "a"}[first]
    words = getattr(net, how)(first)
    assert words == [
        f"{first} {'declined' if how == 'decline' else 'provider-left'}",
        f"ask {other}",
    ]


def test_an_owners_other_machine_takes_over_when_one_leaves() -> None:
    net = Net("a a2")
    (first,) = asked(net.submit(owners=1))
    assert asked(net.leave(first)) == [{"a": "a2", "a2": "a"}[first]]


def test_a_task_lost_too_often_fails() -> None:
    net = Net("a b c d e", losses_max=3)
    words = net.submit(owners=1)
    for losses in range(1, 5):
        (who,) = asked(words)
        words = net.decline(who)
        assert ("fail LostTooOften" in words) == (losses == 4)
    assert net.failure == act.LostTooOften(4)


def test_leases_left_unanswered_count_as_losses() -> None:
    net = Net("a b c", losses_max=2)
    net.submit(owners=1)
    assert net.failure is None
    for _ in range(3):
        net.tick(DEADLINE_S)
    assert isinstance(net.failure, act.LostTooOften)


def test_one_owner_that_declines_at_once_cannot_fail_a_task_while_others_are_busy() -> None:
    net = Net("a a2 a3 b")
    busy = asked(net.submit("other", owners=2))
    net.slots("b", 1)
    assert "b" in busy
    words = net.submit("t", owners=1)
    assert len(asked(words)) == 1
    declined = net.decline(asked(words)[0])
    assert asked(declined) == []  # it waits for b rather than be declined again
    net.answer(next(w for w in busy if w != "b"), "1", "other")
    assert asked(net.answer("b", "1", "other")) == ["b"]


def test_who_lost_a_task_is_asked_again_when_nobody_else_is_connected() -> None:
    net = Net("a")
    net.submit(owners=1)
    assert asked(net.decline("a")) == ["a"]


def test_an_owners_idle_machine_takes_over_at_once_though_other_owners_are_busy() -> None:
    net = Net("b")
    net.submit("other", owners=1)
    net.join("a a2")
    (first,) = asked(net.submit(owners=1))
    assert asked(net.leave(first)) == [{"a": "a2", "a2": "a"}[first]]


def test_a_lease_is_lost_once_though_it_expires_and_then_goes() -> None:
    net = Net("a b", losses_max=1)
    (first,) = asked(net.submit(owners=1))
    (second,) = asked(net.tick(DEADLINE_S))
    assert net.leave(first) == [f"{first} expired"]
    assert "deliver 1" in net.answer(second, "1")


# ---------------------------------------------------------------------- nobody to ask


def test_without_anybody_eligible_a_trusted_worker_is_asked_after_a_while() -> None:
    net = Net("a T")
    net.submit(owners=2)
    net.answer("a", "1")
    assert net.tick() == []
    assert net.tick(1.9) == []
    assert net.tick(0.1) == ["ask T"]
    assert net.answer("T", "1") == ["a agreed paid", "T trusted", "deliver 1"]


def test_without_anybody_at_all_a_task_fails_after_patience_and_names_the_votes() -> None:
    net = Net("a", patience_s=300.0)
    net.submit(owners=2)
    net.answer("a", "1")
    assert net.tick() == []
    assert net.tick(299.0) == []
    assert net.tick(1.0) == ["a undecided", "fail NobodyEligible"]
    failure = net.failure
    assert isinstance(failure, act.NobodyEligible)
    assert [a.provider for a in failure.attempts] == ["a"]
    assert (failure.owners_left, failure.owners_min, failure.waited_s) == (1, 2, 300.0)


def test_patience_does_not_run_out_while_an_answer_is_under_way() -> None:
    net = Net("a b", patience_s=300.0)
    first, second = asked(net.submit(owners=3, attempts=3))
    net.answer(first, "1")
    net.tick()
    assert net.tick(DEADLINE_S - 1) == []
    assert net.engine.leases_of(provider(second).id) == (net.leases["t"][second],)
    assert f"strike {second} expired" in net.tick(1)
    assert isinstance(net.failure, act.NobodyEligible)


def test_a_new_owner_ends_the_wait() -> None:
    net = Net("a")
    net.submit(owners=2)
    net.answer("a", "1")
    net.tick()
    net.tick(299.0)
    assert net.join("b") == ["ask b"]
    net.tick(2.0)
    assert "deliver 1" in net.answer("b", "1")


def test_a_wait_that_ended_does_not_count_for_the_next_one() -> None:
    net = Net("a b", patience_s=300.0)
    net.submit(owners=2)
    net.answer("a", "1")
    net.leave("b")
    net.tick()
    net.tick(200.0)
    net.join("b")
    net.leave("b")
    net.tick()
    assert net.tick(200.0) == []


def test_a_wait_ends_with_a_late_answer_and_the_next_one_starts_anew() -> None:
    net = Net("a", patience_s=300.0)
    net.submit(owners=2)
    net.tick(300.0)
    net.join("b")
    net.tick(300.0)  # a is late; nobody else is there
    net.answer("a", "1")  # what is missing now is under way at b
    assert net.tick(300.0) == ["strike b expired"]
    assert net.failure is None
    assert asked(net.tick(GRACE_S)) == ["b"]  # again, as nobody else is there


def test_a_task_lent_to_trusted_workers_returns_to_providers_when_those_are_gone() -> None:
    net = Net("a T")
    net.submit(owners=2)
    net.answer("a", "1")
    net.tick()
    net.tick(2.0)
    net.leave("T")
    net.join("b")
    net.tick()
    assert asked(net.tick(2.0)) == ["b"]
    assert "deliver 1" in net.answer("b", "1")


@pytest.mark.parametrize(
    ("who", "require", "missing"),
    [("a", "gpu", {"gpu"}), ("", "gpu", {"gpu"}), ("a+gpu b+big", "gpu big", set())],
)
def test_a_missing_capability_fails_at_once(who: str, require: str, missing: set[str]) -> None:
    net = Net(who)
    assert net.submit(require=require) == ["fail CapabilityMissing"]
    assert net.failure == act.CapabilityMissing(frozenset(require.split()), frozenset(missing))
    assert net.engine.ballot(BallotId("t")) is None


def test_a_capability_that_only_a_trusted_worker_has_is_no_failure() -> None:
    net = Net("a T+gpu")
    assert net.submit(require="gpu") == []
    net.tick()
    assert net.tick(2.0) == ["ask T"]


def test_a_trusted_only_task_goes_to_trusted_workers_alone() -> None:
    net = Net("a b")
    assert net.submit(owners=2, trusted_only=True) == []
    assert net.join("T") == ["ask T"]
    assert net.answer("T", "1") == ["T trusted", "deliver 1"]


def test_a_paused_provider_is_not_asked() -> None:
    net = Net("a*0")
    assert net.submit(owners=1) == []
    assert net.slots("a", 1) == ["ask a"]


# ---------------------------------------------------------------------- what screens show


def test_counts_for_screens() -> None:
    net = Net("a*2 b")
    net.submit(owners=2)
    assert (net.engine.ballots_open, net.engine.leases_held) == (1, 2)
    assert net.engine.leases_of(provider("a").id) == (net.leases["t"]["a"],)
    net.answer("a", "1")
    assert (net.engine.ballots_open, net.engine.leases_held) == (1, 1)
    assert net.engine.leases_of(provider("a").id) == ()


def test_deadlines_follow_the_slowest_attempt_and_ignore_what_cannot_be() -> None:
    net = Net("a", deadline_factor=5.0, deadline_min_s=30.0)

    def deadline_of(name: str) -> float:
        net.submit(name, owners=1)
        return granted(net).deadline_s

    assert deadline_of("first") == DEADLINE_S
    net.tick(20.0)
    net.answer("a", "1", "first", cpu_s=1e12)  # claims ages; 20 s passed
    assert deadline_of("second") == 100.0
    net.answer("a", "1", "second", cpu_s=0.0)
    assert deadline_of("third") == 100.0


def test_a_provider_that_calls_itself_slow_beyond_belief_gets_no_endless_deadline() -> None:
    net = Net("a")
    net.submit("first", owners=1)
    net.tick(20.0)
    net.answer("a", "1", "first", cpu_s=20.0)
    net.leave("a")
    net.tell(ev.ProviderJoined, replace(provider("s"), score=1e-12))
    net.submit("second", owners=1)
    assert granted(net).deadline_s == pytest.approx(1000.0)
