"""The engine's one door: an event goes in, actions come out.

    Event ──Engine.handle──► Record, GrantLease, FetchValue, DeliverValue, FailTask, ...

It keeps the connected providers (:class:`~eco_dask.engine.roster.Roster`), the ballots that wait
(:class:`~eco_dask.engine.queue.WaitingLine`), the points (:class:`~eco_dask.engine.pay.Treasury`)
and the ballots themselves; how a ballot ends is in :mod:`eco_dask.engine.closing`.
"""

from __future__ import annotations

import heapq
from typing import assert_never

from eco_dask.engine import events as ev
from eco_dask.engine.actions import (
    Action,
    CapabilityMissing,
    GrantLease,
    LostTooOften,
    NobodyEligible,
    OverBudget,
    RecallLease,
    Record,
    ReleaseAnswer,
    Strike,
)
from eco_dask.engine.ballot import Ballot, HeldLease
from eco_dask.engine.closing import Closing
from eco_dask.engine.dice import Dice
from eco_dask.engine.facts import EngineRule, Provider, Task
from eco_dask.engine.history import Histories
from eco_dask.engine.pay import Treasury
from eco_dask.engine.queue import WaitingLine
from eco_dask.engine.roster import Need, Roster
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.types import BallotId, LeaseId, ProviderId
from eco_dask.verification.attempt import Attempt
from eco_dask.verification.policy import QuorumPolicy, VerificationPolicy


