"""The engine's one door: an event goes in, actions come out.

    Event ──Engine.handle──► Record, GrantLease, FetchValue, DeliverValue, FailTask, ...

It keeps the connected providers (:class:`~eco_dask.engine.roster.Roster`), the ballots that wait
(:class:`~eco_dask.engine.queue.WaitingLine`), the points (:class:`~eco_dask.engine.pay.Treasury`)
and the ballots themselves. How a vote ends is in :mod:`eco_dask.engine.closing`, what becomes of an
accepted result in :mod:`eco_dask.engine.standing`.
"""

from __future__ import annotations

from typing import assert_never

from eco_dask.engine import events as ev
from eco_dask.engine.actions import (
    Action,
    CapabilityMissing,
    Failure,
    ForgetTask,
    NobodyEligible,
    Record,
)
from eco_dask.engine.ballot import Ballot, HeldLease
from eco_dask.engine.checking import Checking
from eco_dask.engine.closing import Closing
from eco_dask.engine.dice import Dice
from eco_dask.engine.facts import EngineRule, Task
from eco_dask.engine.granting import Granting, speed_of
from eco_dask.engine.history import Histories
from eco_dask.engine.known import Known
from eco_dask.engine.learning import Learning
from eco_dask.engine.leases import Leases
from eco_dask.engine.outlook import Outlook, outlook_of
from eco_dask.engine.pay import Treasury
from eco_dask.engine.queue import WaitingLine
from eco_dask.engine.roster import Roster
from eco_dask.engine.rounds import Rounds
from eco_dask.engine.settling import Settling
from eco_dask.engine.standing import Standing
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.types import BallotId, LeaseId, OwnerId, ProviderId
from eco_dask.verification.attempt import Attempt
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
        policy = policy or QuorumPolicy()
        self.rule = rule
        self.life = life
        self.now_s = 0.0
        self.dice = Dice(0)
        self.ballots: dict[BallotId, Ballot] = {}
        self.histories = Histories()
        self.roster = Roster(rule)
        self._treasury = Treasury(rule, self.histories)
        self._line = WaitingLine()
        self._actions: list[Action] = []
        self.rounds = Rounds(self)
        self.learning = Learning(self, policy)
        self.leases = Leases(self, rule, self._treasury)
        self.settling = Settling(self, policy, self.leases, self.learning)
        self.known = Known(self, policy)
        self.standing = Standing(self, policy)
        self._checking = Checking(self)
        self._closing = Closing(self, policy, self._checking)
        self._granting = Granting(self, rule, self._treasury, self.histories)

    # ------------------------------------------------------------------ the door

    def handle(self, event: ev.Event) -> list[Action]:
        """Take in one event; return what to do about it, books first."""
        self.now_s = event.at_s
        self.dice = Dice(event.chance)
        self._take_in(event)
        self.standing.follow_up()
        self._place()
        while self.standing.follow_up():
            self._place()
        return self._take_actions()

    def _take_in(self, event: ev.Event) -> None:
        match event:
            case ev.AnswerArrived():
                held = self.leases.answered(event)
                if held is not None:
                    self._closing.on_answer(self.ballots[held.ballot], held)
            case ev.TaskSubmitted():
                self._on_task(event.task)
            case ev.Ticked():
                self._on_tick()
            case ev.ValueArrived():
                self._closing.on_value(event.lease)
            case ev.ValueFailed():
                self._closing.on_value_failed(event.lease, mismatch=event.mismatch)
            case ev.LeaseDeclined():
                self.leases.lose(event.lease, ReceiptReason.DECLINED)
            case ev.TaskCancelled():
                self._closing.cancel(event.ballot)
            case ev.ProviderJoined():
                self.roster.join(event.provider)
            case ev.SlotsChanged():
                self.roster.set_slots(event.provider, event.slots)
            case ev.OfferNoted():
                self.roster.offers.note(event.offer)
            case ev.ProviderLeft():
                self._on_left(event.provider)
            case _:
                self._take_in_layer(event)

    def _take_in_layer(self, event: ev.LayerEvent) -> None:
        match event:
            case ev.SketchArrived():
                ballot = self.rounds.arrived(event.lease, event.round, event.sketch)
                if ballot is not None:
                    self._closing.on_compared(ballot)
            case ev.CheckArrived():
                self._checking.arrived(event.lease, event.verdict)
            case ev.GateReached():
                self.standing.reach(event.gate, event.ballots)
            case ev.GateLeft():
                self.standing.leave(event.gate)
            case ev.ResultsReleased():
                self.standing.release(event.ballots)
            case ev.SettlingAsked():
                self.standing.settle_soon(event.ballots)
            case _:
                assert_never(event)

    # ------------------------------------------------------------------ what a screen may show

    @property
    def ballots_open(self) -> int:
        """Tasks that have not been delivered or failed."""
        return sum(1 for b in self.ballots.values() if b.phase != "closed" and not b.delivered)

    @property
    def leases_held(self) -> int:
        """Leases granted and not yet answered or closed."""
        return sum(1 for held in self.leases.held.values() if held.attempt is None)

    @property
    def tasks_waiting(self) -> int:
        """Tasks that want a provider, or one more."""
        return len(self._line)

    def leases_of(self, provider: ProviderId) -> tuple[LeaseId, ...]:
        """Unanswered leases of one provider."""
        return self.roster.leases_of(provider)

    def outlook(self, provider: ProviderId) -> Outlook:
        """Say why a connected provider with room has no task."""
        found = self.roster.get(provider)
        if found is None:
            return Outlook("no-demand")
        barred = self.roster.barred if found.role == "provider" else frozenset[OwnerId]()
        waiting = self._line.ballots(found.role)
        return outlook_of(found, waiting, barred, self._treasury.is_short)

    def take_changed(self) -> set[OwnerId]:
        """Return the owners of whom something was learned since the last call."""
        changed, self.learning.changed = self.learning.changed, set()
        return changed

    # ------------------------------------------------------------------ events

    def _on_task(self, task: Task) -> None:
        if task.ballot in self.ballots:
            raise ValueError(f"ballot {task.ballot!r} was submitted before")
        backtracking = self.standing.backtracking
        if task.inputs and backtracking.is_revoked(task.inputs):
            backtracking.fall(task.ballot)
            return
        ballot = Ballot(
            task,
            role="trusted" if task.trusted_only else "provider",
            wanted=1 if task.trusted_only else task.rule.owners_min,
            flows=not task.wanted,
        )
        self.ballots[task.ballot] = ballot
        self.known.started(ballot)
        if task.inputs:
            self.standing.rest(ballot)
        if task.require and (failure := self._missing(task)) is not None:
            self.give_up(ballot, failure, ReceiptReason.UNDECIDED)
            return
        self._line.add(ballot)

    def _on_left(self, provider: ProviderId) -> None:
        unanswered, kept = self.roster.leave(provider)
        self._closing.on_holder_left(kept)
        for lease in unanswered:
            self.leases.lose(lease, ReceiptReason.PROVIDER_LEFT)

    def _on_tick(self) -> None:
        self.leases.tick()
        for ballot, owners_able in self._line.stuck(self.roster, self.now_s):
            if ballot.wanted > 0:
                self._on_stuck(ballot, owners_able)

    def _on_stuck(self, ballot: Ballot, owners_able: int) -> None:
        since_s, rule = ballot.stuck_since_s, self.rule
        waited_s = self.now_s - since_s if since_s is not None else 0.0
        trusted = self.has_trusted(ballot.task)
        if waited_s >= rule.trusted_after_s and self.standing.skip_audit(ballot):
            return
        if ballot.role == "provider" and trusted and waited_s >= rule.trusted_after_s:
            self.ask_trusted(ballot)
        elif self._may_return(ballot) and waited_s >= rule.trusted_after_s:
            self._line.move(ballot, "provider")
            self.go_on(ballot)
        elif waited_s >= rule.patience_s and not ballot.pending:
            failure = NobodyEligible(
                attempts=tuple(ballot.attempts),
                owners_left=owners_able,
                owners_min=ballot.task.rule.owners_min,
                trusted_only=ballot.task.trusted_only,
                waited_s=waited_s,
            )
            self.give_up(ballot, failure, ReceiptReason.UNDECIDED)

    def _may_return(self, ballot: Ballot) -> bool:
        """Whether a ballot lent to trusted workers, now gone, may go on with new owners."""
        task = ballot.task
        return (
            ballot.role == "trusted"
            and not task.trusted_only
            and bool(self.roster.owners("provider", task.require) - ballot.asked)
            and not self._closing.is_disputed(ballot)
        )

    # ------------------------------------------------------------------ shared by the parts

    def do(self, action: Action) -> None:
        """Add an action to those that the present event returns."""
        self._actions.append(action)

    def go_on(self, ballot: Ballot) -> None:
        """Judge a ballot, as what is known of its answers changed."""
        match ballot.phase:
            case "voting":
                self._closing.reconsider(ballot)
            case "standing":
                self.standing.on_answer(ballot)
            case "closed":
                self.settling.settle_answered(ballot)
            case "fetching":
                pass  # The vote is over.

    def give_up(self, ballot: Ballot, failure: Failure, reason: ReceiptReason) -> None:
        """End a ballot that cannot be decided."""
        self.standing.backtracking.give_up(ballot, failure, reason)

    def compared(self, ballot: Ballot) -> None:
        """Go on with a ballot whose answers can be compared as far as they ever will."""
        self._closing.on_compared(ballot)

    def serve(self, ballot: Ballot, lease: LeaseId | None) -> None:
        """Note whose bytes are being fetched."""
        self.expect(ballot, (lease is not None) - (ballot.serving is not None))
        ballot.serving = lease

    def want(self, ballot: Ballot, wanted: int, *, first: bool = False) -> None:
        """Ask for that many more leases."""
        ballot.wanted = wanted
        if wanted > 0:
            self._line.add(ballot, first=first)
        else:
            ballot.stuck_since_s = None
            self._line.remove(ballot)

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
        if change:
            self._treasury.expect(ballot.task.job, change)

    def commit(self, ballot: Ballot, held: HeldLease) -> None:
        """Count an accepted answer as what it will be paid."""
        self._treasury.commit(ballot.task, held, ballot.units)

    def ended(self, ballot: Ballot) -> None:
        """Nothing more is decided of a ballot: let go of what was kept for that."""
        self.serve(ballot, None)
        self._checking.give_up(ballot)
        self.known.done(ballot)
        self.standing.forget(ballot)

    def forget_if_over(self, ballot: Ballot) -> None:
        """Drop a closed ballot that has no lease left."""
        if ballot.phase != "closed" or ballot.leases or ballot.known:
            return
        self.rounds.drop(ballot)
        if self.ballots.pop(ballot.task.ballot, None) is not None:
            doubt = ballot.doubt if ballot.closed_as is None else None
            self.do(ForgetTask(ballot.task.ballot, doubt, ballot.unused))

    def ballot(self, ballot: BallotId) -> Ballot | None:
        """Return a ballot that is not over."""
        return self.ballots.get(ballot)

    def lease(self, lease: LeaseId) -> HeldLease | None:
        """Return a lease without a receipt."""
        return self.leases.held.get(lease)

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
