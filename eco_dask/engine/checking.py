"""Algebraic checks: a lone answer is verified without computing it a second time.

lone answer ──fetched──► CheckValue      CheckArrived ──► its power | wrong: struck, done again
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from eco_dask.engine.actions import CheckValue, FetchValue
from eco_dask.engine.ballot import Ballot, HeldLease
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.types import LeaseId
from eco_dask.verification.attempt import Attempt, ValueAnswer
from eco_dask.verification.checks import CheckVerdict, Failed, NotApplicable, Passed
from eco_dask.verification.rules import CredibilityRule

if TYPE_CHECKING:
    from eco_dask.engine.engine import Engine


class Checking:
    """Orders checks for the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def holds_back(self, ballot: Ballot) -> bool:
        """Whether the answers wait for a check; order it where a lone answer may have one."""
        if not ballot.task.checkable or not isinstance(ballot.task.rule, CredibilityRule):
            return False
        answered = ballot.answered
        if len(answered) != 1:
            return False
        ((held, attempt),) = answered
        if ballot.checking is not None or not _may_be_checked(held, attempt):
            return ballot.checking == held.id
        held.checked = True
        self._await(ballot, held.id)
        if held.value_here:
            self._engine.do(CheckValue(ballot.task.ballot, held.id))
        else:
            self._engine.do(FetchValue(held.id, ballot.task.ballot, held.provider.id))
        return True

    def on_value(self, ballot: Ballot, held: HeldLease) -> None:
        """The bytes to check are here."""
        if ballot.checking == held.id:
            held.value_here = True
            self._engine.roster.release(held.provider.id, held.id)
            self._engine.do(CheckValue(ballot.task.ballot, held.id))

    def give_up(self, ballot: Ballot) -> None:
        """Wait for no check of a ballot any more."""
        self._await(ballot, None)

    def arrived(self, lease: LeaseId, verdict: CheckVerdict) -> None:
        """Take in what a check says."""
        held = self._engine.lease(lease)
        if held is None or held.attempt is None:
            return
        ballot = self._engine.ballots[held.ballot]
        if ballot.checking == lease:
            self.give_up(ballot)
        match verdict:
            case Passed(power):
                held.attempt = replace(held.attempt, check_power=power)
                self._engine.learning.checked(ballot.case, held.attempt, power, right=True)
                self._engine.go_on(ballot)
            case Failed():
                self._refute(ballot, held, held.attempt)
            case NotApplicable():
                self._engine.go_on(ballot)

    def _refute(self, ballot: Ballot, found: HeldLease, wrong: Attempt) -> None:
        """Strike all who gave an answer that is wrong, and have the task done again."""
        engine = self._engine
        if ballot.phase == "closed":
            return
        was_accepted = ballot.phase == "standing" and found.id in ballot.camp
        case, given = ballot.case, []
        for held, attempt in ballot.answered:
            if attempt.answer == wrong.answer:
                given.append(held)
                engine.learning.checked(case, attempt, 1.0, right=False)
                engine.settling.strike(held)
        if was_accepted and ballot.delivered:
            engine.standing.backtracking.refute(ballot, given)
            return
        for held in given:
            engine.leases.close(ballot, held, ReceiptReason.DISSENTED)
        if ballot.serving in {held.id for held in given}:
            engine.serve(ballot, None)
            ballot.phase = "voting"
        if was_accepted:
            engine.standing.reopen(ballot)
        if ballot.phase != "fetching":
            engine.leases.count_loss(ballot, [held.provider for held in given])

    def _await(self, ballot: Ballot, lease: LeaseId | None) -> None:
        self._engine.expect(ballot, (lease is not None) - (ballot.checking is not None))
        ballot.checking = lease


def _may_be_checked(held: HeldLease, attempt: Attempt) -> bool:
    return (
        isinstance(attempt.answer, ValueAnswer)
        and not attempt.trusted
        and not (held.checked or held.gone or held.fault)
    )
