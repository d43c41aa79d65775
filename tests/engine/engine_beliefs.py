"""Scenarios of jobs that state an error: a policy whose beliefs are written down, and its words.

net = CredibleNet("a b c", doubts={"a": 0.02}); net.put("t"); net.answer("a", "1", "t")
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from engine_script import Net, asked

from eco_dask.engine import events as ev
from eco_dask.engine.facts import Task
from eco_dask.types import Account, BallotId, GateId, JobId, LeaseId, OwnerId, TaskKind
from eco_dask.verification.attempt import Attempt, Case
from eco_dask.verification.checks import CheckVerdict
from eco_dask.verification.comparing import same
from eco_dask.verification.policy import Bar, Evidence
from eco_dask.verification.quorum import Agreed, Disputed, Undecided, Verdict, judge
from eco_dask.verification.rules import CredibilityRule, QuorumRule

ERROR, FLOW_ERROR = 1e-3, 0.03
RULE = CredibilityRule(ERROR, FLOW_ERROR, attempts_max=5, compare="exact")
#: Enough to flow alone, and to be delivered in pairs.
NEW = 0.02


@dataclass
class Beliefs:
    """Odds of groups by what is written down of each owner; who is proved wrong proves nothing."""

    doubts: dict[str, float] = field(default_factory=dict)
    audits: float = 0.0
    quizzes: float = 0.0
    #: Owners that get nothing once they were wrong, and those in doubt together with each.
    struck_if_wrong: set[str] = field(default_factory=set)
    friends: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    heard: list[Evidence] = field(default_factory=list)

    def judge(self, case: Case, bar: Bar = "deliver") -> Verdict:
        if isinstance(case.rule, QuorumRule):
            return judge(case.attempts, case.rule, partial(same, case))
        if not case.attempts:
            return Undecided(1)
        weights: list[tuple[float, tuple[Attempt, ...]]] = []
        left = list(case.attempts)
        while left:
            camp = tuple(b for b in left if self.same(case, left[0], b))
            left = [b for b in left if b not in camp]
            weights.append((self.weight(camp), camp))
        weights.sort(key=lambda pair: -pair[0])
        others = 1 + sum(weight for weight, _ in weights[1:])
        doubt = others / (others + weights[0][0])
        camp = weights[0][1]
        rest = tuple(a for a in case.attempts if a not in camp)
        owners = {a.owner for a in case.attempts}
        enough = not rest or len(owners) > 2 or any(a.trusted for a in camp)
        if doubt <= (FLOW_ERROR if bar == "flow" else ERROR) and enough:
            return Agreed(camp, rest, doubt)
        if len(case.attempts) >= case.rule.attempts_max:
            return Disputed(case.attempts)
        return Undecided(1)

    def weight(self, camp: tuple[Attempt, ...]) -> float:
        if any(a.trusted for a in camp):
            return 1e12
        power = max(a.check_power for a in camp)
        odds = math.prod(
            (1 - d) / d for o in {a.owner for a in camp} for d in [self.doubts.get(o, NEW)]
        )
        return odds / (1 - power) if power < 1 else 1e12

    def same(self, case: Case, a: Attempt, b: Attempt) -> bool:
        return same(case, a, b)

    def audit_chance(self, case: Case) -> float:
        return 0.0 if any(a.trusted for a in case.attempts) else self.audits

    def quiz_chance(self, owner: OwnerId, kind: TaskKind) -> float:
        return self.quizzes

    def learn(self, evidence: Evidence) -> tuple[OwnerId, ...]:
        self.heard.append(evidence)
        if evidence.right:
            return ()
        self.doubts[evidence.owner] = 0.5
        if evidence.owner in self.struck_if_wrong:
            self.refused.add(evidence.owner)
        return (evidence.owner, *map(OwnerId, self.friends.get(evidence.owner, ())))

    def admits(self, owner: OwnerId) -> bool:
        return owner not in self.refused

    @property
    def told(self) -> Counter[tuple[str, bool, str]]:
        return Counter((e.owner, e.right, e.means) for e in self.heard)


class CredibleNet(Net):
    """A network whose tasks state an error."""

    def __init__(self, who: str, **beliefs: Any) -> None:
        self.beliefs = Beliefs(**beliefs)
        super().__init__(who, self.beliefs)

    def put(
        self, name: str = "t", rests_on: str = "", *, wanted: bool = False, **task: Any
    ) -> list[str]:
        """Submit a task that uses others' results."""
        facts: Mapping[str, Any] = {
            "kind": TaskKind("k"),
            "job": JobId("j"),
            "payer": Account("recruiter:r"),
            "rule": RULE,
            "inputs": tuple(BallotId(one) for one in rests_on.split()),
            **task,
        }
        return self.tell(ev.TaskSubmitted, Task(BallotId(name), wanted=wanted, **facts))

    def flow(self, name: str, what: str = "1", rests_on: str = "") -> str:
        """Submit a task and let whoever is asked answer it; return who that was."""
        (who,) = asked(self.put(name, rests_on))
        words = self.answer(who, what, name)
        assert words[0] == f"deliver {what}", words
        return who

    def gate(self, name: str, *ballots: str) -> list[str]:
        return self.tell(ev.GateReached, GateId(name), tuple(map(BallotId, ballots)))

    def leave_gate(self, name: str) -> list[str]:
        return self.tell(ev.GateLeft, GateId(name))

    def let_go(self, *ballots: str) -> list[str]:
        return self.tell(ev.ResultsReleased, tuple(map(BallotId, ballots)))

    def settle(self, *ballots: str) -> list[str]:
        return self.tell(ev.SettlingAsked, tuple(map(BallotId, ballots)))

    def check(self, who: str, verdict: CheckVerdict, task: str = "t") -> list[str]:
        return self.tell(ev.CheckArrived, LeaseId(self.leases[task][who]), verdict)

    def due(self, name: str) -> list[str]:
        """Who was asked for a task and has not answered."""
        leases = self.leases.get(name, {})
        return sorted(w for w, at in leases.items() if at in self.engine.leases_of(w))

    def answer_all(self, **answers: str) -> list[str]:
        """Let all who are asked for these tasks answer so, until nobody is."""
        said: list[str] = []
        while due := [(name, who) for name in answers for who in self.due(name)]:
            name, who = due[0]
            said += self.answer(who, answers[name], name)
        return said
