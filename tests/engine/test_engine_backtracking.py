"""What turns out wrong after it was used is revoked with all that was made of it."""

from __future__ import annotations

import numpy as np
import pytest
from engine_beliefs import CredibleNet
from engine_script import asked

from eco_dask.engine import actions as act
from eco_dask.sketches import sketch
from eco_dask.types import BallotId, GateId
from eco_dask.verification.rules import CredibilityRule


def lied(who: str = "b*9 c*9 d*9", **beliefs: object) -> CredibleNet:
    """a said 2 to t, which flowed to u, and from there to v; then others came."""
    net = CredibleNet("a*9", **beliefs)
    net.flow("t", "2")
    net.flow("u", "3", "t")
    net.flow("v", "4", "u")
    net.join(who)
    return net


def test_a_wrong_intermediate_that_flowed_is_never_delivered() -> None:
    net = lied()
    net.gate("g", "v")
    words = net.answer_all(t="1")
    assert "revoke t u v g" in words
    assert "strike a dissented" in words
    assert not any(w.startswith("open") for w in words)
    assert set(net.forgotten) >= {"t"}


def test_conflicting_answers_are_decided_by_three_owners() -> None:
    net = lied("b")
    net.beliefs.doubts |= {"b": 1e-6, "c": 1e-6}
    net.gate("g", "t")
    assert net.answer("b", "1", "t") == []
    assert asked(net.join("c")) == ["c"]
    assert "revoke t u v g" in net.answer("c", "1", "t")


def test_who_was_right_is_paid_and_who_was_wrong_is_not() -> None:
    net = lied()
    net.gate("g", "t")
    words = net.answer_all(t="1")
    assert {"a dissented", "b agreed paid", "c agreed paid", "d agreed paid"} <= set(words)
    right = {(owner, True, "agreed"): 1 for owner in "bcd"}
    assert net.beliefs.told == {("a", False, "agreed"): 1} | right


def test_honest_work_on_wrong_inputs_is_paid_where_it_was_accepted() -> None:
    net = CredibleNet("a")
    net.flow("t", "2")
    net.slots("a", 0)
    net.join("b*3 c*3 d*3")
    who = net.flow("u", "3", "t")
    (voting,) = asked(net.put("v", "u"))
    net.gate("g", "t")
    words = net.answer_all(t="1")
    assert f"{who} agreed paid" in words
    assert f"recall {voting}" in words
    assert "revoke t u v g" in words


def test_nobody_that_rests_on_something_else_is_touched() -> None:
    net = lied()
    net.flow("x", "5")
    net.flow("y", "6", "x")
    net.gate("g", "t")
    net.gate("h", "y")
    assert "revoke t u v g" in net.answer_all(t="1")
    assert net.answer_all(x="5", y="6")[-1] == "open h"


def test_all_unsettled_answers_of_a_caught_owner_are_judged_again() -> None:
    net = CredibleNet("a*9")
    for name, what in {"t": "2", "x": "5", "y": "6"}.items():
        net.flow(name, what)
    net.join("b*9 c*9 d*9")
    net.gate("g", "t")
    assert net.due("x") == net.due("y") == []
    net.answer_all(t="1")
    assert net.due("x") != []
    assert net.due("y") != []
    words = net.answer_all(x="5", y="7")
    assert "revoke y" in words
    assert not any(w.startswith("revoke") and "x" in w for w in words)


@pytest.mark.parametrize("doubt", [0.02, 0.5])
def test_friends_of_a_caught_owner_are_judged_again(doubt: float) -> None:
    net = CredibleNet("b", friends={"a": ("b",)})
    net.flow("x", "5")
    net.slots("b", 0)
    net.join("a")
    net.flow("t", "2")
    net.join("c*3 d*3 e*3")
    net.gate("g", "t")
    net.beliefs.doubts["b"] = doubt
    net.answer_all(t="1")
    assert (net.due("x") != []) == (doubt > 0.03)


