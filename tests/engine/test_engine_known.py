"""Tasks whose answer is known are mixed in, and nothing on the wire tells them from others."""

from __future__ import annotations

from engine_beliefs import CredibleNet
from engine_script import asked

from eco_dask.engine import actions as act
from eco_dask.types import JobId, TaskKind


def knowing(**beliefs: object) -> CredibleNet:
    """b and c agreed on t, whose job goes on; then d came."""
    net = CredibleNet("z", **beliefs)
    net.put("busy")  # z is at it
    net.join("b c")
    net.put("t", wanted=True)
    net.answer_all(t="1")
    net.slots("b", 0)
    net.slots("c", 0)
    net.beliefs.heard.clear()
    net.beliefs.quizzes = 1.0
    net.join("d*2")
    return net


def test_a_known_task_comes_in_addition_to_the_one_that_waits() -> None:
    net = knowing()
    assert net.put("u") == ["ask d", "ask d"]
    assert (net.due("t"), net.due("u")) == (["d"], ["d"])
    assert [net.purposes[net.leases[name]["d"]] for name in "tu"] == ["known", "vote"]
    grants = [x for x in net.actions if isinstance(x, act.GrantLease)]
    assert grants[0].kind == grants[1].kind
    assert len(grants[0].lease) == len(grants[1].lease)


def test_a_right_answer_is_paid_like_any_other() -> None:
    net = knowing()
    net.put("u")
    assert net.answer("d", "1", "t") == ["d agreed paid"]
    assert net.beliefs.told == {("d", True, "known"): 1}


def test_a_wrong_answer_is_struck_and_brings_the_others_of_its_owner_into_doubt() -> None:
    net = knowing()
    net.put("u")
    net.answer("d", "9", "u")
    net.join("e f")
    words = net.answer("d", "2", "t")
    assert words[:2] == ["d dissented", "strike d dissented"]
    assert net.beliefs.told == {("d", False, "known"): 1}
    assert net.due("u") != []


def test_an_owner_gets_a_known_task_once() -> None:
    net = knowing()
    net.put("u")
    net.answer("d", "1", "t")
    assert net.put("v") == ["ask d"]
    assert net.due("v") == ["d"]


def test_who_gave_the_known_answer_is_not_asked_it() -> None:
    net = knowing()
    net.leave("d")
    net.slots("b", 2)
    assert net.put("u") == ["ask b"]
    assert net.due("t") == []


def test_other_jobs_and_kinds_are_not_mixed_in() -> None:
    net = knowing()
    assert net.put("u", job=JobId("other")) == ["ask d"]
    assert net.put("v", kind=TaskKind("other")) == ["ask d"]
    assert net.due("t") == []


def test_a_known_task_that_is_not_answered_costs_its_holder_and_nobody_else() -> None:
    net = knowing()
    net.put("u")
    assert net.decline("d", "t") == ["d declined"]
    net = knowing()
    net.put("u")
    assert "strike d expired" in net.tick(601)
    words = net.tick(61)
    assert {"recall d", "d expired"} <= set(words)
    assert "t" not in net.forgotten


def test_a_known_task_is_forgotten_with_the_last_task_of_its_job() -> None:
    net = knowing()
    assert "t" not in net.forgotten
    net.cancel("busy")
    assert "t" in net.forgotten


def test_a_known_task_that_is_under_way_is_forgotten_when_it_is_over() -> None:
    net = knowing()
    net.put("u")
    net.answer("d", "9", "u")
    net.cancel("busy")
    assert "t" not in net.forgotten
    net.answer("d", "1", "t")
    assert "t" in net.forgotten


def test_only_answers_of_several_owners_are_known() -> None:
    net = CredibleNet("z", doubts={"b": 1e-6}, quizzes=1.0)
    net.put("busy")
    net.join("b")
    net.put("t", wanted=True)
    net.answer("b", "1", "t")
    net.join("d*9")
    assert "t" in net.forgotten
    assert asked(net.put("u")) == [net.due("u")[0]]


def test_a_few_are_kept_and_the_others_forgotten() -> None:
    net = CredibleNet("z")
    net.put("busy")
    net.join("b*9 c*9")
    for i in range(20):
        net.put(f"t{i}", wanted=True)
        net.answer_all(**{f"t{i}": "1"})
    assert len(net.forgotten) == 20 - net.rule.known_max


def test_an_unsettled_task_whose_answer_several_gave_is_known_too_and_takes_one_more_vote() -> None:
    net = CredibleNet("z", doubts={"b": 0.12, "c": 0.12})
    net.put("busy")
    net.join("b c")
    net.put("t")
    assert net.answer_all(t="1")[-1] == "deliver 1"
    net.slots("b", 0)
    net.slots("c", 0)
    net.beliefs.quizzes = 1.0
    net.join("d*2")
    net.put("u")
    assert (net.due("t"), net.due("u")) == (["d"], ["d"])
    assert net.answer("d", "1", "t") == []
    assert net.beliefs.told["d", True, "known"] == 1
    words = net.gate("g", "t")
    assert set(words) == {"b agreed paid", "c agreed paid", "d agreed paid", "open g"}


def test_what_was_revoked_or_cancelled_is_known_no_more() -> None:
    net = CredibleNet("a", audits=0.0)
    net.flow("t", "2")
    net.slots("a", 0)
    net.join("z")
    net.put("busy")
    net.join("b c d")
    net.gate("g", "t")
    assert "revoke t g" in net.answer_all(t="1")
    assert "t" in net.forgotten
    net.flow("x")
    net.put("u", "x", wanted=True)
    net.answer_all(u="1")  # held back until x stands
    net.cancel("u")
    assert "u" in net.forgotten
    net.beliefs.quizzes = 1.0
    net.join("e*9")
    net.put("v")
    assert net.due("t") == net.due("u") == []
