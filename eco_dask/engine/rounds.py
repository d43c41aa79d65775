"""Rounds of comparison: answers of other bytes are told apart, or together, by sketches.

    answers differ ──start──► AskSketches      SketchArrived ──► all in ──► Closing.on_compared

Every round has a seed of its own, drawn once all its answers are committed to. Bytes that are at
the gateway are sketched there, once for all answers of their digest; others by each holder. An
answer that comes meanwhile starts the next round; who does not answer is left out as one that
cannot serve its value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from eco_dask.engine.actions import AskSketches, Strike
from eco_dask.engine.ballot import Ballot, HeldLease
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.types import LeaseId
from eco_dask.verification.attempt import Attempt, Case
from eco_dask.verification.comparing import differ_perhaps_honestly, distinct_values
from eco_dask.verification.sketch import Sketch

if TYPE_CHECKING:
    from eco_dask.engine.engine import Engine


class Rounds:
    """The rounds that are under way, by the leases whose sketches are awaited."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._awaited: dict[LeaseId, Ballot] = {}

    def start(self, ballot: Ballot) -> bool:
        """Ask for the sketches that a ballot's answers need; say whether it waits for some."""
        if len(ballot.leases) < 2 and (ballot.winner is None or not ballot.leases):  # noqa: PLR2004
            return bool(ballot.awaited)
        attempts = _compared(ballot)
        case = Case(ballot.task.kind, tuple(attempts), ballot.task.rule)
        leases = frozenset(a.lease for a in attempts)
        if leases <= ballot.compared or not differ_perhaps_honestly(case):
            return bool(ballot.awaited)
        self.drop(ballot)
        asked: list[LeaseId] = []
        for group in distinct_values(attempts).values():
            able = _able(ballot, group)
            if not able:
                self._leave_out(ballot, group, ReceiptReason.PROVIDER_LEFT)
                return True
            asked += able
        ballot.round += 1
        ballot.compared = leases
        _set_sketches(ballot, None, list(leases))
        for lease in asked:
            ballot.awaited.add(lease)
            self._awaited[lease] = ballot
        self._engine.do(AskSketches(ballot.task.ballot, tuple(asked), ballot.round))
        return True

    def arrived(self, lease: LeaseId, number: int, sketch: Sketch | None) -> Ballot | None:
        """Take in a sketch; return the ballot if that was the last of its round."""
        ballot = self._awaited.get(lease)
        if ballot is None or number != ballot.round:
            return None
        if sketch is None:
            self.failed(lease)
            return None
        self._forget(ballot, lease)
        told = [lease]
        if _is_here(ballot, lease):
            # The gateway's own sketch is true of all with these bytes; a holder's only of its own.
            attempts = _compared(ballot)
            digest = next((_key(a) for a in attempts if a.lease == lease), None)
            told = [a.lease for a in attempts if _key(a) == digest]
        _set_sketches(ballot, sketch, told)
        return None if ballot.awaited else ballot

    def failed(self, lease: LeaseId) -> None:
        """Nobody will send that sketch: go on without the answer."""
        ballot = self._awaited.get(lease)
        if ballot is None:
            return
        self.drop(ballot)
        ballot.compared = frozenset()
        held = ballot.leases.get(lease)
        accepted = ballot.winner is not None and ballot.winner.lease == lease
        if held is None or held.attempt is None or accepted:
            # The accepted answer itself: what came later cannot be compared with it any more.
            later = [a for a in ballot.attempts if a.lease not in ballot.camp]
            self._leave_out(ballot, later, ReceiptReason.RECALLED)
            return
        reason = ReceiptReason.PROVIDER_LEFT if held.gone else ReceiptReason.VALUE_WITHHELD
        if not held.gone:
            self._engine.do(Strike(held.provider.id, reason, lease))
        self._leave_out(ballot, [held.attempt], reason)

    def drop(self, ballot: Ballot) -> None:
        """Wait for no sketch of a ballot any more."""
        for lease in tuple(ballot.awaited):
            self._forget(ballot, lease)

    def _forget(self, ballot: Ballot, lease: LeaseId) -> None:
        ballot.awaited.discard(lease)
        self._awaited.pop(lease, None)

    def _leave_out(
        self, ballot: Ballot, attempts: Sequence[Attempt], reason: ReceiptReason
    ) -> None:
        lost = [ballot.leases[a.lease] for a in attempts if a.lease in ballot.leases]
        voting = ballot.phase == "voting"
        for held in lost:
            self._engine.leases.close(ballot, held, reason)
        if voting:
            self._engine.leases.count_loss(ballot, [held.provider for held in lost])
        else:
            self._engine.compared(ballot)


def _compared(ballot: Ballot) -> list[Attempt]:
    """Return what is to be compared: the answers that are in, and the accepted one."""
    attempts = ballot.attempts
    if ballot.winner is not None and ballot.winner.lease not in ballot.leases:
        attempts.append(ballot.winner)
    return attempts


def _able(ballot: Ballot, group: Sequence[Attempt]) -> list[LeaseId]:
    """Choose whose bytes are sketched: the gateway's own, or else all holders that are there.

    All of them, as one could give a false sketch of bytes that honest owners committed to, too.
    """
    for attempt in group:
        if _is_here(ballot, attempt.lease):
            return [attempt.lease]
    held = (ballot.leases[a.lease] for a in group)
    return [h.id for h in held if not (h.gone or h.released or h.fault)]


def _is_here(ballot: Ballot, lease: LeaseId) -> bool:
    held = ballot.leases.get(lease)
    return held is None or held.value_here


def _set_sketches(ballot: Ballot, sketch: Sketch | None, leases: Sequence[LeaseId]) -> None:
    for lease in leases:
        held: HeldLease | None = ballot.leases.get(lease)
        if held is not None and held.attempt is not None:
            held.attempt = replace(held.attempt, sketch=sketch)
        if ballot.winner is not None and ballot.winner.lease == lease:
            ballot.winner = replace(ballot.winner, sketch=sketch)


def _key(attempt: Attempt) -> bytes:
    return attempt.stands_for or attempt.digest