def test_unposted_points_of_a_struck_owner_are_voided() -> None:
    net = CredibleNet("a*2", struck_if_wrong={"a"})
    net.flow("x", "5")
    net.flow("t", "2")
    net.join("b*9 c*9 d*9")
    net.gate("g", "t")
    words = net.answer_all(t="1", x="5")
    assert "a dissented" in words
    net.gate("h", "x")
    words += net.answer_all(x="5")
    assert "a owner-struck" in words
    assert "a agreed paid" not in words
    assert net.engine.roster.barred == {"a"}


def test_settled_results_are_never_revoked() -> None:
    net = CredibleNet("a*9 b*9", struck_if_wrong={"a", "b"})
    net.flow("t", "2")
    net.gate("g", "t")
    assert net.answer_all(t="2")[-1] == "open g"
    net.flow("u", "3", "t")
    net.join("c*9 d*9 e*9 f*9")
    net.gate("h", "u")
    words = net.answer_all(u="4")
    revoked = [w for w in words if w.startswith("revoke")]
    assert revoked == ["revoke u h"]


def test_an_audit_that_contradicts_revokes() -> None:
    net = CredibleNet("a", audits=1.0)
    net.flow("t", "2")
    net.flow("u", "3", "t")
    net.flow("s", "2")
    assert net.due("t") == []
    words = net.join("b*3 c*3 d*3 T*3")
    assert net.due("t") == ["b"]
    words = net.answer_all(t="1")
    assert {"revoke t u", "strike a dissented"} <= set(words)


def test_the_policy_hears_once_more_of_those_whom_a_later_answer_proves_wrong() -> None:
    net = CredibleNet("a b")
    net.flow("t", "2")
    assert net.gate("g", "t") != []
    net.beliefs.doubts |= {"a": 0.1, "b": 0.1}
    net.answer_all(t="2")
    assert net.beliefs.told == {}  # the two are not believed yet
    net.beliefs.doubts |= {"a": 0.03, "b": 0.03}
    net.leave_gate("g")
    assert net.beliefs.told == {("a", True, "agreed"): 1, ("b", True, "agreed"): 1}
    net.beliefs.doubts |= {"a": 0.4, "b": 0.4}
    net.gate("h", "t")
    net.join("T")
    net.tick()
    net.tick(2.0)
    assert "revoke t h" in net.answer("T", "1")
    assert net.beliefs.told["a", False, "audited"] == net.beliefs.told["b", False, "audited"] == 1


def test_a_result_held_back_is_voted_on_again_where_it_turns_out_wrong() -> None:
    net = CredibleNet("a", doubts={"a": 1e-6}, audits=1.0)
    net.put(wanted=True)
    assert net.answer("a", "2") == []
    net.join("T")
    net.tick()
    net.beliefs.doubts["a"] = 0.5
    net.gate("g", "t")
    words = net.tick(2.0)
    words = net.answer("T", "1")
    assert {"a dissented", "strike a dissented", "T trusted", "deliver 1"} == set(words)


def test_a_task_submitted_on_a_revoked_result_falls_with_it() -> None:
    net = lied()
    net.gate("g", "t")
    net.answer_all(t="1")
    assert net.put("w", "v") == ["revoke w"]
    assert net.put("x", "w") == ["revoke x"]
    assert net.gate("h", "v") == ["revoke h"]


def test_what_flowed_and_cannot_be_made_sure_fails_with_all_that_rests_on_it() -> None:
    net = CredibleNet("a*9")
    net.flow("t")
    net.flow("u", "2", "t")
    assert net.gate("g", "t") == []
    net.tick()
    words = net.tick(net.rule.patience_s)
    assert words == ["a agreed paid", "a undecided", "fail NobodyEligible", "revoke u g"]


def test_tasks_that_never_give_the_same_answer_fail_and_nobody_is_blamed() -> None:
    net = CredibleNet("a b c d e f")
    net.flow("t", "0")
    net.gate("g", "t")
    said: list[str] = []
    for i in range(1, 5):
        (who,) = net.due("t")
        said += net.answer(who, f"{i}")
    assert said[-2:] == ["fail Disagreement", "revoke g"]
    assert len([w for w in said if w.endswith("disputed")]) == 5
    assert not any(w.startswith("strike") for w in said)
    assert not net.beliefs.heard


