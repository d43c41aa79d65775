"""Engine: whatever happens, nothing is delivered that rests on answers below the bar."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from credible_oracle import Account
from engine_beliefs import NEW, RULE, Beliefs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from eco_dask.engine import events as ev
from eco_dask.engine.engine import Engine
from eco_dask.engine.facts import EngineRule, Provider, Task
from eco_dask.types import (
    Account as Payer,
)
from eco_dask.types import (
    BallotId,
    Digest,
    GateId,
    JobId,
    LeaseId,
    OwnerId,
    ProviderId,
    TaskKind,
)
from eco_dask.verification.attempt import Answer, ErrorAnswer, ValueAnswer
from eco_dask.verification.checks import Failed, NotApplicable, Passed
from eco_dask.verification.rules import QuorumRule

ENGINE_RULE = EngineRule(
    deadline_first_s=20.0,
    deadline_min_s=5.0,
    deadline_factor=2.0,
    late_grace_s=10.0,
    trusted_after_s=2.0,
    patience_s=30.0,
    losses_max=4,
    work_first_units=2.0,
    known_max=2,
)
OWNERS = "abcdef"
HONEST = "uvwxyz"


def provider(owner: str, slots: int = 2) -> Provider:
    role = "trusted" if owner == "T" else "provider"
    return Provider(ProviderId(f"{owner}0"), OwnerId(owner), role, frozenset(), slots, cores=2)


def pick(index: int, of: Iterable[Any]) -> Any:
    choices = list(of)
    return choices[index % len(choices)]


chances = st.integers(0, 2**64 - 1)
indices = st.integers(0, 10**6)


class CredibleMachine(RuleBasedStateMachine):
    """Everything that can happen to results that flow, against an onlooker's account."""

    @initialize(
        audits=st.sampled_from([0.0, 0.3, 1.0]),
        quizzes=st.sampled_from([0.0, 0.5]),
        struck=st.booleans(),
        chance=chances,
    )
    def begin(self, audits: float, quizzes: float, struck: bool, chance: int) -> None:
        def beliefs() -> Beliefs:
            return Beliefs(
                dict.fromkeys(OWNERS, NEW),
                audits,
                quizzes,
                set(OWNERS) if struck else set(),
                {"a": ("b",), "b": ("a",)},
            )

        self.account = Account(beliefs())
        self.engine = Engine(ENGINE_RULE, self.account.beliefs)
        self.twin = Engine(ENGINE_RULE, beliefs())
        self.named = 0
        for owner in "abcd":
            self.tell(ev.ProviderJoined, provider(owner), chance=chance)

    def tell(self, kind: Any, *facts: Any, chance: int, after_s: float = 0.0, **more: Any) -> None:
        event = kind(*facts, **more, at_s=self.account.now_s + after_s, chance=chance)
        self.account.tell(event)
        actions = self.engine.handle(event)
        assert self.twin.handle(event) == actions, "the same events and chances, the same actions"
        self.account.check(actions)

    def name(self, what: str) -> str:
        self.named += 1
        return f"{what}{self.named}"

    # ------------------------------------------------------------------ providers

    @rule(owner=st.sampled_from(OWNERS + "T"), slots=st.integers(0, 3), chance=chances)
    def join(self, owner: str, slots: int, chance: int) -> None:
        self.tell(ev.ProviderJoined, provider(owner, slots), chance=chance)

    @precondition(lambda self: self.account.providers)
    @rule(index=indices, chance=chances)
    def leave(self, index: int, chance: int) -> None:
        self.tell(ev.ProviderLeft, pick(index, self.account.providers), chance=chance)

    # ------------------------------------------------------------------ tasks and gates

    @rule(
        picks=st.lists(indices, max_size=3),
        wanted=st.booleans(),
        checkable=st.sampled_from([False, False, True]),
        quorum=st.sampled_from([False, False, False, True]),
        chance=chances,
    )
    def submit(
        self, picks: list[int], wanted: bool, checkable: bool, quorum: bool, chance: int
    ) -> None:
        from_ = self.account.flowing
        task = Task(
            BallotId(self.name("t")),
            TaskKind("k"),
            JobId("j"),
            Payer("recruiter:r"),
            RULE if not quorum else QuorumRule(1, 1, "exact"),
            inputs=tuple({BallotId(pick(i, from_)) for i in picks}) if from_ else (),
            wanted=wanted,
            checkable=checkable,
        )
        if quorum and not task.inputs:
            return  # decided by what is tested elsewhere
        self.tell(ev.TaskSubmitted, task, chance=chance)

    @precondition(lambda self: self.account.tasks)
    @rule(index=indices, chance=chances)
    def cancel(self, index: int, chance: int) -> None:
        self.tell(ev.TaskCancelled, pick(index, self.account.tasks), chance=chance)

    @precondition(lambda self: self.account.flowing)
    @rule(picks=st.lists(indices, min_size=1, max_size=3), chance=chances)
    def reach(self, picks: list[int], chance: int) -> None:
        ballots = tuple(BallotId(pick(i, self.account.flowing)) for i in picks)
        self.tell(ev.GateReached, GateId(self.name("g")), ballots, chance=chance)

    @precondition(lambda self: self.account.gates)
    @rule(index=indices, chance=chances)
    def leave_gate(self, index: int, chance: int) -> None:
        self.tell(ev.GateLeft, pick(index, self.account.gates), chance=chance)

    @precondition(lambda self: self.account.flowing)
    @rule(index=indices, chance=chances)
    def settle_soon(self, index: int, chance: int) -> None:
        ballot = pick(index, self.account.flowing)
        self.tell(ev.SettlingAsked, (ballot,), chance=chance)

    def unused(self) -> list[str]:
        """Results on which nothing rests that may still be delivered."""
        over = self.account.settled | self.account.failed | self.account.cancelled
        over = over | self.account.revoked
        used = {i for b, t in self.account.tasks.items() if b not in over for i in t.inputs}
        used |= {b for waits in self.account.gates.values() for b in waits}
        return [b for b in self.account.flowing if b not in used]

    @precondition(unused)
    @rule(index=indices, chance=chances)
    def let_go(self, index: int, chance: int) -> None:
        self.tell(ev.ResultsReleased, (pick(index, self.unused()),), chance=chance)

    # ------------------------------------------------------------------ answers

    def answer(self, lease: str, kind: str, here: bool, chance: int) -> None:
        lent = self.account.leases[lease]
        task, owner = lent.task.ballot, lent.provider.owner
        if owner == "T":
            kind = "truth"
        said: Answer = ErrorAnswer("ValueError", "x", f"at {owner}")
        if kind != "error":
            text = {"truth": task, "lie": f"{task} {owner}", "plot": f"{task} plot"}[kind]
            said = ValueAnswer(Digest(text.encode().ljust(32)), 8)
        self.tell(ev.AnswerArrived, LeaseId(lease), said, 0.5, 0.5, here, chance=chance)

    @precondition(lambda self: self.account.due)
    @rule(
        liars=st.sets(st.sampled_from(OWNERS), max_size=3),
        kind=st.sampled_from(["lie", "plot", "plot", "error"]),
        here=st.booleans(),
        chance=chances,
    )
    def all_answer(self, liars: set[str], kind: str, here: bool, chance: int) -> None:
        for lease in self.account.due:
            if self.account.is_due(lease):
                lies = self.account.leases[lease].provider.owner in liars
                self.answer(lease, kind if lies else "truth", here, chance)

    @precondition(lambda self: self.account.due)
    @rule(index=indices, kind=st.sampled_from(["truth", "plot", None]), chance=chances)
    def one_answers(self, index: int, kind: str | None, chance: int) -> None:
        lease = pick(index, self.account.due)
        if kind is None:
            self.tell(ev.LeaseDeclined, lease, chance=chance)
        else:
            self.answer(lease, kind, True, chance)

    @precondition(lambda self: self.account.fetching)
    @rule(index=indices, comes=st.sampled_from([True, True, False]), chance=chances)
    def fetch_ends(self, index: int, comes: bool, chance: int) -> None:
        lease = pick(index, self.account.fetching)
        if comes:
            self.tell(ev.ValueArrived, lease, chance=chance)
        else:
            self.tell(ev.ValueFailed, lease, mismatch=False, chance=chance)

    @precondition(lambda self: self.account.checking)
    @rule(index=indices, fits=st.booleans(), chance=chances)
    def check_ends(self, index: int, fits: bool, chance: int) -> None:
        self.end_check(pick(index, sorted(self.account.checking)), fits, chance)

    def end_check(self, lease: str, fits: bool, chance: int) -> None:
        lent = self.account.leases[lease]
        said = lent.answer.digest.decode().strip() if lent.answer else ""
        right = said == lent.task.ballot
        verdict = (Passed(0.999) if right else Failed("wrong")) if fits else NotApplicable("no")
        self.tell(ev.CheckArrived, LeaseId(lease), verdict, chance=chance)

    @rule(after_s=st.sampled_from([0.0, 2.5, 6.0, 21.0, 35.0]), chance=chances)
    def tick(self, after_s: float, chance: int) -> None:
        self.tell(ev.Ticked, chance=chance, after_s=after_s)

    @precondition(lambda self: self.account.leases)
    @rule(index=indices, kind=st.integers(0, 6), chance=chances)
    def out_of_place(self, index: int, kind: int, chance: int) -> None:
        """Events for what may be over, or never was."""
        lease = pick(index, self.account.leases)
        if not self.account.is_due(lease):
            self.answer(lease, "plot", True, chance)
        for event, *facts in (
            (ev.GateLeft, "never"),
            (ev.ResultsReleased, ("never",)),
            (ev.SettlingAsked, ("never",)),
            (ev.CheckArrived, "never", Failed("no")),
            (ev.TaskCancelled, "never"),
            (ev.SketchArrived, lease, 1, None),
            (ev.ValueArrived, "never"),
        )[kind : kind + 1]:
            self.tell(event, *facts, chance=chance)

    # ------------------------------------------------------------------ the end

    def teardown(self) -> None:
        if not hasattr(self, "account"):
            return
        for owner in HONEST + "T":
            self.tell(ev.ProviderJoined, provider(owner, 9), chance=2)
        self.finish_honestly()
        account = self.account
        assert not account.gates, "with honest work every gate opens or breaks"
        ends = account.failed | account.cancelled | account.revoked | set(account.delivered)
        assert ends == set(account.tasks), "and every task ends"
        for name in list(account.tasks):
            self.tell(ev.ResultsReleased, (BallotId(name),), chance=3)
        self.finish_honestly()
        for who in tuple(account.providers):
            self.tell(ev.ProviderLeft, who, chance=4)
        for _ in range(3):
            self.tell(ev.Ticked, chance=4, after_s=1000.0)
        self.nothing_is_left()

    def finish_honestly(self) -> None:
        for round in range(60):
            self.tell(ev.Ticked, chance=round, after_s=3.0)
            for lease in self.account.due:
                if self.account.is_due(lease):
                    self.answer(lease, "truth", True, round)
            for lease in tuple(self.account.fetching):
                self.tell(ev.ValueArrived, lease, chance=round)
            for lease in sorted(self.account.checking):
                self.end_check(lease, True, round)

    def nothing_is_left(self) -> None:
        account, engine = self.account, self.engine
        assert all(lent.receipt for lent in account.leases.values()), "a receipt for each lease"
        assert not any(account.book.reserved_mpt.values()), "every hold is posted or voided"
        assert sum(account.book.posted_mpt.values()) == 0
        assert account.forgotten == set(account.tasks) - self.fallen()
        assert (engine.ballots_open, engine.leases_held) == (0, 0)
        assert not engine.ballots
        assert not engine.leases.held
        assert not engine.standing._by_owner
        assert not engine.standing.gates._gates
        assert not engine.known._kept
        assert not engine.known._under_way
        assert not any(engine._line._lines.values())
        assert not engine._treasury._awaited

    def fallen(self) -> set[str]:
        """Tasks that were refused, as they rested on a revoked result when they came."""
        return {b for b in self.account.revoked if b not in self.account.forgotten}


TestCredibleMachine = CredibleMachine.TestCase
TestCredibleMachine.settings = settings(
    max_examples=70,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
