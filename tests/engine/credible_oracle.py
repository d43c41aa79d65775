"""An onlooker of jobs that state an error: what was promised of results that may be revoked.

    events told ──► Account ◄── actions checked

It never looks into the engine, and walks the whole ancestry each time. A broken promise is an
AssertionError.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine_beliefs import Beliefs

from eco_dask.engine import actions as act
from eco_dask.engine import events as ev
from eco_dask.engine.facts import Provider, Task
from eco_dask.ledger.book import Book
from eco_dask.ledger.receipts import AGREEING_REASONS, Receipt, ReceiptReason
from eco_dask.verification.attempt import Answer, Attempt, Case, ErrorAnswer, ValueAnswer
from eco_dask.verification.checks import Passed
from eco_dask.verification.quorum import Agreed


@dataclass
class Lent:
    """A lease as its provider saw it."""

    id: str
    task: Task
    provider: Provider
    purpose: str
    answer: Answer | None = None
    here: bool = False
    check_power: float = 0.0
    receipt: Receipt | None = None

    def attempt(self) -> Attempt:
        assert self.answer is not None
        p = self.provider
        trusted = p.role == "trusted"
        return Attempt(
            self.id, p.id, p.owner, trusted, self.answer, 1, 1, 1, check_power=self.check_power
        )


@dataclass
class Account:
    """Everything that was said and done."""

    beliefs: Beliefs
    #: Doubts as they were before the present event.
    before: dict[str, float] = field(default_factory=dict)
    now_s: float = 0.0
    providers: dict[str, Provider] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    leases: dict[str, Lent] = field(default_factory=dict)
    delivered: dict[str, Answer] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)
    let_go: set[str] = field(default_factory=set)
    #: Ballots that a gate or a wanted result was certain of, or that were paid for.
    settled: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    gates: dict[str, tuple[str, ...]] = field(default_factory=dict)
    fetching: dict[str, str] = field(default_factory=dict)
    checking: set[str] = field(default_factory=set)
    book: Book = field(default_factory=Book)

    # ------------------------------------------------------------------ what happened

    def tell(self, event: ev.Event) -> None:
        self.now_s, self.before = event.at_s, dict(self.beliefs.doubts)
        match event:
            case ev.ProviderJoined(provider):
                self.providers[provider.id] = provider
            case ev.ProviderLeft(provider):
                self.providers.pop(provider, None)
            case ev.TaskSubmitted(task):
                self.tasks[task.ballot] = task
            case ev.TaskCancelled(ballot) if ballot in self.tasks and self.is_open(ballot):
                self.cancelled.add(ballot)
            case ev.AnswerArrived(lease, answer) if self.is_due(lease):
                self.leases[lease].answer = answer
                self.leases[lease].here = event.value_here or isinstance(answer, ErrorAnswer)
            case ev.ValueArrived(lease) if lease in self.fetching:
                self.leases[lease].here = True
                del self.fetching[lease]
            case ev.ValueFailed(lease):
                self.fetching.pop(lease, None)
            case ev.CheckArrived(lease, verdict):
                self.checking.discard(lease)
                if isinstance(verdict, Passed) and lease in self.leases:
                    self.leases[lease].check_power = verdict.power
            case ev.GateReached(gate, ballots):
                self.gates[gate] = ballots
            case ev.ResultsReleased(ballots):
                self.let_go |= set(ballots)
            case ev.GateLeft(gate):
                self.gates.pop(gate, None)
            case _:
                pass

    def is_due(self, lease: str) -> bool:
        lent = self.leases.get(lease)
        return lent is not None and lent.receipt is None and lent.answer is None

    @property
    def due(self) -> list[str]:
        return [lease for lease in self.leases if self.is_due(lease)]

    @property
    def flowing(self) -> list[str]:
        """Delivered results that Dask still has."""
        return [b for b in self.delivered if b not in self.revoked | self.let_go]

    # ------------------------------------------------------------------ what may be done

    def check(self, actions: list[act.Action]) -> None:
        votes = {ballot: self.votes(ballot) for ballot in self.tasks}
        for i, action in enumerate(actions):
            if isinstance(action, act.Record):
                assert i == 0, "books first"
        for action in actions[:]:
            self.look_at(action, votes)
        for action in actions:
            if isinstance(action, act.Record):
                self.must_be_due(action, votes)
                self.on_record(action)

    def votes(self, ballot: str) -> list[Attempt]:
        return [
            lent.attempt()
            for lent in self.leases.values()
            if lent.task.ballot == ballot and lent.answer is not None and lent.receipt is None
        ]

    def look_at(self, action: act.Action, votes: dict[str, list[Attempt]]) -> None:
        match action:
            case act.GrantLease(lease, ballot, provider):
                self.on_grant(lease, ballot, provider, action.purpose)
            case act.FetchValue(lease, _, provider):
                assert not self.leases[lease].here
                assert provider in self.providers
                self.fetching[lease] = provider
            case act.CheckValue(ballot, lease):
                assert self.leases[lease].here
                assert self.tasks[ballot].checkable
                self.checking.add(lease)
            case act.DeliverValue(ballot, lease, agreeing):
                lent = self.leases[lease]
                assert lent.here
                assert isinstance(lent.answer, ValueAnswer)
                assert {a.digest for a in agreeing} == {lent.answer.digest}
                self.on_delivered(ballot, lent.answer, votes)
            case act.DeliverError(ballot, error):
                self.on_delivered(ballot, error, votes)
            case act.FailTask(ballot):
                if ballot in self.delivered:
                    self.on_revoked({ballot}, set(), gates_follow=True)
                else:
                    self.must_be_open(ballot)
                self.failed.add(ballot)
            case act.OpenGate(gate):
                for ballot in self.gates.pop(gate):
                    self.must_stand(ballot, votes)
            case act.Revoke(ballots, gates):
                self.on_revoked(set(ballots), set(gates))
            case act.ForgetTask(ballot):
                assert ballot not in self.forgotten
                self.forgotten.add(ballot)
                self.settled.add(ballot)
            case act.Strike(provider, reason, lease):
                assert self.leases[lease].provider.id == provider
                if reason == ReceiptReason.EXPIRED:
                    assert self.leases[lease].answer is None
            case act.RecallLease(lease) | act.ReleaseAnswer(lease):
                assert lease in self.leases

    def on_grant(self, lease: str, ballot: str, provider: str, purpose: str) -> None:
        task, who = self.tasks[ballot], self.providers[provider]
        assert lease not in self.leases
        assert ballot not in self.revoked | self.cancelled | self.failed
        assert who.slots > 0
        assert ballot not in self.forgotten
        if purpose == "known":
            assert len({a.owner for a in self.votes(ballot)}) != 1 or ballot in self.settled
        if who.role != "trusted":
            assert who.owner not in self.beliefs.refused
        self.leases[lease] = Lent(lease, task, who, purpose)

    def is_open(self, ballot: str) -> bool:
        over = self.failed | self.cancelled | self.revoked
        return ballot not in self.delivered and ballot not in over

    def must_be_open(self, ballot: str) -> None:
        assert self.is_open(ballot), f"{ballot} ends once"

    def on_delivered(self, ballot: str, answer: Answer, votes: dict[str, list[Attempt]]) -> None:
        self.must_be_open(ballot)
        self.delivered[ballot] = answer
        if self.tasks[ballot].wanted or isinstance(answer, ErrorAnswer):
            self.must_stand(ballot, votes)
        else:
            self.must_be_believed(ballot, votes[ballot], "flow")

    def must_stand(self, ballot: str, votes: dict[str, list[Attempt]]) -> None:
        """The result and all that it rests on are as sure as the recruiter asked for."""
        todo, seen = [ballot], set[str]()
        while todo:
            one = todo.pop()
            if one in seen or one in self.settled or one not in self.tasks:
                continue
            seen.add(one)
            assert one not in self.revoked
            self.must_be_believed(one, votes[one], "deliver")
            todo += self.tasks[one].inputs
        self.settled |= seen

    def must_be_due(self, record: act.Record, votes: dict[str, list[Attempt]]) -> None:
        """Nobody is paid before the result stands, unless nobody needs it any more."""
        for receipt in record.receipts:
            over = self.let_go | self.revoked | self.cancelled | self.failed
            if receipt.reason in AGREEING_REASONS and receipt.ballot not in over:
                self.must_stand(receipt.ballot, votes)

    def must_be_believed(self, ballot: str, votes: list[Attempt], bar: str) -> None:
        task, now = self.tasks[ballot], self.beliefs.doubts
        case = Case(task.kind, tuple(votes), task.rule)
        verdicts = []
        for doubts in (now, self.before):
            self.beliefs.doubts = doubts
            verdicts.append(self.beliefs.judge(case, bar))
        self.beliefs.doubts = now
        answer = self.delivered[ballot]
        assert any(
            isinstance(v, Agreed) and any(alike(a.answer, answer) for a in v.agreeing)
            for v in verdicts
        ), f"{ballot} is not sure enough to {bar}: {verdicts}"

    def on_revoked(self, ballots: set[str], gates: set[str], *, gates_follow: bool = False) -> None:
        assert not ballots & self.settled, "what is settled is never revoked"
        assert not ballots & self.revoked
        self.revoked |= ballots
        if gates_follow:
            return
        ballots = self.revoked - self.settled
        for ballot, task in self.tasks.items():
            over = self.failed | self.cancelled | self.settled
            if ballots & set(task.inputs) and ballot not in over:
                assert ballot in self.revoked, f"{ballot} rests on what was revoked"
        for gate, waits_for in tuple(self.gates.items()):
            if ballots & set(waits_for):
                assert gate in gates
        for gate in gates:
            del self.gates[gate]

    # ------------------------------------------------------------------ the books

    def on_record(self, record: act.Record) -> None:
        for entry in record.entries:
            assert self.book.apply(entry), "every entry is new, and every hold ends once"
        for receipt in record.receipts:
            lent = self.leases[receipt.lease]
            assert lent.receipt is None, "one receipt for a lease"
            lent.receipt = receipt
            agreed = receipt.reason in AGREEING_REASONS
            assert (receipt.amount_mpt > 0) == agreed
            ballot = lent.task.ballot
            if agreed and ballot not in self.revoked:
                assert alike(lent.answer, self.delivered.get(ballot, lent.answer))
            if receipt.reason == ReceiptReason.OWNER_STRUCK:
                assert lent.provider.owner in self.beliefs.refused
            if agreed and receipt.reason != ReceiptReason.AGREED_LATE:
                assert lent.answer is not None


def alike(a: Answer | None, b: Answer | None) -> bool:
    """Whether two answers commit to the same: tracebacks differ honestly."""
    return a is not None and b is not None and type(a) is type(b) and a.digest == b.digest
