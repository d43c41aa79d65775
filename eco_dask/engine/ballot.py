"""The life of one task under verification, and of each lease it is asked through.

::

    voting ──agreed──► fetching ──value here──► standing ──settled──► closed
       │  ▲──holders lost──┘                        │ ▲──contradicted──┐
       └── disputed, cancelled, nobody left ──► closed └───────────────┘

A ballot decided by a quorum is settled as soon as it is accepted, and does not stand in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from eco_dask.engine.actions import Purpose
from eco_dask.engine.facts import Provider, Role, Task
from eco_dask.ledger.book import Reserve
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.types import BallotId, GateId, LeaseId, OwnerId, ProviderId
from eco_dask.verification.attempt import Attempt, Case
from eco_dask.verification.policy import Bar

Phase = Literal["voting", "fetching", "standing", "closed"]


@dataclass(eq=False, slots=True)
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
    purpose: Purpose = "vote"
    #: The deadline passed; another attempt was bought.
    expired: bool = False
    #: It was called back: what comes of it is compared and paid, and its loss is none.
    recalled: bool = False
    #: The answer, once it is in.
    attempt: Attempt | None = None
    #: Whether all of the answer is at the gateway: a value's bytes, or an error.
    value_here: bool = False
    #: Whether the answer's bytes were let go of, here and at the holder.
    released: bool = False
    #: Whether an algebraic check of the answer was ordered.
    checked: bool = False
    #: Whether the provider was struck for this answer.
    struck: bool = False
    #: Points that the answer will be paid at most, once it was accepted.
    due_mpt: int | None = None
    #: Why the holder cannot serve the bytes it committed to: its vote stands, its pay does not.
    fault: ReceiptReason | None = None
    #: The holder left with the bytes: its vote and its pay stand.
    gone: bool = False


@dataclass(eq=False, slots=True)
class Gate:
    """Somebody who waits until these ballots, and all they rest on, stand."""

    #: None for the engine's own: a result held back, or one to be settled soon.
    id: GateId | None
    ballots: tuple[Ballot, ...] = ()
    #: How many of the ballots are not clear yet.
    unclear: int = 0
    #: Opened, broken or left.
    over: bool = False

    @property
    def is_ripe(self) -> bool:
        """Whether all is there that somebody waits for."""
        return not (self.over or self.unclear)


@dataclass(eq=False, slots=True)
class Ballot:
    """One task under verification."""

    task: Task
    #: Whom it is leased to now: a dispute moves it to the trusted workers.
    role: Role
    #: Leases still to grant.
    wanted: int
    phase: Phase = "voting"
    #: Whether its result may be used before it is sure enough to be delivered.
    flows: bool = False
    #: Granted leases without a receipt, answered or not.
    leases: dict[LeaseId, HeldLease] = field(default_factory=dict)
    #: Whether an answer that was accepted is computed once more, to learn of its owner; None until
    #: that was drawn. And the answers that were in when it was drawn.
    audit: bool | None = None
    audited: frozenset[LeaseId] = frozenset()
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
    #: The believed answer once accepted; later answers are compared with it.
    winner: Attempt | None = None
    #: Estimated probability that the believed answer is wrong; None where a quorum decided.
    doubt: float | None = None
    #: It was let go of without anything delivered that rests on it.
    unused: bool = False
    #: Leases of the answers that were believed together with the winner.
    camp: frozenset[LeaseId] = frozenset()
    #: How many answers were in when that was found.
    adopted: int = 0
    #: What the policy was told of each answer: whether it was right.
    told: dict[LeaseId, bool] = field(default_factory=dict)
    #: Reference-core-seconds that each agreeing answer is paid for, once accepted.
    units: float = 0.0
    #: What a late answer gets when nothing was accepted.
    closed_as: ReceiptReason | None = None
    #: Whose bytes are being fetched, because they won, or to be checked by algebra.
    serving: LeaseId | None = None
    checking: LeaseId | None = None

    # ------------------------------------------------------------------ while it stands

    #: Whether Dask has the result.
    delivered: bool = False
    #: Whether it could have been revoked at some time: then a struck owner is not paid.
    revocable: bool = False
    #: Unsettled ballots whose results this one uses, and those that use this one's.
    rests_on: dict[BallotId, Ballot] = field(default_factory=dict)
    carries: dict[BallotId, Ballot] = field(default_factory=dict)
    #: Gates that wait for this very ballot.
    gates: dict[Gate, None] = field(default_factory=dict)
    #: Gates and demanded ballots that use this one: it has to stand at the bar of delivery then.
    demands: int = 0
    #: Whether it does, by itself; how many of those it rests on do not; and both together.
    stands: bool = False
    unclear: int = 0
    clear: bool = False
    #: Whether Dask let go of the result.
    released: bool = False
    #: What the policy knew when the ballot was judged last.
    judged_at: int = -1
    #: Whether the task is among those voted on.
    under_way: bool = False
    #: Whether the task is kept as one whose answer is known, and owners who know it too.
    known: bool = False
    knowing: set[OwnerId] = field(default_factory=set)

    @property
    def accepted(self) -> Attempt:
        """The believed answer of an accepted ballot."""
        if self.winner is None:
            raise ValueError(f"no answer to ballot {self.task.ballot!r} was accepted yet")
        return self.winner

    @property
    def bar(self) -> Bar:
        """How sure the result must be now."""
        return "flow" if self.flows and not self.demands else "deliver"

    @property
    def answered(self) -> list[tuple[HeldLease, Attempt]]:
        """Leases whose answer is in, with it."""
        return [(held, held.attempt) for held in self.leases.values() if held.attempt is not None]

    @property
    def attempts(self) -> list[Attempt]:
        """Answers that are in, in the order in which their leases were granted."""
        return [held.attempt for held in self.leases.values() if held.attempt is not None]

    @property
    def case(self) -> Case:
        """What is judged."""
        return Case(self.task.kind, tuple(self.attempts), self.task.rule)

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
            if held.attempt is None
            and not held.expired
            and not held.recalled
            and held.provider.role == self.role
        )

    @property
    def auditing(self) -> bool:
        """Whether the answer that an audit asked for is not in yet."""
        return bool(self.audit) and all(a.lease in self.audited for a in self.attempts)
