"""What every screen shows of the network at one instant: API, pages, widget, terminal, metrics.

    books, scheduler, gateways ──► Snapshot ──to_plain──► JSON ──from_plain──► Snapshot

Unknown is None, never zero. ``_mpt`` are millipoints, ``_uj`` microjoules, ``gco2e_...`` grams of
CO2 equivalent, ``_at_s`` Unix times in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from eco_dask.dashboard.plain import read, to_plain

JobState = Literal["running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class EnergyFigures:
    """What runs of tasks took; None where nothing is known, for the reason in ``unknown``."""

    #: What owners' bills rose by.
    marginal_uj: int | None = None
    #: That, and the share of idle power that was kept for the work.
    reserved_uj: int | None = None
    #: The part of ``reserved_uj`` that meters counted.
    metered_uj: int | None = None
    gco2e_low: float | None = None
    gco2e_central: float | None = None
    gco2e_high: float | None = None
    #: The worst of what went in, ``A`` (metered) to ``D`` (defaults).
    tier: str | None = None
    sources: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    #: Runs of unknown energy, which are in no figure.
    unknown_runs: int = 0
    unknown: str | None = None


@dataclass(frozen=True)
class Baseline:
    """What the same work would have taken elsewhere, as a range: compare ``uj`` with reserved."""

    name: str
    uj: int
    #: What is saved against it, which may be negative.
    saved_low_uj: int
    saved_uj: int
    saved_high_uj: int
    gco2e_low: float | None = None
    gco2e_central: float | None = None
    gco2e_high: float | None = None
    #: What it assumes, with its sources.
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Energy(EnergyFigures):
    """Energy of a job or of all, by what it was for. The parts are of reserved energy."""

    useful_uj: int | None = None
    #: Further attempts and audits: the price of not having to trust.
    verification_uj: int | None = None
    wasted_uj: int | None = None
    coordination_uj: int | None = None
    #: Mean power of late, by the class of its meters; None where nothing is known of late.
    watts_by_tier: Mapping[str, float] | None = None
    baseline: Baseline | None = None
    #: Why there is no baseline.
    baseline_unknown: str | None = None


@dataclass(frozen=True)
class Gateway:
    """A gateway and what it has to offer."""

    worker: str
    name: str
    #: What providers dial.
    address: str
    #: Tasks that Dask may have here at a time: the providers' slots and a little more.
    slots: int
    #: How many are connected.
    providers: int


@dataclass(frozen=True)
class Network:
    """Who is there, and what they hold."""

    providers_known: int = 0
    providers_connected: int = 0
    #: Of the connected, those that offer no slots now.
    providers_paused: int = 0
    providers_revoked: int = 0
    #: Slots of connected providers, and those that hold a lease.
    slots: int = 0
    slots_busy: int = 0
    leases_live: int = 0
    #: Tasks at the gateways with no provider yet, and at the scheduler with no gateway yet.
    tasks_waiting: int = 0
    gateways: tuple[Gateway, ...] = ()
    #: Providers that came and went within the last hour, as far as this coordinator ran.
    joined_1h: int = 0
    left_1h: int = 0


@dataclass(frozen=True)
class Strike:
    """One thing that a provider did wrong."""

    at_s: float
    provider: str
    owner: str
    reason: str


@dataclass(frozen=True)
class Kind:
    """Tasks that run the same code."""

    kind: str
    #: Tasks with an accepted answer.
    accepted: int
    attempts: int
    #: As reported, of all attempts that answered.
    cpu_s: float | None
    #: Reference-core-seconds that were paid, over all attempts.
    work_units: float | None
    dissented: int


@dataclass(frozen=True)
class Bin:
    """Owners by the estimated probability that a lone answer of theirs is right."""

    low: float
    high: float
    owners: int


@dataclass(frozen=True)
class Verification:
    """What was believed, and why. Counts are of all time, from the books, unless said otherwise."""

    accepted: int = 0
    attempts: int = 0
    attempts_per_task: float | None = None
    agreed: int = 0
    dissented: int = 0
    disputed: int = 0
    #: Leases by what they were for, and what was done again; of the gateways' present life, None
    #: where no gateway tells.
    audits: int | None = None
    known_answers: int | None = None
    own_checks: int | None = None
    backtracked: int | None = None
    recomputed: int | None = None
    #: Estimated probability that an accepted result is wrong; None where a quorum decides.
    error_worst: float | None = None
    error_mean: float | None = None
    #: For the operator alone: it would tell a liar when it pays to lie.
    credibility_bins: tuple[Bin, ...] | None = None
    #: The latest.
    strikes: tuple[Strike, ...] = ()
    #: Attempts by the reason on their receipt.
    by_reason: Mapping[str, int] = field(default_factory=dict)
    kinds: tuple[Kind, ...] = ()


@dataclass(frozen=True)
class Points:
    """The flow of points."""

    #: Paid to owners, held for them, held from recruiters, and paid by them.
    posted_mpt: int = 0
    pending_mpt: int = 0
    reserved_mpt: int = 0
    spent_mpt: int = 0
    #: Attempts that earned nothing, by the reason, and what each means.
    zero_reasons: Mapping[str, int] = field(default_factory=dict)
    explanations: Mapping[str, str] = field(default_factory=dict)
    #: Paid per reference-core-second, over all; None before the first.
    pay_per_unit_mpt: float | None = None
    #: Tasks that want a provider now, and the slots that there are.
    demand_tasks: int = 0
    supply_slots: int = 0


@dataclass(frozen=True)
class Caught:
    """Whose answers in a job were wrong, or not served as committed to."""

    owner: str
    provider: str
    reason: str
    times: int


@dataclass(frozen=True)
class Job:
    """One job. What only the scheduler knows is None for jobs of its earlier lives."""

    id: str
    name: str
    state: JobState
    #: Who pays; None for jobs of earlier lives.
    recruiter: str | None = None
    started_at_s: float | None = None
    ended_at_s: float | None = None
    #: Dask tasks: those that only move data are done by gateways and need no attempt.
    tasks: int | None = None
    done: int | None = None
    erred: int | None = None
    #: Tasks of providers with an accepted answer, and answers asked for.
    accepted: int = 0
    attempts: int = 0
    attempts_per_task: float | None = None
    spent_mpt: int = 0
    budget_mpt: int | None = None
    #: Estimate of the time to its end, in seconds.
    left_s: float | None = None
    #: The accepted probability of a wrong result, or the owners that must agree.
    error: float | None = None
    quorum: int | None = None
    error_worst: float | None = None
    error_mean: float | None = None
    by_reason: Mapping[str, int] = field(default_factory=dict)
    caught: tuple[Caught, ...] = ()
    energy: Energy = field(default_factory=Energy)


@dataclass(frozen=True)
class Provider:
    """One contributed machine. What it says of itself is a claim, made fit to show."""

    id: str
    owner: str
    role: str
    connected: bool
    revoked: bool = False
    #: Connected, and offers no slots now.
    paused: bool = False
    #: In reference cores; None before its first benchmark.
    score: float | None = None
    seen_at_s: float | None = None
    strikes: int = 0
    strike_reasons: Mapping[str, int] = field(default_factory=dict)
    capability: Mapping[str, Any] = field(default_factory=dict)
    slots: int = 0
    leases_live: int = 0
    #: Leases that ended, whatever came of them.
    tasks: int = 0
    agreed: int = 0
    dissented: int = 0
    posted_mpt: int = 0
    pending_mpt: int = 0
    energy: EnergyFigures | None = None


@dataclass(frozen=True)
class Owner:
    """The account behind one or many providers."""

    name: str
    providers_connected: int = 0
    providers_known: int = 0
    tasks: int = 0
    agreed: int = 0
    dissented: int = 0
    strikes: int = 0
    posted_mpt: int = 0
    pending_mpt: int = 0
    energy: EnergyFigures | None = None


@dataclass(frozen=True)
class Snapshot:
    """The network at one instant."""

    at_s: float
    network: Network = field(default_factory=Network)
    verification: Verification = field(default_factory=Verification)
    points: Points = field(default_factory=Points)
    energy: Energy = field(default_factory=Energy)
    #: Running ones and the latest, the latest first.
    jobs: tuple[Job, ...] = ()
    providers: tuple[Provider, ...] = ()
    owners: tuple[Owner, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """Return it as dicts, lists, strings and numbers, fit for JSON and Dask's messages."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Snapshot:
        """Read what :meth:`to_plain` gave, of this version or an older one.

        Raises
        ------
        ValueError
            It is none.
        """
        return read(cls, plain)
