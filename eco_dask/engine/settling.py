"""What each lease of a ballot that ends gets: paid, struck, or the reason why it earns nothing.

accepted ballot ──settle──► receipts, late answers compared      any ballot ──close──► one reason
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eco_dask.engine.actions import Strike
from eco_dask.engine.ballot import Ballot, HeldLease
from eco_dask.engine.learning import Learning
from eco_dask.engine.leases import Leases
from eco_dask.engine.rounds import Rounds
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.verification.attempt import Attempt, ErrorAnswer
from eco_dask.verification.policy import Means, VerificationPolicy

if TYPE_CHECKING:
    from eco_dask.engine.engine import Engine


class Settling:
    """Writes receipts."""

    def __init__(
        self, engine: Engine, policy: VerificationPolicy, leases: Leases, learning: Learning
    ) -> None:
        self._engine = engine
        self._policy = policy
        self._leases = leases
        self._learning = learning
        self._rounds: Rounds = engine.rounds

    def settle(self, ballot: Ballot) -> None:
        """End an accepted ballot: pay who agreed, strike who did not, call the others back."""
        self._engine.want(ballot, 0)
        ballot.phase = "closed"
        self._engine.ended(ballot)
        for held in tuple(ballot.leases.values()):
            if held.attempt is None and held.purpose != "known":
                self._leases.recall(held)
        ballot.knowing |= ballot.asked
        self.settle_answered(ballot, in_time=True)
        self._engine.forget_if_over(ballot)

    def settle_answered(self, ballot: Ballot, *, in_time: bool = False) -> None:
        """Settle a closed ballot's answers, once they can be compared with the accepted one."""
        if ballot.winner is not None and self._rounds.start(ballot):
            return
        for held in tuple(ballot.leases.values()):
            if held.attempt is None:
                continue
            if ballot.closed_as is not None:
                self._leases.close(ballot, held, ballot.closed_as)
            else:
                late = held.expired or not (in_time or held.purpose == "known")
                self._settle(ballot, held, held.attempt, late=late)

    def close(self, ballot: Ballot, reason: ReceiptReason) -> None:
        """End a ballot of which nothing was accepted."""
        self._rounds.drop(ballot)
        self._engine.known.withdraw(ballot)
        self._engine.want(ballot, 0)
        ballot.phase, ballot.closed_as = "closed", reason
        self._engine.ended(ballot)
        for held in tuple(ballot.leases.values()):
            if held.attempt is None:
                self._leases.recall(held)
            else:
                self._leases.close(ballot, held, held.fault or reason)
        self._engine.forget_if_over(ballot)

    def strike(self, held: HeldLease) -> None:
        """Strike a provider for its wrong answer, once."""
        if not held.struck:
            held.struck = True
            self._engine.do(Strike(held.provider.id, ReceiptReason.DISSENTED, held.id))

    def _settle(self, ballot: Ballot, held: HeldLease, attempt: Attempt, *, late: bool) -> None:
        winner, case = ballot.winner, ballot.case
        agrees = held.id in ballot.camp or (
            winner is not None and self._policy.same(case, winner, attempt)
        )
        if held.id not in ballot.told and held.id not in ballot.camp:
            means: Means = "known" if held.purpose == "known" else "agreed"
            ballot.told[held.id] = agrees
            self._learning.came_late(case, attempt, means, right=agrees)
        paid_units = None
        if not agrees:
            self.strike(held)
            reason = ReceiptReason.DISSENTED
        elif held.fault is not None:
            reason = held.fault
        elif attempt.trusted:
            reason = ReceiptReason.TRUSTED
        elif ballot.revocable and not self._policy.admits(attempt.owner):
            reason = ReceiptReason.OWNER_STRUCK
        else:
            reason, paid_units = _agreed(attempt, late=late), ballot.units
        self._leases.close(ballot, held, reason, paid_units)


def _agreed(attempt: Attempt, *, late: bool) -> ReceiptReason:
    if isinstance(attempt.answer, ErrorAnswer):
        return ReceiptReason.ERROR_AGREED
    return ReceiptReason.AGREED_LATE if late else ReceiptReason.AGREED