def test_owners_that_are_admitted_no_more_get_nothing() -> None:
    net = lied(struck_if_wrong={"a"})
    net.gate("g", "t")
    net.answer_all(t="1")
    for i in range(6):
        assert "ask a" not in net.put(f"n{i}")


# ---------------------------------------------------------------------- last bits

CLOSE = CredibilityRule(1e-3, 0.03, attempts_max=5, compare="close")
HONEST = np.random.default_rng(0).standard_normal(100)


def sketched(factor: float, seed: int = 1) -> object:
    return sketch(HONEST * factor, bytes([seed]) * 32)


def flowed_close() -> CredibleNet:
    net = CredibleNet("a")
    net.put(rule=CLOSE)
    net.answer("a", "1")
    net.join("b c")
    return net


def test_an_answer_that_is_close_to_one_that_flowed_settles_it() -> None:
    net = flowed_close()
    (b,) = asked(net.gate("g", "t"))
    assert net.answer(b, "1a") == [f"sketch a {b}"]
    assert net.sketch("a", sketched(1.0)) == []
    assert net.sketch(b, sketched(1 + 2e-16)) == ["a agreed paid", f"{b} agreed paid", "open g"]


def test_who_withholds_its_sketch_of_a_result_that_flowed_is_replaced() -> None:
    net = flowed_close()
    (b,) = asked(net.gate("g", "t"))
    net.answer(b, "1a")
    words = net.sketch(b, None)
    assert f"strike {b} value-withheld" in words
    (c,) = asked(words)
    net.answer(c, "1b")
    net.sketch("a", sketched(1.0, 2))
    assert net.sketch(c, sketched(1 - 2e-16, 2))[-1] == "open g"


def test_who_was_close_stands_for_the_accepted_bytes_in_later_rounds() -> None:
    net = flowed_close()
    (b,) = asked(net.settle("t"))
    net.beliefs.doubts |= {"a": 0.1, b: 0.1}
    net.answer(b, "1a")
    net.sketch("a", sketched(1.0))
    (c,) = asked(net.sketch(b, sketched(1 + 2e-16)))
    assert net.answer(c, "1b") == [f"sketch {' '.join(sorted(net.asked_for_sketches))}"]
    words: list[str] = []
    for who in sorted(net.asked_for_sketches):
        words = net.sketch(who, sketched({"a": 1.0, b: 1 + 2e-16, c: 1 - 2e-16}[who], 2))
    assert set(words) == {"a agreed paid", f"{b} agreed paid", f"{c} agreed paid"}


# ---------------------------------------------------------------------- refused events


@pytest.mark.parametrize("event", ["answer", "value", "cancel", "gate", "release", "settle"])
def test_events_that_come_too_late_change_nothing(event: str) -> None:
    net = lied()
    net.gate("g", "v")
    net.answer_all(t="1")
    before = len(net.receipts), sorted(net.engine.ballots), len(net.engine.leases.held)
    words = {
        "answer": lambda: net.answer("a", "9", "t"),
        "value": lambda: net.serve("a", "t"),
        "cancel": lambda: net.cancel("t"),
        "gate": lambda: net.leave_gate("g"),
        "release": lambda: net.let_go("t", "never"),
        "settle": lambda: net.settle("u", "never"),
    }[event]()
    assert words == []
    assert before == (len(net.receipts), sorted(net.engine.ballots), len(net.engine.leases.held))


def test_a_gate_is_named_in_the_revoking_of_any_of_its_ballots() -> None:
    net = lied()
    net.flow("x", "5")
    net.gate("g", "x", "v")
    words = net.answer_all(t="1")
    (revoke,) = (w for w in words if w.startswith("revoke"))
    assert revoke == "revoke t u v g"
    (action,) = (a for a in net.actions if isinstance(a, act.Revoke))
    assert (set(action.ballots), action.gates) == (set(map(BallotId, "tuv")), (GateId("g"),))
