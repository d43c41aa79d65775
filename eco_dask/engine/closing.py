"""How a vote ends: judged, fetched, accepted; or disputed, failed, cancelled.

answer ──judge──► buy more | ask a trusted worker | fetch the value | accept
accepted ──► delivered and settled (a quorum's) | standing
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eco_dask.engine.actions import (
    DeliverError,
    DeliverValue,
    Disagreement,
    FetchValue,
    Strike,
)
from eco_dask.engine.ballot import Ballot, HeldLease
from eco_dask.engine.checking import Checking
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.types import BallotId, LeaseId
from eco_dask.verification.attempt import Attempt, ErrorAnswer
from eco_dask.verification.policy import VerificationPolicy
from eco_dask.verification.quorum import Agreed, Disputed, Undecided, Verdict
from eco_dask.verification.rules import QuorumRule

if TYPE_CHECKING:
    from eco_dask.engine.engine import Engine


class Closing:
    """Decides ballots that are voted on."""

    def __init__(self, engine: Engine, policy: VerificationPolicy, checking: Checking) -> None:
        self._engine = engine
        self._policy = policy
        self._checking = checking
        self._rounds = engine.rounds
        self._leases = engine.leases
        self._settling = engine.settling
        self._learning = engine.learning

    def on_answer(self, ballot: Ballot, held: HeldLease) -> None:
        """Take in an answer, in time or late."""
        if ballot.phase != "fetching":
            self._engine.go_on(ballot)
        elif _answered(held).trusted and not self._rounds.start(ballot):
            self.on_compared(ballot)
        # Otherwise the vote is over; the answer is settled with the others once the value is here.

    def on_compared(self, ballot: Ballot) -> None:
        """Go on, as all answers that are in can be compared now."""
        if ballot.phase != "fetching":
            self._engine.go_on(ballot)
        elif any(self._overrules(ballot, held) for held in ballot.leases.values()):
            self._reopen(ballot)

    def on_value(self, lease: LeaseId) -> None:
        """Accept a winner whose bytes are here and match."""
        held = self._engine.lease(lease)
        ballot = self._engine.ballot(held.ballot) if held else None
        if held is None or ballot is None:
            return
        if ballot.serving != lease:
            self._checking.on_value(ballot, held)
            return
        held.value_here = True
        self._engine.roster.release(held.provider.id, lease)
        if _is_final(ballot):
            self._accept(ballot, held)
        else:
            # Answers that came meanwhile may have made it doubtful.
            self._reopen(ballot)

    def on_value_failed(self, lease: LeaseId, *, mismatch: bool) -> None:
        """Strike a holder that cannot serve what it committed to, and ask another one.

        Its vote stands, as others' answers agree with it or not whatever it serves.
        """
        held = self._engine.lease(lease)
        ballot = self._engine.ballot(held.ballot) if held else None
        if held is None or ballot is None or held.attempt is None:
            return
        if held.value_here or held.released or held.fault is not None:
            return
        held.fault = ReceiptReason.VALUE_MISMATCH if mismatch else ReceiptReason.VALUE_WITHHELD
        self._engine.do(Strike(held.provider.id, held.fault, lease))
        self._go_on_without(ballot, lease)

    def on_holder_left(self, leases: Sequence[LeaseId]) -> None:
        """Go on without a holder that left with the only copies of its answers' bytes."""
        held_there = [held for lease in leases if (held := self._engine.lease(lease))]
        # First all of them: a trusted worker may hold two answers to one task.
        for held in held_there:
            held.gone = True
        for held in held_there:
            ballot = self._engine.ballot(held.ballot)
            if ballot is not None:
                self._go_on_without(ballot, held.id)
            self._rounds.failed(held.id)

    def _go_on_without(self, ballot: Ballot, lease: LeaseId) -> None:
        checked = ballot.checking == lease
        if checked:
            self._checking.give_up(ballot)
        if ballot.serving == lease:
            self._reopen(ballot)
        elif checked and ballot.phase == "voting":
            self.reconsider(ballot)

    def cancel(self, ballot_id: BallotId) -> None:
        """Stop caring about a task."""
        ballot = self._engine.ballot(ballot_id)
        if ballot is None or ballot.phase == "closed" or ballot.delivered:
            return
        if ballot.phase == "standing":
            self._engine.standing.end(ballot, kept=False)
        else:
            self._settling.close(ballot, ReceiptReason.CANCELLED)

    # ------------------------------------------------------------------ judging

    def is_disputed(self, ballot: Ballot) -> bool:
        """Whether the answers that are in contradict each other for good."""
        return isinstance(self._verdict(ballot), Disputed)

    def reconsider(self, ballot: Ballot) -> None:
        """Judge the answers that are in, and ask for exactly what is missing."""
        if self._checking.holds_back(ballot) or self._rounds.start(ballot):
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
        return self._policy.judge(ballot.case, ballot.bar)

    def _reopen(self, ballot: Ballot) -> None:
        ballot.phase = "voting"
        self._engine.serve(ballot, None)
        self.reconsider(ballot)

    def _on_disputed(self, ballot: Ballot, verdict: Disputed) -> None:
        if ballot.role == "trusted" or self._engine.has_trusted(ballot.task):
            if ballot.role != "trusted" or not ballot.pending:
                self._engine.ask_trusted(ballot)
        else:
            failure = Disagreement(verdict.attempts)
            self._engine.give_up(ballot, failure, ReceiptReason.DISPUTED)

    def _on_agreed(self, ballot: Ballot, verdict: Agreed) -> None:
        self._engine.want(ballot, 0)
        ballot.doubt = verdict.doubt
        camp = [ballot.leases[a.lease] for a in verdict.agreeing]
        here = next((held for held in camp if held.value_here), None)
        if here is not None:
            self._accept(ballot, here)
            return
        holders = [h for h in camp if h.fault is None and not h.gone and not h.released]
        if not holders:
            # Nobody can serve the believed value: the votes for it go, and it is computed again.
            for held in camp:
                self._leases.close(ballot, held, held.fault or ReceiptReason.PROVIDER_LEFT)
            self._leases.count_loss(ballot, [held.provider for held in camp])
            return
        chosen = holders[self._engine.dice.below(len(holders))]
        ballot.phase = "fetching"
        self._engine.serve(ballot, chosen.id)
        if chosen.id != ballot.checking:
            self._engine.do(FetchValue(chosen.id, ballot.task.ballot, chosen.provider.id))

    def _overrules(self, ballot: Ballot, held: HeldLease) -> bool:
        """Whether a trusted worker contradicts the answer that is being fetched."""
        attempt = held.attempt
        if attempt is None or not attempt.trusted or ballot.serving is None:
            return False
        serving = _answered(ballot.leases[ballot.serving])
        return not serving.trusted and not self._policy.same(ballot.case, serving, attempt)

    # ------------------------------------------------------------------ acceptance

    def _accept(self, ballot: Ballot, winner: HeldLease) -> None:
        """Deliver the winner, or let it stand until it may be."""
        attempt, case = _answered(winner), ballot.case
        self._engine.serve(ballot, None)
        self._checking.give_up(ballot)
        agreeing = [a for a in ballot.attempts if self._policy.same(case, attempt, a)]
        self._engine.known.done(ballot)
        if not _is_final(ballot):
            self._engine.standing.accept(ballot, attempt, agreeing)
            return
        ballot.units = self._engine.work_units(ballot, agreeing)
        for one in agreeing:
            self._engine.observe(ballot, one)
        ballot.delivered = True
        if isinstance(attempt.answer, ErrorAnswer):
            self._engine.do(DeliverError(ballot.task.ballot, attempt.answer))
        else:
            self._engine.do(
                DeliverValue(ballot.task.ballot, winner.id, tuple(agreeing), ballot.doubt)
            )
        self._learning.compared(ballot, case, agreeing)
        ballot.winner, ballot.camp = attempt, frozenset(a.lease for a in agreeing)
        self._settling.settle(ballot)


def _is_final(ballot: Ballot) -> bool:
    """Whether what is accepted is settled at once: a quorum's, on nothing that may fall."""
    return isinstance(ballot.task.rule, QuorumRule) and not ballot.rests_on


def _answered(held: HeldLease) -> Attempt:
    if held.attempt is None:
        raise ValueError(f"lease {held.id!r} has no answer yet")
    return held.attempt
