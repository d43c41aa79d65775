"""Results flow before they are sure, wait at gates until they are, and are paid when settled."""

from __future__ import annotations

import pytest
from engine_beliefs import NEW, CredibleNet
from engine_script import asked

from eco_dask.engine import actions as act
from eco_dask.types import TaskKind
from eco_dask.verification.rules import QuorumRule

# ---------------------------------------------------------------------- flowing


def test_a_result_flows_at_the_lower_bar_and_nobody_is_told_that_it_is_believed() -> None:
    net = CredibleNet("a b c")
    (a,) = asked(net.put())
    assert net.answer(a, "1") == ["deliver 1"]
    assert net.receipts == []
    assert net.forgotten == set()
    (delivered,) = (x for x in net.actions if isinstance(x, act.DeliverValue))
    assert delivered.doubt == pytest.approx(NEW)


def test_the_holder_of_a_result_that_flows_need_not_keep_it() -> None:
    net = CredibleNet("a b c")
    (a,) = asked(net.put())
    assert net.answer(a, "1", here=False) == [f"fetch {a}"]
    assert net.serve(a) == ["deliver 1"]
    assert [type(x) for x in net.actions] == [act.DeliverValue, act.ReleaseAnswer]
    assert net.leave(a) == []


def test_a_wanted_result_is_delivered_at_the_upper_bar_only() -> None:
    net = CredibleNet("a b c")
    (a,) = asked(net.put(wanted=True))
    (b,) = asked(net.answer(a, "1"))
    assert net.answer(b, "1") == [f"{a} agreed paid", f"{b} agreed paid", "deliver 1"]
    assert net.forgotten == {"t"}


# ---------------------------------------------------------------------- gates


def test_a_gate_asks_for_what_is_missing_and_opens_when_it_is_there() -> None:
    net = CredibleNet("a b c")
    a = net.flow("t")
    (b,) = asked(net.gate("g", "t"))
    assert net.answer(b, "1") == [f"{a} agreed paid", f"{b} agreed paid", "open g"]
    assert net.forgotten == {"t"}


def test_a_gate_whose_results_are_settled_or_unknown_opens_at_once() -> None:
    net = CredibleNet("a b")
    assert net.gate("g", "never") == ["open g"]
    assert net.gate("h") == ["open h"]


def chain(who: str = "a*9 b*9 c*9") -> CredibleNet:
    """v rests on u, and u on t; all of them flowed."""
    net = CredibleNet(who)
    net.flow("t")
    net.flow("u", "2", "t")
    net.flow("v", "3", "u")
    return net


def test_a_gate_waits_for_the_whole_ancestry() -> None:
    net = chain()
    assert len(asked(net.gate("g", "v"))) == 3
    assert net.answer_all(u="2", v="3") == []
    assert net.answer_all(t="1")[-1] == "open g"
    assert net.forgotten == {"t", "u", "v"}


def test_gates_on_one_ancestry_ask_for_it_once_and_all_open() -> None:
    net = chain()
    assert len(asked(net.gate("g", "v"))) == 3
    assert net.gate("h", "v", "t") == []
    assert net.gate("i", "t") == []
    words = net.answer_all(t="1")
    assert words[-1] == "open i"
    assert [w for w in net.answer_all(u="2", v="3") if w[:4] == "open"] == ["open g", "open h"]


def test_a_wanted_result_itself_waits_for_what_it_rests_on() -> None:
    net = CredibleNet("a b c")
    a = net.flow("t")
    net.put("u", "t", wanted=True)
    words = net.answer_all(u="2")
    assert "deliver 2" not in words
    words = net.answer_all(t="1")
    assert words[-1] == "deliver 2"
    assert f"{a} agreed paid" in words


def test_a_quorums_result_waits_for_what_it_rests_on_too() -> None:
    net = CredibleNet("a b*2 c*2")
    net.flow("t")
    net.put("u", "t", wanted=True, rule=QuorumRule(2, 4))
    assert "deliver 2" not in net.answer_all(u="2")
    assert net.answer_all(t="1")[-1] == "deliver 2"


def test_an_error_is_never_told_before_all_it_rests_on_stands() -> None:
    net = CredibleNet("a*2 b*2 c*2 d*2")
    net.flow("t")
    net.put("u", "t")
    assert not any(w.startswith("deliver") for w in net.answer_all(u="!ValueError"))
    assert net.answer_all(t="1")[-1] == "deliver !ValueError"


def test_what_became_sure_meanwhile_is_not_asked_again() -> None:
    net = CredibleNet("a b c")
    a = net.flow("t")
    net.beliefs.doubts[a] = 1e-6
    assert net.gate("g", "t") == [f"{a} agreed paid", "open g"]


def test_what_became_sure_while_it_waited_is_not_asked_at_all() -> None:
    net = CredibleNet("a*9")
    for name in "tuv":
        net.flow(name)
    assert net.gate("g", *"tuv") == []  # nobody else is there
    net.beliefs.doubts["a"] = 0.01  # two of them agree well enough from now on
    (task,) = asked(net.join("b"))
    assert task == "b"
    net.beliefs.doubts["a"] = 1e-6
    words = net.answer_all(t="1", u="1", v="1")
    assert words[-1] == "open g"
    assert len(net.purposes) == 4


def test_nothing_more_is_asked_for_a_gate_that_was_left() -> None:
    net = chain("a*9")
    assert net.gate("g", "v") == []
    assert net.leave_gate("g") == []
    assert net.join("b*9") == []
    assert len(asked(net.gate("h", "u"))) == 2  # all over again, for those who wait now
    assert net.answer_all(t="1", u="2")[-1] == "open h"


