"""Receipts: for every attempt one record of what it earned and why, also when it earned nothing.

lease ends --> Receipt(reason, amount_mpt) --explain--> a sentence for the owner
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from eco_dask.errors import ConflictingEntryError
from eco_dask.ledger.book import AMOUNT_MAX_MPT
from eco_dask.types import BallotId, JobId, LeaseId, OwnerId, ProviderId, TaskKind


class ReceiptReason(StrEnum):
    """Why an attempt earned what it earned; :func:`explain` says it in a sentence."""

    AGREED = "agreed"
    AGREED_LATE = "agreed-late"
    ERROR_AGREED = "error-agreed"
    TRUSTED = "trusted"
    DISSENTED = "dissented"
    DISPUTED = "disputed"
    UNDECIDED = "undecided"
    EXPIRED = "expired"
    RECALLED = "recalled"
    PROVIDER_LEFT = "provider-left"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    VALUE_WITHHELD = "value-withheld"
    VALUE_MISMATCH = "value-mismatch"
    OWNER_STRUCK = "owner-struck"


#: The attempt's answer was the accepted one, given by a provider that earns points for it.
AGREEING_REASONS: Final = frozenset(
    {ReceiptReason.AGREED, ReceiptReason.AGREED_LATE, ReceiptReason.ERROR_AGREED}
)
#: A ballot with a receipt of one of these reasons ended with an accepted answer.
ACCEPTED_REASONS: Final = AGREEING_REASONS | {ReceiptReason.TRUSTED}
#: The attempt's answer was wrong, or its bytes were not those that it had committed to.
FAULT_REASONS: Final = frozenset(
    {ReceiptReason.DISSENTED, ReceiptReason.VALUE_WITHHELD, ReceiptReason.VALUE_MISMATCH}
)

_EXPLANATIONS: Final[Mapping[ReceiptReason, str]] = {
    ReceiptReason.AGREED: "The answer was accepted, so it was paid.",
    ReceiptReason.AGREED_LATE: (
        "The answer matched the accepted one and came after the decision, but within the grace "
        "time, so it was paid."
    ),
    ReceiptReason.ERROR_AGREED: (
        "The task's own code fails, and reporting the same error as the others is a right answer, "
        "so it was paid."
    ),
    ReceiptReason.TRUSTED: (
        "A trusted worker computed or decided this task; trusted workers are the operator's own "
        "and earn nothing."
    ),
    ReceiptReason.DISSENTED: "The answer differed from the accepted one, so it was not paid.",
    ReceiptReason.DISPUTED: (
        "The answers to this task contradicted each other and none was accepted, so none was paid."
    ),
    ReceiptReason.UNDECIDED: (
        "The task ended before enough answers were in to accept one: nobody else could be asked, "
        "it was lost too often, or its budget was spent; so none was paid."
    ),
    ReceiptReason.EXPIRED: "No answer came before the deadline, so nothing was paid.",
    ReceiptReason.RECALLED: (
        "The task was called back before an answer came, as it was no longer needed, so nothing "
        "was paid."
    ),
    ReceiptReason.PROVIDER_LEFT: (
        "The provider left the network before it answered, so nothing was paid."
    ),
    ReceiptReason.DECLINED: "The provider gave the task back unanswered, so nothing was paid.",
    ReceiptReason.CANCELLED: (
        "The recruiter let go of the task before its answers were checked, so nothing was paid."
    ),
    ReceiptReason.VALUE_WITHHELD: (
        "The provider could not deliver the bytes of the answer it had committed to, so it was "
        "not paid."
    ),
    ReceiptReason.VALUE_MISMATCH: (
        "The provider delivered bytes that do not match the answer it had committed to, so it was "
        "not paid."
    ),
    ReceiptReason.OWNER_STRUCK: (
        "The owner was struck for wrong answers before this one was settled, so it was not paid."
    ),
}


def explain(reason: ReceiptReason) -> str:
    """Say in one sentence, to the owner of the provider, what a reason means for its pay."""
    return _EXPLANATIONS[reason]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of one lease."""

    lease: LeaseId
    ballot: BallotId
    job: JobId
    kind: TaskKind
    provider: ProviderId
    owner: OwnerId
    reason: ReceiptReason
    #: Processor time that the attempt took, in seconds; None if it never reported any.
    cpu_s: float | None
    #: Time from start to end of the attempt, in seconds; None if it never reported any.
    wall_s: float | None
    #: Size of the task, in reference-core-seconds; None while too few owners measured its kind.
    work_units: float | None
    #: Points posted to the owner, in millipoints.
    amount_mpt: int
    #: Unix time of issue, in seconds.
    issued_at_s: float
    #: What the provider swore its answer is; empty if it never answered.
    digest: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.amount_mpt <= AMOUNT_MAX_MPT:
            raise ValueError(
                f"receipt of lease {self.lease!r}: amount_mpt must be from 0 to {AMOUNT_MAX_MPT}; "
                f"got {self.amount_mpt}"
            )
        # NaN equals nothing, itself included: a repeated receipt would look like a contradiction.
        for name in ("cpu_s", "wall_s", "work_units", "issued_at_s"):
            quantity = getattr(self, name)
            if quantity is not None and not (math.isfinite(quantity) and quantity >= 0):
                raise ValueError(
                    f"receipt of lease {self.lease!r}: {name} must be finite and not negative; "
                    f"got {quantity}"
                )


def unseen(known: Mapping[LeaseId, Receipt], offered: Iterable[Receipt]) -> list[Receipt]:
    """Pick the receipts that are new; the first receipt of a lease stays for good.

    Raises
    ------
    ConflictingEntryError
        A lease already has a receipt with other content.
    """
    seen, new = dict(known), []
    for receipt in offered:
        first = seen.get(receipt.lease)
        if first is None:
            seen[receipt.lease] = receipt
            new.append(receipt)
        elif first != receipt:
            raise ConflictingEntryError(
                f"lease {receipt.lease!r} already has the receipt {first}; refused {receipt}"
            )
    return new
