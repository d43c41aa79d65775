"""The life of one task under verification, and of each lease it is asked through.

::

    voting ──agreed──► fetching ──value here──► closed
       │  ▲──holders lost──┘                      ▲
       └── disputed, cancelled, nobody left ──────┘
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from eco_dask.engine.facts import Provider, Role, Task
from eco_dask.ledger.book import Reserve
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.types import BallotId, LeaseId, OwnerId, ProviderId
from eco_dask.verification.attempt import Attempt

Phase = Literal["voting", "fetching", "closed"]


@dataclass(slots=True)
class HeldLease:
    """A lease that was granted and whose receipt is not yet written."""

    id: LeaseId
    ballot: BallotId
    provider: Provider
    granted_at_s: float
    #: When the engine looks at it again: the deadline, then the end of the grace time.
    due_at_s: float
    #: Points held for it; None for a trusted worker, who earns none.
    reserve: Reserve | None
    #: The deadline passed; another attempt was bought.
    expired: bool = False
    #: The answer, once it is in.
    attempt: Attempt | None = None
    #: Whether all of the answer is at the gateway: a value's bytes, or an error.
    value_here: bool = False
    #: Why the holder cannot serve the bytes it committed to: its vote stands, its pay does not.
    fault: ReceiptReason | None = None
    #: The holder left with the bytes: its vote and its pay stand.
    gone: bool = False


@dataclass(slots=True)
class Ballot:
    """One task under verification."""

    task: Task
    #: Whom it is leased to now: a dispute moves it to the trusted workers.
    role: Role
    #: Leases still to grant.
    wanted: int
    phase: Phase = "voting"
    #: Granted leases without a receipt, answered or not.
    leases: dict[LeaseId, HeldLease] = field(default_factory=dict)
    #: Whether an answer that would be accepted alone is computed once more, to learn of its owner;
    #: None until that was drawn.
    audit: bool | None = None
    #: Number of the latest round of comparison, and leases whose sketches it still awaits.
    round: int = 0
    awaited: set[LeaseId] = field(default_factory=set)
    #: Leases whose answers that round compares.
    compared: frozenset[LeaseId] = frozenset()
    #: Leases that ended without an answer in time, and believed values that nobody could serve.
    losses: int = 0
    #: Providers behind the losses, and owners of those that did not just leave: they are asked
    #: again only if nobody else is connected.
    lost_by: set[ProviderId] = field(default_factory=set)
    lost_by_owners: set[OwnerId] = field(default_factory=set)
    #: Since when nobody eligible has been connected.
    stuck_since_s: float | None = None
    #: The believed answer once closed; late answers are compared with it.
    winner: Attempt | None = None
    #: Estimated probability that the believed answer is wrong; None where a quorum decided.
    doubt: float | None = None
    #: Leases of the answers that were believed together with the winner.
    camp: frozenset[LeaseId] = frozenset()
    #: Leases of the answers that the policy was told of.
    told: set[LeaseId] = field(default_factory=set)
    #: Reference-core-seconds that each agreeing answer is paid for, once closed.
    units: float = 0.0
    #: What a late answer gets when nothing was accepted.
    closed_as: ReceiptReason | None = None
    #: Whose bytes are being fetched.
    serving: LeaseId | None = None

    @property
    def attempts(self) -> list[Attempt]:
        """Answers that are in, in the order in which their leases were granted."""
        return [held.attempt for held in self.leases.values() if held.attempt is not None]

    @property
    def asked(self) -> set[OwnerId]:
        """Owners that answered or may still answer. Trusted workers may be asked again."""
        return {h.provider.owner for h in self.leases.values() if h.provider.role != "trusted"}

    @property
    def prefixes(self) -> frozenset[str]:
        """Network prefixes of the providers that answered or may still answer."""
        return frozenset(h.provider.prefix for h in self.leases.values()) - {""}

    @property
    def pending(self) -> int:
        """Leases of the present role that may still be answered in time."""
        return sum(
            1
            for held in self.leases.values()
            if held.attempt is None and not held.expired and held.provider.role == self.role
        )
