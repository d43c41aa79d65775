"""Results that were used and turn out wrong: they and all that was made of them are revoked.

wrong ballot ──progeny──► Revoke(ballots, gates) ──► struck or voided | honest work on them is paid
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from eco_dask.engine.actions import FailTask, Failure, Revoke
from eco_dask.engine.ballot import Ballot, Gate, HeldLease
from eco_dask.engine.gates import Gates, progeny
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.types import BallotId
from eco_dask.verification.quorum import Agreed

if TYPE_CHECKING:
    from eco_dask.engine.engine import Engine

#: Revoked ballots that are remembered.
REMEMBERED_MAX = 10_000


class Backtracking:
    """Revokes results for the engine."""

    def __init__(self, engine: Engine, gates: Gates) -> None:
        self._engine = engine
        self._gates = gates
        self._revoked: dict[BallotId, None] = {}

    def is_revoked(self, ballots: Iterable[BallotId]) -> bool:
        """Whether any of these was revoked, which the gateway could not know yet."""
        return bool(self._revoked) and not self._revoked.keys().isdisjoint(ballots)

    def fall(self, ballot: BallotId) -> None:
        """Revoke a task that was just submitted, as it rests on a revoked result."""
        self._remember(ballot)
        self._engine.do(Revoke((ballot,), ()))

    def overturn(self, ballot: Ballot, verdict: Agreed) -> None:
        """Revoke a result as another answer is right: who gave that is paid."""
        self._revoke(ballot)
        self._engine.standing.believe(ballot, verdict)
        self._engine.known.withdraw(ballot)
        self._engine.settling.settle(ballot)

    def refute(self, ballot: Ballot, given: Iterable[HeldLease]) -> None:
        """Revoke a result that algebra says is wrong; ``given`` are the answers it was."""
        self._revoke(ballot)
        for held in given:
            self._engine.leases.close(ballot, held, ReceiptReason.DISSENTED)
        self._engine.settling.close(ballot, ReceiptReason.UNDECIDED)

    def give_up(self, ballot: Ballot, failure: Failure, reason: ReceiptReason) -> None:
        """End a ballot that cannot be decided, and all that was made of its result meanwhile."""
        self._engine.do(FailTask(ballot.task.ballot, failure))
        if ballot.delivered:
            self._revoke(ballot, failed=True)
        self._engine.settling.close(ballot, reason)

    def _revoke(self, root: Ballot, *, failed: bool = False) -> None:
        """Tell the gateway, and end all that rests on a wrong result."""
        fallen = progeny([root])
        gates: dict[Gate, None] = {}
        for ballot in fallen:
            gates.update(ballot.gates)
            self._remember(ballot.task.ballot)
        for gate in gates:
            self._gates.leave(gate)
        revoked = tuple(b.task.ballot for b in fallen if not (failed and b is root))
        broken = tuple(gate.id for gate in gates if gate.id is not None)
        if revoked or broken:
            self._engine.do(Revoke(revoked, broken))
        for ballot in fallen:
            if ballot is not root:
                self._end(ballot)

    def _end(self, ballot: Ballot) -> None:
        """End a ballot that rests on a wrong result: what was accepted is paid all the same."""
        if ballot.phase == "standing":
            self._engine.standing.end(ballot, kept=False)
        else:
            self._engine.settling.close(ballot, ReceiptReason.CANCELLED)

    def _remember(self, ballot: BallotId) -> None:
        self._revoked[ballot] = None
        if len(self._revoked) > REMEMBERED_MAX:
            del self._revoked[next(iter(self._revoked))]
