"""What the gateway is to do: the only things that leave the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eco_dask.ledger.book import Entry
from eco_dask.ledger.receipts import Receipt
from eco_dask.types import BallotId, GateId, LeaseId, ProviderId, TaskKind
from eco_dask.verification.attempt import Attempt, ErrorAnswer

#: What a lease is for: to decide a task, to check an accepted result, or to ask what is known. For
#: the recruiter's report only; nothing that a provider sees may depend on it.
Purpose = Literal["vote", "audit", "known"]


@dataclass(frozen=True, slots=True)
class GrantLease:
    """Send a task to a provider."""

    lease: LeaseId
    ballot: BallotId
    provider: ProviderId
    kind: TaskKind
    #: Seconds from now until the answer is late.
    deadline_s: float
    purpose: Purpose = "vote"


@dataclass(frozen=True, slots=True)
class RecallLease:
    """Tell a provider that its answer is no longer needed."""

    lease: LeaseId
    provider: ProviderId


@dataclass(frozen=True, slots=True)
class ReleaseAnswer:
    """Tell a provider, and forget here, that an answer's bytes need not be kept."""

    lease: LeaseId
    provider: ProviderId


@dataclass(frozen=True, slots=True)
class FetchValue:
    """Ask the holder of a winning answer for its bytes."""

    lease: LeaseId
    ballot: BallotId
    provider: ProviderId


@dataclass(frozen=True, slots=True)
class AskSketches:
    """Draw a fresh seed and get these answers' sketches under it.

    All of them were committed to before. The gateway makes the sketch itself of bytes that are
    here, and asks the holders of the others.
    """

    ballot: BallotId
    leases: tuple[LeaseId, ...]
    round: int


@dataclass(frozen=True, slots=True)
class CheckValue:
    """Check an answer whose bytes are here by algebra, off the event loop."""

    ballot: BallotId
    lease: LeaseId


@dataclass(frozen=True, slots=True)
class OpenGate:
    """Deliver the result behind a gate: all that it rests on stands."""

    gate: GateId


@dataclass(frozen=True, slots=True)
class Revoke:
    """These ballots' results are wrong, or rest on wrong ones: let Dask compute them again.

    Gates behind them are broken likewise. Ballots among them that were not delivered yet are over.
    """

    ballots: tuple[BallotId, ...]
    gates: tuple[GateId, ...]


@dataclass(frozen=True, slots=True)
class ForgetTask:
    """What was kept in order to do a task again is no longer needed."""

    ballot: BallotId
    #: Estimated probability that the settled result is wrong; None where nobody estimated it.
    doubt: float | None = None
    #: Nothing that was delivered rests on it: its doubt is not one of the job's results.
    unused: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """Write to the books. Everything after it in the same list may rely on its being durable."""

    entries: tuple[Entry, ...]
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class Strike:
    """A provider was caught."""

    provider: ProviderId
    reason: str
    lease: LeaseId


@dataclass(frozen=True, slots=True)
class DeliverValue:
    """Give Dask the value of this lease: it is accepted."""

    ballot: BallotId
    lease: LeaseId
    agreeing: tuple[Attempt, ...]
    #: Estimated probability that it is wrong; None where a quorum decided.
    doubt: float | None = None


@dataclass(frozen=True, slots=True)
class DeliverError:
    """Give Dask this error: the voters agree that the task raises it."""

    ballot: BallotId
    error: ErrorAnswer


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The votes contradict each other for good and no trusted worker is there to decide."""

    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class NobodyEligible:
    """Nobody was left to ask within the engine's patience."""

    attempts: tuple[Attempt, ...]
    #: Distinct owners connected and able to run the task, all of them asked before.
    owners_left: int
    owners_min: int
    trusted_only: bool
    waited_s: float


@dataclass(frozen=True, slots=True)
class CapabilityMissing:
    """No connected provider has the tags that the task requires."""

    require: frozenset[str]
    #: Required tags that no single provider has at all; may be empty if no one has all together.
    missing: frozenset[str]


@dataclass(frozen=True, slots=True)
class OverBudget:
    """The job's budget does not cover another attempt."""

    budget_mpt: int
    committed_mpt: int
    price_mpt: int


@dataclass(frozen=True, slots=True)
class LostTooOften:
    """Providers lost the task, gave it back, or let it or its value expire too many times."""

    losses: int


Failure = Disagreement | NobodyEligible | CapabilityMissing | OverBudget | LostTooOften


@dataclass(frozen=True, slots=True)
class FailTask:
    """Tell Dask that the task ended without an accepted result.

    The result may have been delivered before, to flow, and not be sure enough for what waits now.
    What rests on it, if anything, is revoked next.
    """

    ballot: BallotId
    failure: Failure


Action = (
    GrantLease
    | RecallLease
    | ReleaseAnswer
    | FetchValue
    | AskSketches
    | CheckValue
    | OpenGate
    | Revoke
    | ForgetTask
    | Record
    | Strike
    | DeliverValue
    | DeliverError
    | FailTask
)
