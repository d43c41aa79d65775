"""A network in one process: the real engine and policy, simulated providers, no wire and no clock.

    Scenario ──Simulation──► events ──► Engine ──► actions ──► answers, later ──► Result

Jobs of many tasks are submitted one after the other. The results of each are joined into one that
the recruiter waits for, behind a gate, as when a Dask collection is computed. A provider takes
about a unit of time per task, one at a time.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from dataclasses import dataclass, field

from sabotage_adversaries import RIGHT, Adversary, Crowd

from eco_dask.engine import actions as act
from eco_dask.engine import events as ev
from eco_dask.engine.engine import Engine
from eco_dask.engine.facts import EngineRule, Provider, Task
from eco_dask.types import (
    Account,
    BallotId,
    Digest,
    GateId,
    JobId,
    LeaseId,
    OwnerId,
    ProviderId,
    TaskKind,
)
from eco_dask.verification.attempt import ValueAnswer
from eco_dask.verification.layered import LayeredPolicy
from eco_dask.verification.rules import credibility_rule

KIND = TaskKind("work")
#: Time that a task takes, and how much of that differs from lease to lease.
TASK_S = 1.0
JITTER = 0.2
#: Time between two ticks.
TICK_S = 1.0
#: A run that waits this long for nothing is stuck, which is a bug.
STUCK_S = 1000.0
#: Whether every result is delivered as it comes, rather than all of a job behind its gate.
STREAMED = False
#: Passes of a provider after which the cold start counts as over.
COLD_TASKS = 100


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run."""

    adversary: Adversary
    liar_share: float
    #: Tasks per provider in all.
    tasks_each: int
    #: Tasks of one job; its results are delivered together.
    batch: int
    error: float = 1e-3
    providers: int = 200
    fault_rate: float = 0.0
    seed: int = 1
    #: Whether each result is delivered as soon as it is accepted, behind no gate.
    streamed: bool = STREAMED


@dataclass(slots=True)
class Result:
    """What came of a run."""

    scenario: Scenario
    tasks: int = 0
    delivered: int = 0
    wrong: int = 0
    failed: int = 0
    attempts: int = 0
    #: Attempts at tasks after the first 100 per provider, and how many such tasks there are.
    attempts_warm: int = 0
    tasks_warm: int = 0
    #: Time over what the same providers, all honest and unchecked, would take.
    slowdown: float = 0.0
    paid_mpt: int = 0
    paid_wrong_mpt: int = 0
    #: Answers that liars had given when they were first caught.
    to_first_catch: list[int] = field(default_factory=list)
    honest_struck: int = 0
    liars_struck: int = 0
    revoked: int = 0

    @property
    def error(self) -> float:
        """Share of wrong results among those delivered."""
        return self.wrong / max(self.delivered, 1)

    @property
    def attempts_each(self) -> float:
        """Attempts per task, audits and known answers included."""
        return self.attempts / max(self.tasks, 1)


