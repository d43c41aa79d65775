"""The engine's one door: an event goes in, actions come out.

    Event ──Engine.handle──► Record, GrantLease, FetchValue, DeliverValue, FailTask, ...

It keeps the connected providers (:class:`~eco_dask.engine.roster.Roster`), the ballots that wait
(:class:`~eco_dask.engine.queue.WaitingLine`), the points (:class:`~eco_dask.engine.pay.Treasury`)
and the ballots themselves; how a ballot ends is in :mod:`eco_dask.engine.closing`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import assert_never

from eco_dask.engine import events as ev
from eco_dask.engine.actions import (
    Action,
    CapabilityMissing,
    Failure,
    ForgetTask,
    LostTooOften,
    NobodyEligible,
    OpenGate,
    RecallLease,
    Record,
    ReleaseAnswer,
    Strike,
)
from eco_dask.engine.ballot import Ballot, HeldLease
from eco_dask.engine.closing import Closing
from eco_dask.engine.dice import Dice
from eco_dask.engine.facts import EngineRule, Provider, Task
from eco_dask.engine.granting import Granting, speed_of
from eco_dask.engine.history import Histories
from eco_dask.engine.pay import Treasury
from eco_dask.engine.queue import WaitingLine
from eco_dask.engine.roster import Roster
from eco_dask.engine.rounds import Rounds
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.types import BallotId, LeaseId, OwnerId, ProviderId
from eco_dask.verification.attempt import Attempt, ErrorAnswer
from eco_dask.verification.policy import QuorumPolicy, VerificationPolicy


class Engine:
    """Decides who computes what and what is believed. Pure: no clock, no dice, no I/O.

    Parameters
    ----------
    rule : EngineRule
        Settings.
    policy : VerificationPolicy, optional
        What answers prove. Default: agreement of distinct owners.
    life : str, optional
        What lease ids start with, unique to this life of this gateway.
    """

    def __init__(
        self, rule: EngineRule, policy: VerificationPolicy | None = None, life: str = "life"
    ) -> None:
        self._rule = rule
        self.life = life
        self.now_s = 0.0
        self.dice = Dice(0)
        self.histories = Histories()
        self.roster = Roster(rule)
        self._treasury = Treasury(rule, self.histories)
        self._line = WaitingLine()
        self._ballots: dict[BallotId, Ballot] = {}
        self._leases: dict[LeaseId, HeldLease] = {}
        self._due: list[tuple[float, LeaseId]] = []
        self._actions: list[Action] = []
        self._rounds = Rounds(self)
        self._granting = Granting(self, rule, self._treasury, self.histories)
        self._closing = Closing(self, policy or QuorumPolicy(), self._rounds)

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
            case ev.SketchArrived():
                ballot = self._rounds.arrived(event.lease, event.round, event.sketch)
                if ballot is not None:
                    self._closing.on_compared(ballot)
            case ev.GateReached():
                # What was delivered stands at the job's error already: nothing is left to wait for.
                self.do(OpenGate(event.gate))
            case ev.GateLeft() | ev.ResultsReleased() | ev.SettlingAsked() | ev.CheckArrived():
                pass
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
        return self.roster.leases_of(provider)

    def ballot_of(self, lease: LeaseId) -> BallotId | None:
        """Return the ballot of a lease without a receipt."""
        held = self._leases.get(lease)
        return held.ballot if held is not None else None

    def take_changed(self) -> set[OwnerId]:
        """Return the owners of whom something was learned since the last call."""
        return self._closing.take_changed()

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
            self._closing.fail(ballot, failure, ReceiptReason.UNDECIDED)
            return
        self._line.add(ballot)

    def _on_answer(self, event: ev.AnswerArrived) -> None:
        held = self._leases.get(event.lease)
        if held is None or held.attempt is not None:
            return
        provider = held.provider
        ballot = self._ballots[held.ballot]
        self.roster.give_back(provider.id, held.id)
        self.expect(ballot, -1)
        elapsed_s = max(event.at_s - held.granted_at_s, 0.0)
        held.attempt = Attempt(
            lease=held.id,
            provider=provider.id,
            owner=provider.owner,
            trusted=provider.role == "trusted",
            answer=event.answer,
            cpu_s=event.cpu_s,
            # A claim of years would keep every deadline of the kind from ever passing.
            wall_s=min(event.wall_s, elapsed_s),
            work_units=min(event.cpu_s, elapsed_s * provider.cores) * provider.score,
        )
        held.value_here = event.value_here or isinstance(event.answer, ErrorAnswer)
        if not held.value_here:
            self.roster.keep(provider.id, held.id)
        self._closing.on_answer(ballot, held)

    def _on_left(self, provider: ProviderId) -> None:
        unanswered, kept = self.roster.leave(provider)
        self._closing.on_holder_left(kept)
        for lease in unanswered:
            self._lose(lease, ReceiptReason.PROVIDER_LEFT)

    def _on_tick(self) -> None:
        while self._due and self._due[0][0] <= self.now_s:
            _, lease = heapq.heappop(self._due)
            held = self._leases.get(lease)
            if held is not None and held.attempt is None and held.due_at_s <= self.now_s:
                self._on_due(held)
        for ballot, owners_able in self._line.stuck(self.roster, self.now_s):
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
        self.count_loss(ballot, [held.provider])

    def _on_stuck(self, ballot: Ballot, owners_able: int) -> None:
        since_s = ballot.stuck_since_s
        waited_s = self.now_s - since_s if since_s is not None else 0.0
        trusted = self.has_trusted(ballot.task)
        if waited_s >= self._rule.trusted_after_s and self._closing.skips_audit(ballot):
            return
        if ballot.role == "provider" and trusted and waited_s >= self._rule.trusted_after_s:
            self.ask_trusted(ballot)
        elif self._may_return(ballot) and waited_s >= self._rule.trusted_after_s:
            self._line.move(ballot, "provider")
            self._closing.reconsider(ballot)
        elif waited_s >= self._rule.patience_s and not ballot.pending:
            failure = NobodyEligible(
                attempts=tuple(ballot.attempts),
                owners_left=owners_able,
                owners_min=ballot.task.rule.owners_min,
                trusted_only=ballot.task.trusted_only,
                waited_s=waited_s,
            )
            self._closing.fail(ballot, failure, ReceiptReason.UNDECIDED)

    def _may_return(self, ballot: Ballot) -> bool:
        """Whether a ballot lent to trusted workers, now gone, may go on with new owners."""
        task = ballot.task
        return (
            ballot.role == "trusted"
            and not task.trusted_only
            and bool(self.roster.owners("provider", task.require) - ballot.asked)
            and not self._closing.is_disputed(ballot)
        )

    def _lose(self, lease: LeaseId, reason: ReceiptReason) -> None:
        """A lease ends without an answer; another is granted at once."""
        held = self._leases.get(lease)
        if held is None or held.attempt is not None:
            return
        ballot = self._ballots[held.ballot]
        if ballot.phase == "closed":
            # It was called back: giving it back is what was asked for.
            self.close_lease(ballot, held, ballot.closed_as or ReceiptReason.RECALLED)
            return
        self.close_lease(ballot, held, ReceiptReason.EXPIRED if held.expired else reason)
        if not held.expired:
            self.count_loss(ballot, [held.provider])

    # ------------------------------------------------------------------ shared with closing

    def do(self, action: Action) -> None:
        """Add an action to those that the present event returns."""
        self._actions.append(action)

    def fail(self, ballot: Ballot, failure: Failure, reason: ReceiptReason) -> None:
        """End a ballot without a result."""
        self._closing.fail(ballot, failure, reason)

    def compared(self, ballot: Ballot) -> None:
        """Go on with a ballot whose answers can be compared as far as they ever will."""
        self._closing.on_compared(ballot)

    def hold(self, ballot: Ballot, held: HeldLease, estimate_s: float) -> None:
        """Take note of a lease that is being granted."""
        ballot.leases[held.id] = self._leases[held.id] = held
        self.roster.take(held.provider.id, held.id, estimate_s)
        self.expect(ballot, 1)

    def want(self, ballot: Ballot, wanted: int, *, first: bool = False) -> None:
        """Ask for that many more leases."""
        ballot.wanted = wanted
        if wanted > 0:
            self._line.add(ballot, first=first)
        else:
            ballot.stuck_since_s = None
            self._line.remove(ballot)

    def count_loss(self, ballot: Ballot, providers: Iterable[Provider]) -> None:
        """Note that providers cost a ballot time; ask others, unless that was too often."""
        for provider in providers:
            ballot.lost_by.add(provider.id)
            if self.roster.get(provider.id) is not None:
                ballot.lost_by_owners.add(provider.owner)
        ballot.losses += 1
        if ballot.phase != "voting":
            return
        if ballot.losses > self._rule.losses_max:
            self._closing.fail(ballot, LostTooOften(ballot.losses), ReceiptReason.UNDECIDED)
        else:
            self._closing.reconsider(ballot)

    def ask_trusted(self, ballot: Ballot) -> None:
        """Let a trusted worker decide a ballot."""
        ballot.wanted = 1
        ballot.stuck_since_s = None
        self._line.move(ballot, "trusted")

    def has_trusted(self, task: Task) -> bool:
        """Whether a trusted worker is connected that could decide a task."""
        return bool(self.roster.owners("trusted", task.require))

    def expect(self, ballot: Ballot, change: int) -> None:
        """Count the answers and values that a ballot awaits."""
        self._treasury.expect(ballot.task.job, change)

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
        if held.attempt is None:
            self.expect(ballot, -1)
        else:
            self.roster.release(held.provider.id, held.id)
            self.do(ReleaseAnswer(held.id, held.provider.id))
        del ballot.leases[held.id], self._leases[held.id]
        self.forget_if_over(ballot)

    def forget_if_over(self, ballot: Ballot) -> None:
        """Drop a closed ballot that has no lease left."""
        if ballot.phase == "closed" and not ballot.leases:
            self._rounds.drop(ballot)
            if self._ballots.pop(ballot.task.ballot, None) is not None:
                self.do(ForgetTask(ballot.task.ballot))

    def ballot(self, ballot: BallotId) -> Ballot | None:
        """Return a ballot that is not over."""
        return self._ballots.get(ballot)

    def lease(self, lease: LeaseId) -> HeldLease | None:
        """Return a lease without a receipt."""
        return self._leases.get(lease)

    def observe(self, ballot: Ballot, attempt: Attempt) -> None:
        """Remember what an accepted attempt cost."""
        speed = speed_of(ballot.leases[attempt.lease].provider)
        self.histories.observe(ballot.task.kind, attempt, speed)

    def work_units(self, ballot: Ballot, agreeing: list[Attempt]) -> float:
        """Work that everyone who agreed is paid for."""
        return self._treasury.work_units(ballot.task.kind, agreeing)

    # ------------------------------------------------------------------ granting

    def _place(self) -> None:
        self._line.place("provider", self.roster, self._granting.grant)
        self._line.place("trusted", self.roster, self._granting.grant)

    def _missing(self, task: Task) -> CapabilityMissing | None:
        connected = [
            p.tags for p in self.roster.providers() if p.role == "trusted" or not task.trusted_only
        ]
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
