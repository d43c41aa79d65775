"""How a ballot ends: judged, fetched, delivered; or disputed, failed, cancelled.

answer ──judge──► buy more | ask a trusted worker | fetch the value | deliver
late answer ──compare──► paid late | struck
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eco_dask.engine.actions import (
    DeliverError,
    DeliverValue,
    Disagreement,
    FailTask,
    Failure,
    FetchValue,
    RecallLease,
    Strike,
)
from eco_dask.engine.ballot import Ballot, HeldLease
from eco_dask.engine.learning import Learning
from eco_dask.engine.rounds import Rounds
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.types import BallotId, LeaseId, OwnerId
from eco_dask.verification.attempt import Attempt, Case, ErrorAnswer
from eco_dask.verification.policy import VerificationPolicy
from eco_dask.verification.quorum import Agreed, Disputed, Undecided, Verdict

if TYPE_CHECKING:
    from eco_dask.engine.engine import Engine


class Closing:
    """The second half of the engine, split off so that each half fits the hand."""

    def __init__(self, engine: Engine, policy: VerificationPolicy, rounds: Rounds) -> None:
        self._engine = engine
        self._policy = policy
        self._rounds = rounds
        self._learning = Learning(engine, policy)

    def on_answer(self, ballot: Ballot, held: HeldLease) -> None:
        """Take in an answer, in time or late."""
        if ballot.phase == "voting":
            self.reconsider(ballot)
        elif ballot.phase == "closed":
            self._settle_answered(ballot)
        elif _answered(held).trusted and not self._rounds.start(ballot):
            self.on_compared(ballot)
        # Otherwise the vote is over; the answer is settled with the others once the value is here.

    def on_compared(self, ballot: Ballot) -> None:
        """Go on, as all answers that are in can be compared now."""
        if ballot.phase == "voting":
            self.reconsider(ballot)
        elif ballot.phase == "closed":
            self._settle_answered(ballot)
        elif any(self._overrules(ballot, held) for held in ballot.leases.values()):
            self._reopen(ballot)

    def on_value(self, lease: LeaseId) -> None:
        """Deliver a winner whose bytes are here and match."""
        held = self._engine.lease(lease)
        ballot = self._engine.ballot(held.ballot) if held else None
        if held is None or ballot is None or ballot.serving != lease:
            return
        held.value_here = True
        self._accept(ballot, held)

    def on_value_failed(self, lease: LeaseId, *, mismatch: bool) -> None:
        """Strike a holder that cannot serve what it committed to, and ask another one.

        Its vote stands, as others' answers agree with it or not whatever it serves.
        """
        held = self._engine.lease(lease)
        ballot = self._engine.ballot(held.ballot) if held else None
        if held is None or ballot is None or held.attempt is None:
            return
        if held.value_here or held.fault is not None:
            return
        held.fault = ReceiptReason.VALUE_MISMATCH if mismatch else ReceiptReason.VALUE_WITHHELD
        self._engine.do(Strike(held.provider.id, held.fault, lease))
        if ballot.serving == lease:
            self._reopen(ballot)

    def on_holder_left(self, leases: Sequence[LeaseId]) -> None:
        """Go on without a holder that left with the only copies of its answers' bytes."""
        held_there = [held for lease in leases if (held := self._engine.lease(lease))]
        # First all of them: a trusted worker may hold two answers to one task.
        for held in held_there:
            held.gone = True
        for held in held_there:
            ballot = self._engine.ballot(held.ballot)
            if ballot is not None and ballot.serving == held.id:
                self._reopen(ballot)
            self._rounds.failed(held.id)

    def cancel(self, ballot_id: BallotId) -> None:
        """Stop caring about a task."""
        ballot = self._engine.ballot(ballot_id)
        if ballot is not None and ballot.phase != "closed":
            self._close(ballot, ReceiptReason.CANCELLED)

    def fail(self, ballot: Ballot, failure: Failure, reason: ReceiptReason) -> None:
        """End a ballot without a result."""
        self._engine.do(FailTask(ballot.task.ballot, failure))
        self._close(ballot, reason)

    def take_changed(self) -> set[OwnerId]:
        """Return the owners of whom something was learned since the last call."""
        changed, self._learning.changed = self._learning.changed, set()
        return changed

    # ------------------------------------------------------------------ judging

    def skips_audit(self, ballot: Ballot) -> bool:
        """Accept what only an audit holds back, as nobody is there to do it; say whether it did."""
        if not ballot.audit or ballot.pending or not isinstance(self._verdict(ballot), Agreed):
            return False
        ballot.audit = False
        self.reconsider(ballot)
        return True

    def is_disputed(self, ballot: Ballot) -> bool:
        """Whether the answers that are in contradict each other for good."""
        return isinstance(self._verdict(ballot), Disputed)

    def reconsider(self, ballot: Ballot) -> None:
        """Judge the answers that are in, and ask for exactly what is missing."""
        if self._rounds.start(ballot):
            return
        verdict = self._verdict(ballot)
        match verdict:
            case Agreed():
                self._on_agreed(ballot, verdict)
            case Undecided():
                missing = 1 if ballot.role == "trusted" else verdict.missing
                self._engine.want(ballot, max(0, missing - ballot.pending), first=True)
            case Disputed():
                self._on_disputed(ballot, verdict)

    def _verdict(self, ballot: Ballot) -> Verdict:
        return self._policy.judge(_case(ballot))

    def _reopen(self, ballot: Ballot) -> None:
        ballot.phase = "voting"
        self._serve(ballot, None)
        self.reconsider(ballot)

    def _on_disputed(self, ballot: Ballot, verdict: Disputed) -> None:
        if ballot.role == "trusted" or self._engine.has_trusted(ballot.task):
            if ballot.role != "trusted" or not ballot.pending:
                self._engine.ask_trusted(ballot)
        else:
            self.fail(ballot, Disagreement(verdict.attempts), ReceiptReason.DISPUTED)

    def _on_agreed(self, ballot: Ballot, verdict: Agreed) -> None:
        if self._learning.audits(ballot, _case(ballot), verdict):
            return
        self._engine.want(ballot, 0)
        ballot.doubt = verdict.doubt
        camp = [ballot.leases[a.lease] for a in verdict.agreeing]
        here = next((held for held in camp if held.value_here), None)
        if here is not None:
            self._accept(ballot, here)
            return
        holders = [held for held in camp if held.fault is None and not held.gone]
        if not holders:
            # Nobody can serve the believed value: the votes for it go, and it is computed again.
            for held in camp:
                self._engine.close_lease(ballot, held, held.fault or ReceiptReason.PROVIDER_LEFT)
            self._engine.count_loss(ballot, [held.provider for held in camp])
            return
        chosen = holders[self._engine.dice.below(len(holders))]
        ballot.phase = "fetching"
        self._serve(ballot, chosen.id)
        self._engine.do(FetchValue(chosen.id, ballot.task.ballot, chosen.provider.id))

    def _overrules(self, ballot: Ballot, held: HeldLease) -> bool:
        """Whether a trusted worker contradicts the answer that is being fetched."""
        attempt = held.attempt
        if attempt is None or not attempt.trusted or ballot.serving is None:
            return False
        serving = _answered(ballot.leases[ballot.serving])
        return not serving.trusted and not self._policy.same(_case(ballot), serving, attempt)

    def _serve(self, ballot: Ballot, lease: LeaseId | None) -> None:
        self._engine.expect(ballot, (lease is not None) - (ballot.serving is not None))
        ballot.serving = lease

    # ------------------------------------------------------------------ ending

    def _accept(self, ballot: Ballot, winner: HeldLease) -> None:
        """Deliver the winner; pay who agreed, strike who did not."""
        attempt = _answered(winner)
        case = _case(ballot)
        agreeing = [a for a in ballot.attempts if self._policy.same(case, attempt, a)]
        ballot.units = self._engine.work_units(ballot, agreeing)
        for one in agreeing:
            self._engine.observe(ballot, one)
        if isinstance(attempt.answer, ErrorAnswer):
            self._engine.do(DeliverError(ballot.task.ballot, attempt.answer))
        else:
            self._engine.do(
                DeliverValue(ballot.task.ballot, winner.id, tuple(agreeing), ballot.doubt)
            )
        self._learning.accepted(ballot, case, tuple(agreeing))
        self._serve(ballot, None)
        ballot.phase, ballot.winner = "closed", attempt
        ballot.camp = frozenset(a.lease for a in agreeing)
        ballot.told = {a.lease for a in case.attempts}
        for held in tuple(ballot.leases.values()):
            if held.attempt is None:
                self._recall(held)
        self._settle_answered(ballot, in_time=True)

    def _settle_answered(self, ballot: Ballot, *, in_time: bool = False) -> None:
        """Settle a closed ballot's answers, once they can be compared with the accepted one."""
        if ballot.winner is not None and self._rounds.start(ballot):
            return
        for held in tuple(ballot.leases.values()):
            if held.attempt is None:
                continue
            if ballot.closed_as is not None:
                self._engine.close_lease(ballot, held, ballot.closed_as)
            else:
                self._settle(ballot, held, late=held.expired or not in_time)

    def _settle(self, ballot: Ballot, held: HeldLease, *, late: bool) -> None:
        attempt, winner = _answered(held), ballot.winner
        agrees = held.id in ballot.camp or (
            winner is not None and self._policy.same(_case(ballot), winner, attempt)
        )
        if held.id not in ballot.told:
            ballot.told.add(held.id)
            self._learning.came_late(_case(ballot), attempt, right=agrees)
        if not agrees:
            self._engine.do(Strike(held.provider.id, ReceiptReason.DISSENTED, held.id))
            self._engine.close_lease(ballot, held, ReceiptReason.DISSENTED)
        elif held.fault is not None:
            self._engine.close_lease(ballot, held, held.fault)
        elif attempt.trusted:
            self._engine.close_lease(ballot, held, ReceiptReason.TRUSTED)
        else:
            reason = ReceiptReason.AGREED_LATE if late else ReceiptReason.AGREED
            if isinstance(attempt.answer, ErrorAnswer):
                reason = ReceiptReason.ERROR_AGREED
            self._engine.close_lease(ballot, held, reason, ballot.units)

    def _close(self, ballot: Ballot, reason: ReceiptReason) -> None:
        self._rounds.drop(ballot)
        self._engine.want(ballot, 0)
        self._serve(ballot, None)
        ballot.phase, ballot.closed_as = "closed", reason
        for held in tuple(ballot.leases.values()):
            if held.attempt is None:
                self._recall(held)
            else:
                self._engine.close_lease(ballot, held, held.fault or reason)
        self._engine.forget_if_over(ballot)

    def _recall(self, held: HeldLease) -> None:
        self._engine.do(RecallLease(held.id, held.provider.id))
        self._engine.watch_late(held)


def _answered(held: HeldLease) -> Attempt:
    if held.attempt is None:
        raise ValueError(f"lease {held.id!r} has no answer yet")
    return held.attempt


def _case(ballot: Ballot) -> Case:
    return Case(ballot.task.kind, tuple(ballot.attempts), ballot.task.rule)