def test_leaving_one_of_two_gates_leaves_the_other() -> None:
    net = chain("a*9")
    net.gate("g", "v")
    net.gate("h", "t")
    net.leave_gate("g")
    assert asked(net.join("b*9")) == ["b"]
    assert net.due("t") == ["b"]
    assert net.answer("b", "1", "t")[-1] == "open h"


def test_letting_go_of_a_task_that_flowed_changes_nothing_for_what_rests_on_it() -> None:
    net = CredibleNet("a b c")
    net.flow("t")
    net.flow("u", "2", "t")
    assert net.cancel("t") == []
    assert len(asked(net.gate("g", "u"))) == 2


def test_a_cancelled_result_that_was_held_back_is_paid_as_far_as_it_was_believed() -> None:
    net = CredibleNet("a b c d")
    net.flow("t")
    net.put("u", "t", wanted=True)
    net.answer_all(u="2")
    words = net.cancel("u")
    assert len([w for w in words if w.endswith("agreed paid")]) == 2
    assert "u" in net.forgotten


# ---------------------------------------------------------------------- settling without a gate


def test_results_that_dask_let_go_of_are_paid_at_their_bar() -> None:
    net = CredibleNet("a b")
    a = net.flow("t")
    assert net.let_go("t") == [f"{a} agreed paid"]
    assert net.forgotten == {"t"}


def test_what_others_rest_on_is_kept_until_they_are_settled() -> None:
    net = chain()
    assert net.let_go("t", "u") == []
    assert len(net.let_go("v")) == 3
    assert net.forgotten == {"t", "u", "v"}


def test_a_result_that_was_let_go_of_waits_for_its_audit() -> None:
    net = CredibleNet("a", audits=1.0)
    net.flow("t")
    assert net.let_go("t") == []
    assert asked(net.join("b")) == ["b"]
    assert net.answer("b", "1") == ["a agreed paid", "b agreed paid"]


def test_results_that_cannot_be_kept_are_brought_to_the_upper_bar_and_settled() -> None:
    net = chain()
    assert len(asked(net.settle("u"))) == 2
    net.answer_all(u="2")
    net.answer_all(t="1")
    assert net.forgotten == {"t", "u"}


def test_a_chain_longer_than_the_stack_is_settled() -> None:
    net = CredibleNet("a*9", doubts={"a": 1e-6})
    net.flow("0")
    for i in range(1, 3000):
        net.flow(f"{i}", rests_on=f"{i - 1}")
    assert net.gate("g", "2999")[-1] == "open g"
    assert len(net.forgotten) == 3000


# ---------------------------------------------------------------------- audits


def test_an_audit_does_not_keep_a_result_from_flowing_but_a_gate_waits_for_it() -> None:
    net = CredibleNet("a b c", audits=1.0, doubts=dict.fromkeys("abc", 1e-6))
    (a,) = asked(net.put())
    words = net.answer(a, "1")
    assert words[0] == "deliver 1"
    (b,) = asked(words)
    assert net.purposes[net.leases["t"][b]] == "audit"
    assert net.gate("g", "t") == []
    assert net.answer(b, "1")[-1] == "open g"
    assert net.beliefs.told == {(a, True, "audited"): 1, (b, True, "audited"): 1}


def test_a_trusted_worker_audits_where_one_is_there() -> None:
    net = CredibleNet("a b T", audits=1.0)
    (a,) = asked(net.put())
    assert asked(net.answer(a, "1")) == ["T"]
    assert net.answer("T", "1") == []
    assert net.gate("g", "t") == [f"{a} agreed paid", "T trusted", "open g"]


def test_an_audit_that_nobody_can_do_is_given_up_behind_a_gate_too() -> None:
    net = CredibleNet("a", audits=1.0, doubts={"a": 1e-6})
    net.flow("t")
    assert net.gate("g", "t") == []
    net.tick()
    assert net.tick(2.0) == ["a agreed paid", "open g"]


def test_a_budget_that_does_not_suffice_for_an_audit_is_no_reason_to_fail() -> None:
    net = CredibleNet("a*9 b*9 c*9", audits=1.0, doubts=dict.fromkeys("abc", 1e-6))
    net.put(budget_mpt=1)
    (a,) = net.due("t")
    assert net.answer(a, "1") == ["deliver 1"]
    assert net.gate("g", "t") == [f"{a} agreed paid", "open g"]


# ---------------------------------------------------------------------- points


def test_what_an_accepted_answer_will_not_earn_is_free_for_the_jobs_other_tasks() -> None:
    net = CredibleNet("a*9 b*9")
    for i in range(8):  # until the kind's cost is known
        net.put(f"s{i}")
        net.tick(10.0)
        net.answer(net.due(f"s{i}")[0], "1", f"s{i}")
    flowed = 0
    while asked(net.put(f"t{flowed}", budget_mpt=20_000)):
        net.tick(10.0)
        net.answer(net.due(f"t{flowed}")[0], "1", f"t{flowed}")
        flowed += 1
    assert flowed == 12  # each is held at 4,000 and earns 1,000, as did the eight before
    assert isinstance(net.failure, act.OverBudget)


@pytest.mark.parametrize("kind", ["k", "other"])
def test_a_ballot_learns_its_cost_when_it_is_accepted(kind: str) -> None:
    net = CredibleNet("a*9")
    net.flow("t")
    net.put("u", kind=TaskKind(kind))
    (grant,) = (x for x in net.actions if isinstance(x, act.GrantLease))
    assert (grant.deadline_s == net.rule.deadline_first_s) == (kind == "other")
