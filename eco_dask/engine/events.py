"""What happened: the only things that enter the engine.

Every event carries ``at_s``, the gateway's monotonic clock; those that may lead to a choice carry
``chance``, 64 random bits drawn by the adapter from the operating system, so that providers cannot
foresee a choice and a test can replay one.
"""

from __future__ import annotations

from dataclasses import dataclass

from eco_dask.energy.preference import Offer
from eco_dask.engine.facts import Provider, Task
from eco_dask.types import BallotId, GateId, LeaseId, ProviderId
from eco_dask.verification.attempt import Answer
from eco_dask.verification.checks import CheckVerdict
from eco_dask.verification.sketch import Sketch


@dataclass(frozen=True, slots=True)
class ProviderJoined:
    """A provider finished its handshake."""

    provider: Provider
    at_s: float
    chance: int


@dataclass(frozen=True, slots=True)
class ProviderLeft:
    """A provider said goodbye, or did not come back within its grace time."""

    provider: ProviderId
    at_s: float
    chance: int


@dataclass(frozen=True, slots=True)
class SlotsChanged:
    """A provider runs more or fewer tasks at a time from now on; 0 is a pause."""

    provider: ProviderId
    slots: int
    at_s: float
    chance: int


@dataclass(frozen=True, slots=True)
class OfferNoted:
    """More became known of what work costs at a provider, for jobs that prefer."""

    offer: Offer
    at_s: float
    chance: int


@dataclass(frozen=True, slots=True)
class TaskSubmitted:
    """Dask wants a task computed."""

    task: Task
    at_s: float
    chance: int


@dataclass(frozen=True, slots=True)
class TaskCancelled:
    """Dask no longer wants the task."""

    ballot: BallotId
    at_s: float
    chance: int


@dataclass(frozen=True, slots=True)
class AnswerArrived:
    """A provider committed to an answer."""

    lease: LeaseId
    answer: Answer
    #: CPU seconds, as the provider claims.
    cpu_s: float
    #: Seconds from start to end, as the provider claims.
    wall_s: float
    #: Whether the value came along and its bytes match the commitment.
    value_here: bool
    at_s: float
    chance: int


@dataclass(frozen=True, slots=True)
class LeaseDeclined:
    """A provider gave a lease back without an answer."""

    lease: LeaseId
    at_s: float
    chance: int


@dataclass(frozen=True, slots=True)
class ValueArrived:
    """The bytes of a winning answer are at the gateway and match the commitment."""

    lease: LeaseId
    at_s: float
    chance: int


@dataclass(frozen=True, slots=True)
class ValueFailed:
    """The bytes of an answer did not come, or do not match its commitment."""

    lease: LeaseId
    #: Whether other bytes came (a lie) or none (perhaps an accident).
    mismatch: bool
    at_s: float
    chance: int


@dataclass(frozen=True, slots=True)
class SketchArrived:
    """An answer's sketch under the seed of a round of comparison, or word that none will come."""

    lease: LeaseId
    round: int
    sketch: Sketch | None
    at_s: float
    chance: int


@dataclass(frozen=True, slots=True)
class CheckArrived:
    """An algebraic check of an answer whose bytes are here was done."""

    lease: LeaseId
    verdict: CheckVerdict
    at_s: float
    chance: int


@dataclass(frozen=True, slots=True)
class GateReached:
    """A result that the recruiter waits for was made here of these ballots' results."""

    gate: GateId
    ballots: tuple[BallotId, ...]
    at_s: float
    chance: int


@dataclass(frozen=True, slots=True)
class GateLeft:
    """Nobody waits at that gate any more."""

    gate: GateId
    at_s: float
    chance: int


@dataclass(frozen=True, slots=True)
class ResultsReleased:
    """Dask let go of these results; nothing else that is still to be delivered rests on them."""

    ballots: tuple[BallotId, ...]
    at_s: float
    chance: int


@dataclass(frozen=True, slots=True)
class SettlingAsked:
    """The gateway cannot keep for long what is needed to do these tasks again: settle them now."""

    ballots: tuple[BallotId, ...]
    at_s: float
    chance: int


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time passed."""

    at_s: float
    chance: int


#: What the further layers of verification speak of.
LayerEvent = SketchArrived | CheckArrived | GateReached | GateLeft | ResultsReleased | SettlingAsked
Event = (
    ProviderJoined
    | ProviderLeft
    | SlotsChanged
    | OfferNoted
    | TaskSubmitted
    | TaskCancelled
    | AnswerArrived
    | LeaseDeclined
    | ValueArrived
    | ValueFailed
    | LayerEvent
    | Ticked
)
