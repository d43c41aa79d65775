"""Audits are drawn after the answer, hold it back until they are done, and teach the policy."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine_script import Net, asked

from eco_dask.engine import events as ev
from eco_dask.engine.actions import OpenGate
from eco_dask.engine.dice import Dice
from eco_dask.engine.engine import Engine
from eco_dask.engine.facts import Task
from eco_dask.types import Account, BallotId, GateId, JobId, OwnerId, TaskKind
from eco_dask.verification.attempt import Case
from eco_dask.verification.comparing import same
from eco_dask.verification.policy import Bar, Evidence
from eco_dask.verification.quorum import Agreed, Disputed, Undecided, Verdict
from eco_dask.verification.rules import CredibilityRule

RULE = CredibilityRule(error=0.01, flow_error=0.05, compare="exact")


@dataclass
class Script:
    """A policy whose beliefs are written down: one owner is enough; of two, a third decides."""

    chance: float = 0.0
    refused: set[str] = field(default_factory=set)
    doubted: dict[str, tuple[str, ...]] = field(default_factory=dict)
    heard: list[Evidence] = field(default_factory=list)

    def judge(self, case: Case, bar: Bar = "deliver") -> Verdict:
        answers = {a.digest for a in case.attempts}
        for a in case.attempts:
            camp = tuple(b for b in case.attempts if b.digest == a.digest)
            rest = tuple(b for b in case.attempts if b.digest != a.digest)
            if a.trusted or len(answers) == 1 or len(camp) > len(rest):
                return Agreed(camp, rest, 0.0)
        return Disputed(case.attempts) if len(case.attempts) > 4 else Undecided(1)

    def same(self, case, a, b) -> bool:
        return same(case, a, b)

    def audit_chance(self, case: Case) -> float:
        return self.chance

    def quiz_chance(self, owner, kind) -> float:
        return 0.0

    def learn(self, evidence: Evidence) -> tuple[OwnerId, ...]:
        self.heard.append(evidence)
        if not evidence.right:
            self.refused.add(evidence.owner)
            return tuple(OwnerId(o) for o in self.doubted.get(evidence.owner, ()))
        return ()

    def admits(self, owner: OwnerId) -> bool:
        return owner not in self.refused


def net_of(policy: Script, who: str) -> Net:
    net = Net()
    net.engine = Engine(net.rule, policy)
    net.join(who)
    return net


def agree_once(net: Net, policy: Script) -> None:
    """Show that tasks of this kind give the same answer twice."""
    (first,) = asked(submit(net, "shown"))
    (second,) = asked(net.answer(first, "0", "shown"))
    net.answer(second, "0", "shown")
    policy.heard.clear()


def submit(net: Net, name: str = "t") -> list[str]:
    task = Task(BallotId(name), TaskKind("k"), JobId("j"), Account("recruiter:r"), RULE)
    return net.tell(ev.TaskSubmitted, task)


def test_an_answer_that_is_believed_alone_takes_one_attempt() -> None:
    policy = Script()
    net = net_of(policy, "a b c")
    (a,) = asked(submit(net))
    assert "deliver 1" in net.answer(a, "1")
    assert policy.heard == []


def test_an_audit_holds_the_answer_back_and_teaches_of_both() -> None:
    policy = Script(chance=1.0)
    net = net_of(policy, "a b c")
    (a,) = asked(submit(net))
    (b,) = asked(net.answer(a, "1"))
    assert "deliver 1" in net.answer(b, "1")
    assert [(e.owner, e.right, e.means) for e in policy.heard] == [
        (a, True, "audited"),
        (b, True, "audited"),
    ]
    assert policy.heard[0].alike == (b,)


def test_a_trusted_worker_does_the_audit_where_one_is_there() -> None:
    policy = Script(chance=1.0)
    net = net_of(policy, "a b T")
    agree_once(net, policy)
    (a,) = asked(submit(net))
    assert asked(net.answer(a, "1")) == ["T"]
    words = net.answer("T", "2")
    assert {"deliver 2", f"strike {a} dissented", "T trusted"} <= set(words)
    assert [(e.owner, e.right) for e in policy.heard] == [(a, False)]


def test_who_lied_with_a_caught_owner_is_asked_no_more() -> None:
    policy = Script(chance=1.0, doubted={"a": ("b",), "b": ("a",)})
    net = net_of(policy, "a b T")
    agree_once(net, policy)
    (first,) = asked(submit(net))
    policy.refused |= {"a", "b"}
    net.answer(first, "2")
    net.answer("T", "1")
    assert net.engine.roster.barred == {OwnerId("a"), OwnerId("b")}
    net.join("c")
    assert [asked(submit(net, f"n{i}")) for i in range(2)] == [["c"], []]


def test_who_dissents_is_barred_as_soon_as_the_policy_says_so() -> None:
    policy = Script(chance=1.0)
    net = net_of(policy, "a b T")
    agree_once(net, policy)
    (a,) = asked(submit(net))
    net.answer(a, "2")
    net.answer("T", "1")
    assert net.engine.roster.barred == {OwnerId(a)}
    (b,) = asked(submit(net, "u"))
    assert b != a


def test_an_audit_that_nobody_can_do_is_given_up() -> None:
    policy = Script(chance=1.0)
    net = net_of(policy, "a")
    (a,) = asked(submit(net))
    assert net.answer(a, "1") == []
    net.tick()
    assert "deliver 1" in net.tick(2.0)
    assert policy.heard == []


def test_a_drawn_chance_happens_about_as_often_as_it_says() -> None:
    dice = Dice(7)
    hits = sum(dice.happens(0.25) for _ in range(4000))
    assert 900 < hits < 1100
    assert not any(dice.happens(0.0) for _ in range(100))
    assert all(dice.happens(1.0) for _ in range(100))


def test_late_answers_teach_too() -> None:
    policy = Script(chance=1.0)
    net = net_of(policy, "a b c")
    (a,) = asked(submit(net))
    (b,) = asked(net.tick(601))
    (c,) = asked(net.answer(b, "1"))
    assert "deliver 1" in net.answer(c, "1")
    net.answer(a, "2")
    assert [(e.owner, e.right) for e in policy.heard] == [(b, True), (c, True), (a, False)]


def test_nobody_is_blamed_for_a_task_that_gives_another_answer_each_time() -> None:
    policy = Script(chance=1.0)
    net = net_of(policy, "a b T")
    for i in range(4):
        (who,) = asked(submit(net, f"t{i}"))
        net.answer(who, f"{i}", f"t{i}")
        assert f"deliver T{i}" in net.answer("T", f"T{i}", f"t{i}")
    assert policy.heard == []
    assert net.engine.roster.barred == set()


def test_a_gate_opens_at_once_as_all_that_was_delivered_stands() -> None:
    net = net_of(Script(), "a")
    (a,) = asked(submit(net))
    net.answer(a, "1")
    net.tell(ev.GateReached, GateId("g"), (BallotId("t"),))
    assert net.actions == [OpenGate(GateId("g"))]