class Engine:
    """Decides who computes what and what is believed. Pure: no clock, no dice, no I/O."""

    def __init__(self, rule: EngineRule, policy: VerificationPolicy | None = None) -> None:
        self._rule = rule
        self.histories = Histories()
        self.roster = Roster(rule)
        self._treasury = Treasury(rule, self.histories)
        self._line = WaitingLine()
        self._ballots: dict[BallotId, Ballot] = {}
        self._leases: dict[LeaseId, HeldLease] = {}
        self._due: list[tuple[float, LeaseId]] = []
        self._actions: list[Action] = []
        self._closing = Closing(self, policy or QuorumPolicy())

    # ------------------------------------------------------------------ the door

    def handle(self, event: ev.Event) -> list[Action]:
        """Take in one event; return what to do about it, books first."""
        self.now_s = event.at_s
        self.dice = Dice(event.chance)
        match event:
            case ev.AnswerArrived():
                self._on_answer(event)
            case ev.TaskSubmitted():
                self._on_task(event.task)
            case ev.Ticked():
                self._on_tick()
            case ev.ValueArrived():
                self._closing.on_value(event.lease)
            case ev.ValueFailed():
                self._closing.on_value_failed(event.lease, mismatch=event.mismatch)
            case ev.LeaseDeclined():
                self._lose(event.lease, ReceiptReason.DECLINED)
            case ev.TaskCancelled():
                self._closing.cancel(event.ballot)
            case ev.ProviderJoined():
                self.roster.join(event.provider)
            case ev.SlotsChanged():
                self.roster.set_slots(event.provider, event.slots)
            case ev.ProviderLeft():
                self._on_left(event.provider)
            case _:
                assert_never(event)
        self._place()
        return self._take_actions()

    # ------------------------------------------------------------------ what a screen may show

    @property
    def ballots_open(self) -> int:
        """Tasks that have not been delivered or failed."""
        return sum(1 for ballot in self._ballots.values() if ballot.phase != "closed")

    @property
    def leases_held(self) -> int:
        """Leases granted and not yet answered or closed."""
        return sum(1 for held in self._leases.values() if held.attempt is None)

    def leases_of(self, provider: ProviderId) -> tuple[LeaseId, ...]:
        """Unanswered leases of one provider."""
        return tuple(
            held.id
            for held in self._leases.values()
            if held.provider.id == provider and held.attempt is None
        )

    # ------------------------------------------------------------------ events

    def _on_task(self, task: Task) -> None:
        if task.ballot in self._ballots:
            raise ValueError(f"ballot {task.ballot!r} was submitted before")
        ballot = Ballot(
            task,
            role="trusted" if task.trusted_only else "provider",
            wanted=1 if task.trusted_only else task.rule.owners_min,
        )
        self._ballots[task.ballot] = ballot
        if task.require and (failure := self._missing(task)) is not None:
            self._closing.fail(ballot, failure, ReceiptReason.CANCELLED)
            return
        self._line.add(ballot)

    def _on_answer(self, event: ev.AnswerArrived) -> None:
        held = self._leases.get(event.lease)
        if held is None or held.attempt is not None:
            return
        self.roster.give_back(held.provider.id, held.id)
        provider = held.provider
        seconds_max = max(event.at_s - held.granted_at_s, 0.0) * provider.cores
        held.attempt = Attempt(
            lease=held.id,
            provider=provider.id,
            owner=provider.owner,
            trusted=provider.role == "trusted",
            answer=event.answer,
            cpu_s=event.cpu_s,
            wall_s=event.wall_s,
            work_units=min(event.cpu_s, seconds_max) * provider.score,
        )
        held.value_here = event.value_here
        self._closing.on_answer(self._ballots[held.ballot], held)

    def _on_left(self, provider: ProviderId) -> None:
        for lease in self.roster.leave(provider):
            self._lose(lease, ReceiptReason.PROVIDER_LEFT)
        for ballot in tuple(self._ballots.values()):
            serving = ballot.leases.get(ballot.serving) if ballot.serving else None
            if serving is not None and serving.provider.id == provider:
                self._closing.on_holder_left(ballot)

    def _on_tick(self) -> None:
        while self._due and self._due[0][0] <= self.now_s:
            _, lease = heapq.heappop(self._due)
            held = self._leases.get(lease)
            if held is not None and held.attempt is None and held.due_at_s <= self.now_s:
                self._on_due(held)
        for ballot, owners_able in list(self._line.stuck(self.roster, self.now_s)):
            self._on_stuck(ballot, owners_able)

    def _on_due(self, held: HeldLease) -> None:
        """Buy another attempt at the deadline; give up on this one when its grace time ends."""
        ballot = self._ballots[held.ballot]
        if held.expired or ballot.phase == "closed":
            if ballot.phase != "closed":
                self.do(RecallLease(held.id, held.provider.id))
            reason = ReceiptReason.EXPIRED if held.expired else ReceiptReason.RECALLED
            self.close_lease(ballot, held, ballot.closed_as or reason)
            return
        held.expired = True
        self.do(Strike(held.provider.id, ReceiptReason.EXPIRED, held.id))
        self.watch(held, self.now_s + self._rule.late_grace_s)
        if ballot.phase == "voting":
            self.want(ballot, ballot.wanted + 1, first=True)

    def _on_stuck(self, ballot: Ballot, owners_able: int) -> None:
        waited_s = self.now_s - (ballot.stuck_since_s or self.now_s)
        trusted = self.roster.owners(Need("trusted", ballot.task.require, frozenset()))
        if ballot.role == "provider" and trusted and waited_s >= self._rule.trusted_after_s:
            self.ask_trusted(ballot)
        elif waited_s >= self._rule.patience_s and not ballot.pending:
            failure = NobodyEligible(
                attempts=tuple(ballot.attempts),
                owners_left=owners_able,
                owners_min=ballot.task.rule.owners_min,
                trusted_only=ballot.task.trusted_only,
                waited_s=waited_s,
            )
            self._closing.fail(ballot, failure, ReceiptReason.DISPUTED)

    def _lose(self, lease: LeaseId, reason: ReceiptReason) -> None:
        """A lease ends without an answer; another is granted at once."""
        held = self._leases.get(lease)
        if held is None or held.attempt is not None:
            return
        ballot = self._ballots[held.ballot]
        was_counted = not held.expired
        self.close_lease(ballot, held, ballot.closed_as or reason)
        if ballot.phase != "voting" or not was_counted:
            return
        ballot.losses += 1
        if ballot.losses > self._rule.losses_max:
            self._closing.fail(ballot, LostTooOften(ballot.losses), ReceiptReason.CANCELLED)
        else:
            self.want(ballot, ballot.wanted + 1, first=True)

    # ------------------------------------------------------------------ shared with closing

    def do(self, action: Action) -> None:
        """Add an action to those that the present event returns."""
        self._actions.append(action)

    def want(self, ballot: Ballot, wanted: int, *, first: bool = False) -> None:
        """Ask for that many more leases."""
        ballot.wanted = wanted
        if wanted > 0:
            self._line.add(ballot, first=first)

    def ask_trusted(self, ballot: Ballot) -> None:
        """Let a trusted worker decide a ballot."""
        ballot.wanted = 1
        ballot.stuck_since_s = None
        self._line.move(ballot, "trusted")

    def watch(self, held: HeldLease, due_at_s: float) -> None:
        """Look at a lease again at that time."""
        held.due_at_s = due_at_s
        heapq.heappush(self._due, (due_at_s, held.id))

    def watch_late(self, held: HeldLease) -> None:
        """Give a recalled lease its grace time: an answer under way is still compared and paid."""
        self.watch(held, self.now_s + self._rule.late_grace_s)

    def close_lease(
        self,
        ballot: Ballot,
        held: HeldLease,
        reason: ReceiptReason,
        paid_units: float | None = None,
    ) -> None:
        """Write a lease's receipt and forget it; the last one of a closed ballot ends it too."""
        self._treasury.settle(ballot.task, held, reason, self.now_s, paid_units)
        self.roster.give_back(held.provider.id, held.id)
        if held.attempt is not None:
            self.do(ReleaseAnswer(held.id, held.provider.id))
        del ballot.leases[held.id], self._leases[held.id]
        self.forget_if_over(ballot)

    def forget_if_over(self, ballot: Ballot) -> None:
        """Drop a closed ballot that has no lease left."""
        if ballot.phase == "closed" and not ballot.leases:
            self._ballots.pop(ballot.task.ballot, None)

    def ballot(self, ballot: BallotId) -> Ballot | None:
        """Return a ballot that is not over."""
        return self._ballots.get(ballot)

    def lease(self, lease: LeaseId) -> HeldLease | None:
        """Return a lease without a receipt."""
        return self._leases.get(lease)

    def work_units(self, ballot: Ballot, agreeing: list[Attempt]) -> float:
        """Work that everyone who agreed is paid for."""
        return self._treasury.work_units(ballot.task.kind, agreeing)

    # ------------------------------------------------------------------ granting

    def _place(self) -> None:
        self._line.place("provider", self.roster, self._grant)
        self._line.place("trusted", self.roster, self._grant)

    def _grant(self, ballot: Ballot) -> bool:
        task = ballot.task
        provider = self.roster.pick(Need(ballot.role, task.require, ballot.asked), self.dice)
        if provider is None:
            return False
        lease = LeaseId(f"{task.ballot}.{ballot.granted}")
        reserve = self._treasury.hold(task, lease, provider)
        if isinstance(reserve, OverBudget):
            self._closing.fail(ballot, reserve, ReceiptReason.CANCELLED)
            return True
        ballot.granted += 1
        ballot.wanted -= 1
        ballot.stuck_since_s = None
        estimate_s, deadline_s = self._expect(task, provider)
        held = HeldLease(lease, task.ballot, provider, self.now_s, 0.0, reserve)
        ballot.leases[lease] = self._leases[lease] = held
        self.roster.take(provider.id, lease, estimate_s)
        self.watch(held, self.now_s + deadline_s)
        self.do(GrantLease(lease, task.ballot, provider.id, task.kind, deadline_s))
        return True

    def _expect(self, task: Task, provider: Provider) -> tuple[float, float]:
        """Seconds that the task should take there, and seconds until it is late."""
        rule = self._rule
        history = self.histories.get(task.kind)
        if history is None:
            # Unknown work is assumed long: nothing is queued behind it.
            return rule.deadline_first_s, rule.deadline_first_s
        estimate_s = history.typical_s
        slowest_s = history.slowest_s / min(provider.score, 1.0)
        return estimate_s, max(rule.deadline_min_s, rule.deadline_factor * slowest_s)

    def _missing(self, task: Task) -> CapabilityMissing | None:
        role = "trusted" if task.trusted_only else "provider"
        connected = [p.tags for p in self.roster.providers() if p.role == role]
        if any(task.require <= tags for tags in connected):
            return None
        offered = frozenset().union(*connected)
        return CapabilityMissing(task.require, task.require - offered)

    def _take_actions(self) -> list[Action]:
        actions, self._actions = self._actions, []
        entries, receipts = self._treasury.take()
        if entries or receipts:
            actions.insert(0, Record(entries, receipts))
        return actions
