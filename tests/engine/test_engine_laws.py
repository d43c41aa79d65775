"""Engine: whatever providers, recruiters and the clock do, what was promised holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine_oracle import World
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from eco_dask.engine import events as ev
from eco_dask.engine.engine import Engine
from eco_dask.engine.facts import EngineRule, Provider, Task
from eco_dask.types import Account, BallotId, Digest, JobId, LeaseId, OwnerId, ProviderId, TaskKind
from eco_dask.verification.attempt import Answer, ErrorAnswer, ValueAnswer
from eco_dask.verification.rules import QuorumRule

RULE = EngineRule(
    deadline_first_s=20.0,
    deadline_min_s=5.0,
    deadline_factor=2.0,
    late_grace_s=10.0,
    trusted_after_s=2.0,
    patience_s=30.0,
    losses_max=4,
    work_first_units=2.0,
)
OWNERS = "abcdef"
BUDGET_MPT = 7000
FOREVER_S = 10_000.0


def answer_of(kind: str, task: str, owner: str) -> Answer:
    """Give what a provider says: the truth, its own lie, a lie shared by many, or an error."""
    if kind in {"error", "other-error"}:
        return ErrorAnswer("ValueError", kind, f"at {owner}")
    text = {"truth": task, "lie": f"{task} {owner}", "plot": f"{task} plot"}[kind]
    return ValueAnswer(Digest(text.encode().ljust(32)), 8)


def provider(owner: str, machine: int, slots: int = 2) -> Provider:
    """Owner T is the operator; the first machines of b, c and d have a GPU."""
    tags = frozenset({"gpu"}) if owner in "bcd" and machine == 0 else frozenset[str]()
    role = "trusted" if owner == "T" else "provider"
    return Provider(ProviderId(f"{owner}{machine}"), OwnerId(owner), role, tags, slots, cores=2)


def pick(index: int, of: Iterable[Any]) -> Any:
    choices = list(of)
    return choices[index % len(choices)]


chances = st.integers(0, 2**64 - 1)
indices = st.integers(0, 10**6)
answer_kinds = st.sampled_from(["truth", "truth", "lie", "plot", "error", "other-error"])
task_kinds = st.sampled_from(["sum", "dot"])
quorums = st.tuples(st.integers(1, 4), st.integers(0, 3)).map(
    lambda pair: QuorumRule(pair[0], sum(pair), "exact")
)


class EngineMachine(RuleBasedStateMachine):
    """Everything that can happen, against an onlooker's account of it."""

    def __init__(self) -> None:
        super().__init__()
        self.engine, self.twin = Engine(RULE), Engine(RULE)
        self.world = World(RULE)
        self.ballots = 0
        self.trusted_exist = False

    @initialize(trusted_exist=st.booleans(), honest_end=st.booleans(), chance=chances)
    def begin(self, trusted_exist: bool, honest_end: bool, chance: int) -> None:
        self.trusted_exist, self.honest_end = trusted_exist, honest_end
        for owner in "abcd":
            self.tell(ev.ProviderJoined, provider(owner, 0), chance=chance)

    def tell(self, kind: Any, *facts: Any, chance: int, after_s: float = 0.0, **more: Any) -> None:
        event = kind(*facts, **more, at_s=self.world.now_s + after_s, chance=chance)
        self.world.tell(event)
        actions = self.engine.handle(event)
        assert self.twin.handle(event) == actions, "the same events and chances, the same actions"
        self.world.check(event, actions)

    # ------------------------------------------------------------------ providers

    @rule(
        owner=st.sampled_from(OWNERS),
        machine=st.integers(0, 2),
        slots=st.integers(0, 3),
        chance=chances,
    )
    def join(self, owner: str, machine: int, slots: int, chance: int) -> None:
        self.tell(ev.ProviderJoined, provider(owner, machine, slots), chance=chance)

    @precondition(lambda self: self.trusted_exist)
    @rule(machine=st.integers(0, 1), chance=chances)
    def trusted_joins(self, machine: int, chance: int) -> None:
        self.tell(ev.ProviderJoined, provider("T", machine), chance=chance)

    @precondition(lambda self: self.world.providers)
    @rule(index=indices, slots=st.sampled_from([None, 0, 1, 3]), chance=chances)
    def leave_or_change_slots(self, index: int, slots: int | None, chance: int) -> None:
        who = pick(index, self.world.providers)
        if slots is None:
            self.tell(ev.ProviderLeft, who, chance=chance)
        else:
            self.tell(ev.SlotsChanged, who, slots, chance=chance)

    @precondition(lambda self: self.world.fetching)
    @rule(index=indices, chance=chances)
    def holder_leaves(self, index: int, chance: int) -> None:
        lease = pick(index, self.world.fetching.values())
        self.tell(ev.ProviderLeft, self.world.leases[lease].provider.id, chance=chance)

    # ------------------------------------------------------------------ tasks

    def submit(self, rule: QuorumRule, kind: str, chance: int, **more: Any) -> None:
        self.ballots += 1
        task = Task(
            ballot=BallotId(f"t{self.ballots}"),
            kind=TaskKind(kind),
            job=JobId("capped" if "budget_mpt" in more else "free"),
            payer=Account("recruiter:ada"),
            rule=rule,
            **more,
        )
        self.tell(ev.TaskSubmitted, task, chance=chance)

    @rule(rule=quorums, kind=task_kinds, count=st.integers(1, 3), chance=chances)
    def submit_some(self, rule: QuorumRule, kind: str, count: int, chance: int) -> None:
        for _ in range(count):
            self.submit(rule, kind, chance)

    @rule(rule=quorums, kind=task_kinds, gpu=st.booleans(), chance=chances)
    def submit_particular(self, rule: QuorumRule, kind: str, gpu: bool, chance: int) -> None:
        if gpu:
            self.submit(rule, kind, chance, require=frozenset({"gpu"}))
        else:
            self.submit(rule, kind, chance, trusted_only=True)

    @rule(rule=quorums, kind=task_kinds, chance=chances)
    def submit_with_a_budget(self, rule: QuorumRule, kind: str, chance: int) -> None:
        self.submit(rule, kind, chance, budget_mpt=BUDGET_MPT)

    @precondition(lambda self: self.world.tasks)
    @rule(index=indices, chance=chances)
    def cancel(self, index: int, chance: int) -> None:
        self.tell(ev.TaskCancelled, pick(index, self.world.tasks), chance=chance)

    # ------------------------------------------------------------------ answers

    def unanswered(self) -> list[str]:
        return [lease for lease in self.world.leases if self.world.is_unanswered(lease)]

    def answer(self, lease: str, kind: str, here: bool, cpu_s: float, chance: int) -> None:
        given = self.world.leases[lease]
        if given.trusted:
            kind = "truth"
        answer = answer_of(kind, given.task.ballot, given.provider.owner)
        self.tell(ev.AnswerArrived, LeaseId(lease), answer, cpu_s, cpu_s, here, chance=chance)

    @precondition(unanswered)
    @rule(
        index=indices,
        kind=answer_kinds,
        here=st.booleans(),
        cpu_s=st.sampled_from([0.0, 0.5, 1e9]),
        chance=chances,
    )
    def answer_one(self, index: int, kind: str, here: bool, cpu_s: float, chance: int) -> None:
        self.answer(pick(index, self.unanswered()), kind, here, cpu_s, chance)

    @precondition(unanswered)
    @rule(
        liars=st.sets(st.sampled_from(OWNERS)),
        kind=answer_kinds,
        here=st.booleans(),
        chance=chances,
    )
    def all_answer(self, liars: set[str], kind: str, here: bool, chance: int) -> None:
        for lease in self.unanswered():
            if self.world.is_unanswered(lease):
                lies = self.world.leases[lease].provider.owner in liars
                self.answer(lease, kind if lies else "truth", here, 0.5, chance)

    @precondition(unanswered)
    @rule(index=indices, chance=chances)
    def decline(self, index: int, chance: int) -> None:
        self.tell(ev.LeaseDeclined, pick(index, self.unanswered()), chance=chance)

    @precondition(lambda self: self.world.fetching)
    @rule(index=indices, outcome=st.sampled_from(["here", "withheld", "mismatch"]), chance=chances)
    def fetch_ends(self, index: int, outcome: str, chance: int) -> None:
        lease = pick(index, self.world.fetching.values())
        if outcome == "here":
            self.tell(ev.ValueArrived, lease, chance=chance)
        else:
            self.tell(ev.ValueFailed, lease, mismatch=outcome == "mismatch", chance=chance)

    @precondition(lambda self: self.world.leases)
    @rule(
        index=indices,
        kind=st.sampled_from(["answer", "decline", "value", "withheld", "unknown"]),
        chance=chances,
    )
    def out_of_place(self, index: int, kind: str, chance: int) -> None:
        """Events for leases that may be answered, over, or were never granted."""
        lease = pick(index, self.world.leases)
        match kind:
            case "answer":
                self.answer(lease, "plot", True, 0.5, chance)
            case "decline":
                self.tell(ev.LeaseDeclined, lease, chance=chance)
            case "value":
                self.tell(ev.ValueArrived, lease, chance=chance)
            case "withheld":
                self.tell(ev.ValueFailed, lease, mismatch=False, chance=chance)
            case "unknown":
                answer = answer_of("plot", "t1", "a")
                self.tell(ev.AnswerArrived, "never", answer, 1.0, 1.0, True, chance=chance)
                self.tell(ev.LeaseDeclined, "never", chance=chance)
                self.tell(ev.TaskCancelled, "never", chance=chance)
                self.tell(ev.ProviderLeft, "never", chance=chance)
                self.tell(ev.SlotsChanged, "never", 3, chance=chance)

    @rule(after_s=st.sampled_from([0.0, 0.5, 2.5, 6.0, 11.0, 21.0, 35.0]), chance=chances)
    def tick(self, after_s: float, chance: int) -> None:
        self.tell(ev.Ticked, chance=chance, after_s=after_s)

    # ------------------------------------------------------------------ the end

    def teardown(self) -> None:
        if self.honest_end:
            self.finish_honestly()
        for provider in tuple(self.world.providers):
            self.tell(ev.ProviderLeft, provider, chance=1)
        for after_s in (1.0, RULE.patience_s + 1, RULE.patience_s + 1, FOREVER_S, FOREVER_S):
            self.tell(ev.Ticked, chance=1, after_s=after_s)
        assert set(self.world.endings) == set(self.world.tasks), "every task ends"
        self.nothing_is_left()

    def finish_honestly(self) -> None:
        """With enough honest owners about, every task that can end well does."""
        for owner in "uvwxyz":
            joined = Provider(ProviderId(owner), OwnerId(owner), "provider", frozenset({"gpu"}), 9)
            self.tell(ev.ProviderJoined, joined, chance=2)
        self.tell(
            ev.ProviderJoined,
            Provider(ProviderId("T9"), OwnerId("T"), "trusted", frozenset({"gpu"}), 9),
            chance=2,
        )
        for round in range(40):
            self.tell(ev.Ticked, chance=round, after_s=3.0)
            for lease in self.unanswered():
                if self.world.is_unanswered(lease):
                    self.answer(lease, "truth", True, 0.5, chance=round)
            for lease in tuple(self.world.fetching.values()):
                self.tell(ev.ValueArrived, lease, chance=round)
        assert set(self.world.endings) == set(self.world.tasks), "honest work ends every task"

    def nothing_is_left(self) -> None:
        assert all(given.receipt for given in self.world.leases.values()), "a receipt for each"
        book = self.world.book
        assert not any(book.reserved_mpt.values()), "every hold is posted or voided"
        assert sum(book.posted_mpt.values()) == 0
        assert self.world.committed_mpt("capped") <= BUDGET_MPT
        for engine in (self.engine, self.twin):
            assert (engine.ballots_open, engine.leases_held) == (0, 0)
            assert not engine.ballots
            assert not engine.leases.held
            assert not engine.leases._due
            assert not any(engine._line._lines.values())
            assert not engine._treasury._awaited
            assert not any(engine.roster._roomy.values())
            assert all(not c._owners_by_tags for c in engine.roster._unpaused_crowd.values())
            assert all(not c._owners_by_tags for c in engine.roster._roomy_crowd.values())


TestEngineMachine = EngineMachine.TestCase
TestEngineMachine.settings = settings(
    max_examples=70,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
