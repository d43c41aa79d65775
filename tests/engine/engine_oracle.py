"""What an onlooker knows: an account of the network kept beside the engine, from outside only.

    events told ──► World ◄── actions checked

It never looks into the engine. It knows what each provider answered and what was promised: who may
be asked, what may be delivered, who is paid. A broken promise is an AssertionError.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from eco_dask.engine import actions as act
from eco_dask.engine import events as ev
from eco_dask.engine.facts import EngineRule, Provider, Task
from eco_dask.ledger.book import Book, Reserve, Resolve
from eco_dask.ledger.receipts import AGREEING_REASONS, Receipt, ReceiptReason
from eco_dask.verification.attempt import ErrorAnswer, ValueAnswer

FAULTS = {ReceiptReason.VALUE_MISMATCH, ReceiptReason.VALUE_WITHHELD}


@dataclass
class Given:
    """A lease as the provider saw it."""

    id: str
    task: Task
    provider: Provider
    at_s: float
    deadline_s: float
    answer: ValueAnswer | ErrorAnswer | None = None
    here: bool = False
    failed: bool = False
    receipt: Receipt | None = None

    @property
    def trusted(self) -> bool:
        return self.provider.role == "trusted"


@dataclass
class World:
    rule: EngineRule
    now_s: float = 0.0
    providers: dict[str, Provider] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    #: What each task ended with: a delivered answer, a Failure, or "cancelled".
    endings: dict[str, object] = field(default_factory=dict)
    leases: dict[str, Given] = field(default_factory=dict)
    #: Ballots whose value is being fetched, and from which lease.
    fetching: dict[str, str] = field(default_factory=dict)
    #: Times that each task was lost, and the owners and providers it was lost by.
    losers: dict[str, set[str]] = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    reserves: dict[str, Reserve] = field(default_factory=dict)
    #: Why leases end in the list of actions that is being checked.
    ending: dict[str, ReceiptReason] = field(default_factory=dict)
    saw_trusted: bool = False

    # ------------------------------------------------------------------ what happened

    def tell(self, event: ev.Event) -> None:
        self.now_s = event.at_s
        self.hear_of_providers(event)
        match event:
            case ev.TaskSubmitted(task):
                self.tasks[task.ballot] = task
            case ev.TaskCancelled(ballot) if ballot in self.tasks:
                self.endings.setdefault(ballot, "cancelled")
                self.fetching.pop(ballot, None)
            case ev.AnswerArrived(lease, answer) if self.is_unanswered(lease):
                given = self.leases[lease]
                given.answer = answer
                given.here = event.value_here or isinstance(answer, ErrorAnswer)
                serving = self.leases.get(self.fetching.get(given.task.ballot, ""))
                if serving and given.trusted and not same(serving.answer, answer):
                    del self.fetching[given.task.ballot]
            case ev.LeaseDeclined(lease) if self.is_unanswered(lease):
                self.note_loss(self.leases[lease])
            case ev.ValueArrived(lease) if self.is_fetched(lease):
                self.leases[lease].here = True
            case ev.ValueFailed(lease) if self.has_bytes_elsewhere(lease):
                self.leases[lease].failed = True
                if self.is_fetched(lease):
                    del self.fetching[self.leases[lease].task.ballot]
            case _:
                pass

    def hear_of_providers(self, event: ev.Event) -> None:
        match event:
            case ev.ProviderJoined(provider):
                self.providers[provider.id] = provider
                self.saw_trusted |= provider.role == "trusted"
            case ev.ProviderLeft(provider):
                self.providers.pop(provider, None)
                for ballot, lease in tuple(self.fetching.items()):
                    if self.leases[lease].provider.id == provider:
                        del self.fetching[ballot]
                for given in self.leases.values():
                    if given.provider.id == provider and given.receipt is None:
                        self.losers.setdefault(given.task.ballot, set()).add(provider)
            case ev.SlotsChanged(provider, slots) if provider in self.providers:
                p = self.providers[provider]
                self.providers[provider] = Provider(p.id, p.owner, p.role, p.tags, slots)
            case _:
                pass

    def note_loss(self, given: Given) -> None:
        losers = self.losers.setdefault(given.task.ballot, set())
        losers |= {given.provider.id, given.provider.owner}

    def is_unanswered(self, lease: str) -> bool:
        given = self.leases.get(lease)
        return given is not None and given.receipt is None and given.answer is None

    def is_fetched(self, lease: str) -> bool:
        return lease in self.fetching.values()

    def has_bytes_elsewhere(self, lease: str) -> bool:
        given = self.leases.get(lease)
        return (
            given is not None
            and given.receipt is None
            and isinstance(given.answer, ValueAnswer)
            and not given.here
        )

    # ------------------------------------------------------------------ what may be done

    def check(self, event: ev.Event, actions: list[act.Action]) -> None:
        self.ending = {
            receipt.lease: receipt.reason
            for action in actions
            if isinstance(action, act.Record)
            for receipt in action.receipts
        }
        votes = {b: self.votes(b) for b in self.tasks if b not in self.endings}
        for i, action in enumerate(actions):
            match action:
                case act.Record():
                    assert i == 0, "books first"
                case act.GrantLease():
                    self.on_grant(action)
                case act.FetchValue(lease, ballot, provider):
                    given = self.leases[lease]
                    assert given.task.ballot == ballot
                    assert given.provider.id == provider
                    assert provider in self.providers
                    assert not given.failed
                    self.must_be_won(given, votes[ballot])
                    self.fetching[ballot] = lease
                case act.DeliverValue(ballot, lease, agreeing):
                    given = self.leases[lease]
                    assert isinstance(given.answer, ValueAnswer)
                    assert given.here
                    assert {a.lease for a in agreeing} <= {g.id for g in votes[ballot]}
                    assert {a.digest for a in agreeing} == {given.answer.digest}
                    self.on_delivered(given, votes[ballot])
                case act.DeliverError(ballot, error):
                    given = next(g for g in votes[ballot] if same(g.answer, error))
                    self.on_delivered(given, votes[ballot])
                case act.FailTask(ballot, failure):
                    self.on_failed(self.tasks[ballot], failure, event)
                    self.end(ballot, failure)
                case act.Strike(provider, reason, lease):
                    assert self.leases[lease].provider.id == provider
                    self.on_strike(self.leases[lease], reason)
                case act.RecallLease(lease, provider):
                    assert self.leases[lease].answer is None
                    assert self.leases[lease].provider.id == provider
                case act.ReleaseAnswer(lease, provider):
                    assert self.leases[lease].answer is not None
                    assert self.leases[lease].provider.id == provider
        for action in actions:
            if isinstance(action, act.Record):
                self.on_record(action)
        self.nobody_waits_for_nothing()

    def live(self, ballot: str) -> list[Given]:
        """Answers to a task whose lease is not over."""
        return [
            g
            for g in self.leases.values()
            if g.task.ballot == ballot and g.receipt is None and g.answer is not None
        ]

    def votes(self, ballot: str) -> list[Given]:
        """Live answers, without those that nobody can serve and that are computed again."""
        live = self.live(ballot)
        unserved = {ReceiptReason.PROVIDER_LEFT, *FAULTS}
        standing = [g for g in live if self.ending.get(g.id) not in unserved]
        return [g for g in live if any(same(g.answer, other.answer) for other in standing)]

    def on_grant(self, action: act.GrantLease) -> None:
        task, provider = self.tasks[action.ballot], self.providers[action.provider]
        assert action.lease not in self.leases
        assert task.ballot not in self.endings
        assert task.require <= provider.tags
        assert provider.slots > 0
        assert action.deadline_s >= self.rule.deadline_min_s
        if provider.role != "trusted":
            assert not task.trusted_only
            for other in self.leases.values():
                if other.task.ballot == task.ballot and other.receipt is None:
                    # A lease that ends in this very list has its receipt in the Record before it.
                    assert other.provider.owner != provider.owner or other.id in self.ending
        self.leases[action.lease] = Given(
            action.lease, task, provider, self.now_s, action.deadline_s
        )

    def must_be_won(self, given: Given, votes: list[Given]) -> None:
        """Enough distinct owners gave this answer, more than any other; or a trusted worker did."""
        backing = [g for g in votes if same(g.answer, given.answer)]
        if any(g.trusted for g in backing):
            return
        assert not any(g.trusted for g in votes), "a trusted worker said otherwise"
        support = len({g.provider.owner for g in backing})
        assert support >= given.task.rule.owners_min
        rivals = Counter(
            commitment
            for commitment, _ in {
                (commitment_of(g.answer), g.provider.owner)
                for g in votes
                if not same(g.answer, given.answer)
            }
        )
        assert all(support > owners for owners in rivals.values())

    def on_delivered(self, given: Given, votes: list[Given]) -> None:
        ballot = given.task.ballot
        serving = self.fetching.pop(ballot, None)
        if serving is None:
            self.must_be_won(given, votes)
        else:
            assert same(self.leases[serving].answer, given.answer)
            owners = {g.provider.owner for g in votes if same(g.answer, given.answer)}
            trusted = any(g.trusted for g in votes if same(g.answer, given.answer))
            assert trusted or len(owners) >= given.task.rule.owners_min
        self.end(ballot, given.answer)

    def end(self, ballot: str, how: object) -> None:
        assert ballot not in self.endings, "a task ends once"
        self.endings[ballot] = how
        self.fetching.pop(ballot, None)

    def on_failed(self, task: Task, failure: act.Failure, event: ev.Event) -> None:
        able = [p for p in self.providers.values() if task.require <= p.tags]
        if task.trusted_only:
            able = [p for p in able if p.role == "trusted"]
        trusted = [p for p in able if p.role == "trusted" and p.slots > 0]
        answers = [g.answer for g in self.live(task.ballot)]
        match failure:
            case act.CapabilityMissing():
                assert isinstance(event, ev.TaskSubmitted)
                assert not able
            case act.Disagreement():
                assert not trusted
                assert len({commitment_of(a) for a in answers}) > 1
            case act.NobodyEligible():
                assert failure.waited_s >= self.rule.patience_s
                assert not trusted
                assert {a.lease for a in failure.attempts} == {g.id for g in self.live(task.ballot)}
            case act.OverBudget():
                assert task.budget_mpt == failure.budget_mpt
                assert failure.committed_mpt + failure.price_mpt > failure.budget_mpt
            case act.LostTooOften():
                assert failure.losses > self.rule.losses_max

    def on_strike(self, given: Given, reason: str) -> None:
        match reason:
            case ReceiptReason.DISSENTED:
                assert not same(given.answer, self.endings[given.task.ballot])
            case ReceiptReason.EXPIRED:
                assert given.answer is None
                assert given.at_s + given.deadline_s <= self.now_s + 1e-9
                self.note_loss(given)
            case ReceiptReason.VALUE_WITHHELD | ReceiptReason.VALUE_MISMATCH:
                assert given.failed
                self.note_loss(given)
            case _:
                raise AssertionError(reason)

    # ------------------------------------------------------------------ the books

    def on_record(self, record: act.Record) -> None:
        posted: dict[str, int] = {}
        for entry in record.entries:
            assert self.book.apply(entry)
            match entry:
                case Reserve():
                    self.reserves[entry.id] = entry
                case Resolve():
                    posted[entry.reserve.removesuffix(":hold")] = entry.amount_mpt
        for receipt in record.receipts:
            given = self.leases[receipt.lease]
            assert given.receipt is None, "one receipt for a lease"
            given.receipt = receipt
            assert posted.pop(receipt.lease, 0) == receipt.amount_mpt
            self.must_be_fair(given, receipt)
        assert not any(posted.values()), "a payment has a receipt"

    def must_be_fair(self, given: Given, receipt: Receipt) -> None:
        ending = self.endings.get(given.task.ballot)
        agreed = given.answer is not None and same(given.answer, ending)
        earns = agreed and not given.failed and not given.trusted
        assert (receipt.reason in AGREEING_REASONS) == earns
        assert (receipt.amount_mpt > 0) == earns
        assert (receipt.reason in FAULTS) <= given.failed
        assert receipt.digest == (given.answer.digest if given.answer else b"")
        if agreed and given.trusted:
            assert receipt.reason in {ReceiptReason.TRUSTED, *FAULTS}
        if given.answer is None:
            assert receipt.reason not in {ReceiptReason.DISSENTED, *FAULTS}

    def committed_mpt(self, job: str) -> int:
        """What a job paid, or may have to, for all its leases."""
        total = 0
        for given in self.leases.values():
            if given.task.job == job and not given.trusted:
                receipt = given.receipt
                hold = self.reserves[f"{given.id}:hold"].amount_mpt
                total += receipt.amount_mpt if receipt else hold
        return total

    # ------------------------------------------------------------------ nothing is forgotten

    def nobody_waits_for_nothing(self) -> None:
        """A task without a lease in time goes to an idle provider that may take it."""
        if self.saw_trusted:
            return  # it may wait for one of those
        busy = {
            g.provider.id for g in self.leases.values() if g.receipt is None and g.answer is None
        }
        idle = [p for p in self.providers.values() if p.slots > 0 and p.id not in busy]
        for task in self.tasks.values() if idle else ():
            if task.ballot in self.endings or task.ballot in self.fetching or task.trusted_only:
                continue
            if task.budget_mpt is not None:
                continue
            live = [g for g in self.leases.values() if g.task == task and g.receipt is None]
            in_time = [g for g in live if g.answer is None and g.at_s + g.deadline_s > self.now_s]
            if in_time:
                continue
            shy = {g.provider.owner for g in live} | self.losers.get(task.ballot, set())
            free = [p for p in idle if task.require <= p.tags and not {p.owner, p.id} & shy]
            assert not free, f"{task.ballot} waits while {free} are idle"


def commitment_of(answer: object) -> object:
    return type(answer), getattr(answer, "digest", None)


def same(a: object, b: object) -> bool:
    return (
        isinstance(a, ValueAnswer | ErrorAnswer)
        and isinstance(b, ValueAnswer | ErrorAnswer)
        and commitment_of(a) == commitment_of(b)
    )
