"""What the engine knows of providers and tasks, and the settings it decides by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from eco_dask.energy.preference import Prefer
from eco_dask.types import Account, BallotId, JobId, OwnerId, ProviderId, TaskKind
from eco_dask.verification.rules import QuorumRule, Rule

Role = Literal["provider", "trusted"]


@dataclass(frozen=True, slots=True)
class Provider:
    """One connected provider, as its registration and its hello describe it."""

    id: ProviderId
    owner: OwnerId
    role: Role
    tags: frozenset[str]
    #: Tasks it runs at a time; 0 while it pauses.
    slots: int
    #: Cores it lends, the most CPU-seconds it can spend per second.
    cores: int = 1
    #: Speed relative to the reference core of :mod:`eco_dask.providers.benchmark`.
    score: float = 1.0
    #: Network prefix that it dials from, such as ``"203.0.113.0/24"``; empty if unknown or local.
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """One task as the engine sees it: who asks, what it needs, how it is verified."""

    ballot: BallotId
    kind: TaskKind
    job: JobId
    #: Who pays.
    payer: Account
    rule: Rule = field(default_factory=QuorumRule)
    #: Tags that a provider must have.
    require: frozenset[str] = frozenset()
    #: Only the operator's own workers may run it: it reads or writes storage, or is marked so.
    trusted_only: bool = False
    #: Most that the job may spend in all, ``None`` for no limit.
    budget_mpt: int | None = None
    #: Ballots whose values it uses, also through structural tasks: what they rest on, it rests on.
    inputs: tuple[BallotId, ...] = ()
    #: Whether the recruiter sees this result itself, not only what is made of it.
    wanted: bool = True
    #: Which providers the recruiter would rather have; None for any.
    prefer: Prefer | None = None
    #: Whether an algebraic check of its result may be done at the gateway.
    checkable: bool = False


@dataclass(frozen=True, slots=True)
class EngineRule:
    """Settings of the engine. Seconds are seconds of the gateway's clock."""

    #: A lease's deadline for a task kind never seen before.
    deadline_first_s: float = 600.0
    #: No deadline is shorter: a small task may sit behind others in a provider's queue.
    deadline_min_s: float = 30.0
    #: Deadline as a multiple of the slowest of the kind's recent attempts.
    deadline_factor: float = 5.0
    #: How long an answer that is no longer needed is still compared and paid.
    late_grace_s: float = 60.0
    #: With nobody eligible connected, a ballot waits this long before a trusted worker decides.
    trusted_after_s: float = 2.0
    #: ... and this long before it fails.
    patience_s: float = 300.0
    #: Work that may wait at a provider beyond its slots, so that the network's latency is hidden.
    prefetch_s: float = 0.15
    #: Leases at a provider, as a multiple of its slots.
    prefetch_factor_max: int = 16
    #: Times that a task may be given back, lost or left unanswered by providers before it fails.
    losses_max: int = 8
    #: Accepted tasks per job and kind, at least one, that may be asked again because their answer
    #: is known, and the most bytes that such an answer has.
    known_max: int = 4
    known_bytes_max: int = 65_536
    #: Price of a reference-core-second.
    price_mpt: int = 1000
    #: Work assumed of a kind never seen, the most that its first attempts can be paid for.
    work_first_units: float = 60.0