class Simulation:
    """Feeds the engine until all jobs are delivered."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.policy = LayeredPolicy()
        self.engine = Engine(EngineRule(prefetch_s=0.0), self.policy)
        self.crowd = Crowd(
            scenario.providers,
            scenario.liar_share,
            scenario.adversary,
            scenario.seed,
            scenario.fault_rate,
        )
        self.result = Result(scenario)
        self.now_s = 0.0
        self._chance = random.Random(scenario.seed + 1)
        self._rule = credibility_rule(scenario.error, compare="exact")
        #: (when, order, lease) of answers to come.
        self._to_come: list[tuple[float, int, LeaseId]] = []
        self._order = itertools.count()
        self._doing: dict[LeaseId, tuple[int, BallotId]] = {}
        self._answered: dict[LeaseId, tuple[int, bytes]] = {}
        self._who: dict[ProviderId, int] = {}
        self._lives: Counter[int] = Counter()
        self._caught: set[int] = set()
        self._task_of: dict[BallotId, int] = {}
        #: Of the present job: the latest ballot of each task, and the value that flowed.
        self._ballots: dict[int, BallotId] = {}
        self._flowed: dict[int, bytes] = {}
        self._lost: set[int] = set()
        self._gate: GateId | None = None
        self._open = False

    # ------------------------------------------------------------------ running

    def run(self) -> Result:
        """Run all jobs."""
        s = self.scenario
        for who in range(s.providers):
            self._join(who)
        total = s.tasks_each * s.providers
        for first in range(0, total, s.batch):
            self._run_job(range(first, min(first + s.batch, total)))
        self._finish(total)
        return self.result

    def _run_job(self, tasks: range) -> None:
        self._ballots, self._flowed, self._lost = {}, {}, set()
        self._gate, self._open = None, False
        for task in tasks:
            self._submit(task)
        idle_since_s, next_tick_s = self.now_s, self.now_s + TICK_S
        while not self._open:
            if self._gate is None and len(self._flowed) + len(self._lost) == len(tasks):
                self._reach_gate()
                continue
            if self._to_come and self._to_come[0][0] <= next_tick_s:
                idle_since_s = self.now_s
                self._answer_next()
                continue
            self.now_s, next_tick_s = next_tick_s, next_tick_s + TICK_S
            self._tell(ev.Ticked(self.now_s, self._dice()))
            if self.now_s - idle_since_s > STUCK_S:
                raise RuntimeError(
                    f"nothing happens in {self.scenario}: {len(self._flowed)} flowed"
                )
        self.result.tasks += len(tasks)
        self.result.delivered += len(self._flowed)
        self.result.wrong += sum(value != RIGHT for value in self._flowed.values())
        self.result.failed += len(self._lost)

    def _reach_gate(self) -> None:
        """Join what flowed; a job of which nothing is left is over, as is one without a gate."""
        if not self._flowed or self.scenario.streamed:
            self._open = True
            return
        self._gate = GateId(f"gate {next(self._order)}")
        ballots = tuple(self._ballots[task] for task in self._flowed)
        self._tell(ev.GateReached(self._gate, ballots, self.now_s, self._dice()))

    def _submit(self, task: int) -> None:
        ballot = BallotId(f"{task}.{next(self._order)}")
        self._ballots[task], self._task_of[ballot] = ballot, task
        job, payer, wanted = JobId("job"), Account("recruiter:r"), self.scenario.streamed
        facts = Task(ballot, KIND, job, payer, self._rule, wanted=wanted)
        self._tell(ev.TaskSubmitted(facts, self.now_s, self._dice()))

    def _answer_next(self) -> None:
        self.now_s, _, lease = heapq.heappop(self._to_come)
        doing = self._doing.pop(lease, None)
        if doing is None:
            return
        who, ballot = doing
        task = self._task_of[ballot]
        value = self.crowd.answer(who, task)
        self._answered[lease] = who, value
        self.result.attempts += 1
        self.result.attempts_warm += task >= COLD_TASKS * self.scenario.providers
        answer = ValueAnswer(Digest(b"%d " % task + value), 8)
        self._tell(ev.AnswerArrived(lease, answer, TASK_S, TASK_S, True, self.now_s, self._dice()))

    def _tell(self, event: ev.Event) -> None:
        for action in self.engine.handle(event):
            self._do(action)

    def _dice(self) -> int:
        return self._chance.getrandbits(64)

    # ------------------------------------------------------------------ what the engine orders

    def _do(self, action: act.Action) -> None:
        match action:
            case act.GrantLease(lease, ballot, provider):
                self._doing[lease] = self._who[provider], ballot
                takes_s = TASK_S * (1 + JITTER * (self._chance.random() - 0.5))
                heapq.heappush(self._to_come, (self.now_s + takes_s, next(self._order), lease))
            case act.RecallLease(lease):
                if self._doing.pop(lease, None):
                    self._tell(ev.LeaseDeclined(lease, self.now_s, self._dice()))
            case act.FetchValue(lease):
                self._tell(ev.ValueArrived(lease, self.now_s, self._dice()))
            case act.DeliverValue(ballot, lease):
                self._flow(ballot, self._answered[lease][1])
            case act.FailTask(ballot):
                self._lose(ballot)
            case act.Revoke(ballots, gates):
                self._revoke(ballots, gates)
            case act.OpenGate(gate):
                self._open = self._open or gate == self._gate
            case act.Strike(provider, _, lease):
                self._on_strike(provider, lease)
            case act.Record(_, receipts):
                for receipt in receipts:
                    self._on_pay(receipt.lease, receipt.amount_mpt)
            case act.ReleaseAnswer() | act.ForgetTask():
                pass
            case _:
                raise NotImplementedError(action)

    def _flow(self, ballot: BallotId, value: bytes) -> None:
        task = self._task_of[ballot]
        if self._ballots.get(task) == ballot:
            self._flowed[task] = value

    def _lose(self, ballot: BallotId) -> None:
        task = self._task_of[ballot]
        if self._ballots.get(task) == ballot:
            self._flowed.pop(task, None)
            self._lost.add(task)

    def _revoke(self, ballots: tuple[BallotId, ...], gates: tuple[GateId, ...]) -> None:
        """Compute again, as Dask does with results that it is told are lost."""
        if self._gate in gates:
            self._gate = None
        for ballot in ballots:
            task = self._task_of[ballot]
            if self._ballots.get(task) == ballot:
                self.result.revoked += 1
                self._flowed.pop(task, None)
                self._submit(task)

    def _on_strike(self, provider: ProviderId, lease: LeaseId) -> None:
        who = self._who[provider]
        if provider == self._name(who) and not self.policy.admits(self._owner(who)):
            # Who gets nothing any more leaves, and frees nobody's place.
            self._tell(ev.ProviderLeft(provider, self.now_s, self._dice()))
        if who not in self.crowd.liars:
            return
        if who not in self._caught:
            self._caught.add(who)
            self.result.to_first_catch.append(self.crowd.given[who])
        if self.scenario.adversary.returns and provider == self._name(who):
            self._doing.pop(lease, None)
            self._tell(ev.ProviderLeft(provider, self.now_s, self._dice()))
            self._lives[who] += 1
            self._join(who)

    def _on_pay(self, lease: LeaseId, amount_mpt: int) -> None:
        self.result.paid_mpt += amount_mpt
        answered = self._answered.get(lease)
        if answered and answered[1] != RIGHT:
            self.result.paid_wrong_mpt += amount_mpt

    # ------------------------------------------------------------------ providers

    def _name(self, who: int) -> ProviderId:
        return ProviderId(f"p{who}-{self._lives[who]}")

    def _owner(self, who: int) -> OwnerId:
        return OwnerId(f"o{who}-{self._lives[who]}")

    def _join(self, who: int) -> None:
        provider = self._name(who)
        self._who[provider] = who
        prefix = self.crowd.prefix(who)
        facts = Provider(provider, self._owner(who), "provider", frozenset(), 1, prefix=prefix)
        self._tell(ev.ProviderJoined(facts, self.now_s, self._dice()))

    def _finish(self, total: int) -> None:
        s, result = self.scenario, self.result
        result.tasks_warm = max(total - COLD_TASKS * s.providers, 0)
        result.slowdown = self.now_s / (s.tasks_each * TASK_S)
        for who in range(s.providers):
            struck = not self.policy.admits(OwnerId(f"o{who}-0"))
            result.liars_struck += struck and who in self.crowd.liars
            result.honest_struck += struck and who not in self.crowd.liars


def simulate(scenario: Scenario) -> Result:
    """Run one scenario; for pools of processes."""
    return Simulation(scenario).run()
