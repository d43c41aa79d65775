"""Leases from grant to receipt: deadlines, losses, answers, and the receipt that ends each.

hold ──► answered ──► closed          due, declined, left ──► lost ──► another is asked
  └────── recalled ──► late answer, or the end of the grace time ──► closed
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import TYPE_CHECKING

from eco_dask.engine import events as ev
from eco_dask.engine.actions import LostTooOften, RecallLease, ReleaseAnswer, Strike
from eco_dask.engine.ballot import Ballot, HeldLease
from eco_dask.engine.facts import EngineRule, Provider
from eco_dask.engine.pay import Treasury
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.types import LeaseId
from eco_dask.verification.attempt import Attempt, ErrorAnswer

if TYPE_CHECKING:
    from eco_dask.engine.engine import Engine


class Leases:
    """All leases without a receipt."""

    def __init__(self, engine: Engine, rule: EngineRule, treasury: Treasury) -> None:
        self._engine = engine
        self._rule = rule
        self._treasury = treasury
        self.held: dict[LeaseId, HeldLease] = {}
        self._due: list[tuple[float, LeaseId]] = []

    def hold(self, ballot: Ballot, held: HeldLease, estimate_s: float, deadline_s: float) -> None:
        """Take note of a lease that is being granted."""
        engine = self._engine
        ballot.leases[held.id] = self.held[held.id] = held
        engine.roster.take(held.provider.id, held.id, estimate_s)
        engine.expect(ballot, 1)
        self._watch(held, engine.now_s + deadline_s)

    def answered(self, event: ev.AnswerArrived) -> HeldLease | None:
        """Take in an answer; None if the lease is over or was answered before."""
        held = self.held.get(event.lease)
        if held is None or held.attempt is not None:
            return None
        engine, provider = self._engine, held.provider
        engine.roster.give_back(provider.id, held.id)
        engine.expect(engine.ballots[held.ballot], -1)
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
            engine.roster.keep(provider.id, held.id)
        return held

    def lose(self, lease: LeaseId, reason: ReceiptReason) -> None:
        """A lease ends without an answer; another is granted at once."""
        held = self.held.get(lease)
        if held is None or held.attempt is not None:
            return
        ballot = self._engine.ballots[held.ballot]
        if held.recalled:
            # Giving it back is what was asked for.
            self.close(ballot, held, ballot.closed_as or ReceiptReason.RECALLED)
            return
        self.close(ballot, held, ReceiptReason.EXPIRED if held.expired else reason)
        if not held.expired and held.purpose != "known":
            self.count_loss(ballot, [held.provider])

    def tick(self) -> None:
        """Look at the leases whose time has come."""
        now_s = self._engine.now_s
        while self._due and self._due[0][0] <= now_s:
            _, lease = heapq.heappop(self._due)
            held = self.held.get(lease)
            if held is not None and held.attempt is None and held.due_at_s <= now_s:
                self._on_due(self._engine.ballots[held.ballot], held)

    def _on_due(self, ballot: Ballot, held: HeldLease) -> None:
        """Buy another attempt at the deadline; give up on this one when its grace time ends."""
        if held.recalled or held.expired:
            if not held.recalled:
                self._engine.do(RecallLease(held.id, held.provider.id))
            reason = ReceiptReason.EXPIRED if held.expired else ReceiptReason.RECALLED
            self.close(ballot, held, ballot.closed_as or reason)
            return
        held.expired = True
        self._engine.do(Strike(held.provider.id, ReceiptReason.EXPIRED, held.id))
        self._watch(held, self._engine.now_s + self._rule.late_grace_s)
        if held.purpose != "known":
            self.count_loss(ballot, [held.provider])

    def count_loss(self, ballot: Ballot, providers: Iterable[Provider]) -> None:
        """Note that providers cost a ballot time; ask others, unless that was too often."""
        for provider in providers:
            ballot.lost_by.add(provider.id)
            if self._engine.roster.get(provider.id) is not None:
                ballot.lost_by_owners.add(provider.owner)
        ballot.losses += 1
        if ballot.phase not in ("voting", "standing"):
            return
        if ballot.losses > self._rule.losses_max:
            failure = LostTooOften(ballot.losses)
            self._engine.give_up(ballot, failure, ReceiptReason.UNDECIDED)
        else:
            self._engine.go_on(ballot)

    def recall(self, held: HeldLease) -> None:
        """Call a lease back; an answer under way is still compared and paid for a grace time."""
        if not held.recalled:
            held.recalled = True
            self._engine.do(RecallLease(held.id, held.provider.id))
            self._watch(held, self._engine.now_s + self._rule.late_grace_s)

    def release(self, held: HeldLease) -> None:
        """Let an answer's bytes go; it stands for those that were accepted."""
        if not held.released:
            held.released, held.value_here = True, False
            self._engine.roster.release(held.provider.id, held.id)
            self._engine.do(ReleaseAnswer(held.id, held.provider.id))

    def close(
        self,
        ballot: Ballot,
        held: HeldLease,
        reason: ReceiptReason,
        paid_units: float | None = None,
    ) -> None:
        """Write a lease's receipt and forget it; the last one of a closed ballot ends it too."""
        engine = self._engine
        self._treasury.settle(ballot.task, held, reason, engine.now_s, paid_units)
        engine.roster.give_back(held.provider.id, held.id)
        if held.attempt is None:
            engine.expect(ballot, -1)
        else:
            self.release(held)
        del ballot.leases[held.id], self.held[held.id]
        engine.forget_if_over(ballot)

    def _watch(self, held: HeldLease, due_at_s: float) -> None:
        held.due_at_s = due_at_s
        heapq.heappush(self._due, (due_at_s, held.id))
