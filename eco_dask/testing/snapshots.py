"""Snapshots for tests of what shows them: empty, full, with hostile names, with many providers.

empty(), full(), hostile(), crowded(1000) ──► Snapshot
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from eco_dask.dashboard.model import (
    Baseline,
    Bin,
    Caught,
    Energy,
    EnergyFigures,
    Gateway,
    Job,
    Kind,
    Network,
    Owner,
    Points,
    Provider,
    Snapshot,
    Strike,
    Verification,
)
from eco_dask.text import clean

#: When all samples are of, Unix time in seconds.
AT_S: Final = 1_790_000_000.0
#: What a stranger may call a machine, a kind of task, or an owner in a future where names are free.
HOSTILE_NAMES: Final = (
    "<script>alert('eco')</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "{{7*7}} ${7*7} <%= 7*7 %>",
    "=HYPERLINK(1)",
    "[bold red]rich[/] \\x1b[31m",
    "javascript:alert(1)",
    "' OR 1=1 --",
    "n" * 300,
    "مرحبا 你好 🦊",
)
_EXPLANATIONS: Final = {
    "dissented": "The answer differed from the accepted one, so it was not paid.",
    "expired": "No answer came before the deadline, so nothing was paid.",
}


def empty() -> Snapshot:
    """Give a network that nobody has joined yet."""
    unknown = "no run has reported its energy yet"
    return Snapshot(AT_S, energy=Energy(unknown=unknown, baseline_unknown=unknown))


def full() -> Snapshot:
    """Give a network with everything: honest providers, a liar, jobs in every state."""
    return _of(("ada", "bob", "mallory"), 6)


def hostile() -> Snapshot:
    """Give the full network where every text that a stranger could choose is an attack."""
    names = [clean(name, 200) for name in HOSTILE_NAMES]
    made = _of(names, 2 * len(names))
    providers = tuple(
        replace(
            each, id=name, capability={**each.capability, "cpu": name, "gpus": [f"{name}:1024"]}
        )
        for each, name in zip(made.providers, names * 2, strict=True)
    )
    jobs = tuple(
        replace(each, name=name, recruiter=name, caught=(Caught(name, name, "dissented", 3),))
        for each, name in zip(made.jobs, names, strict=False)
    )
    strikes = tuple(Strike(AT_S - n, name, name, name) for n, name in enumerate(names))
    kinds = tuple(Kind(name, 10, 22, 1.5, 1.25, 1) for name in names)
    verification = replace(made.verification, strikes=strikes, kinds=kinds)
    return replace(made, providers=providers, jobs=jobs, verification=verification)


def crowded(providers: int = 1000) -> Snapshot:
    """Give a network of many providers, four of each owner."""
    return _of([f"owner-{n}" for n in range(max(1, providers // 4))], providers)


def _of(owners: Sequence[str], count: int) -> Snapshot:
    providers = tuple(_provider(n, owners[n % len(owners)]) for n in range(count))
    connected = [each for each in providers if each.connected]
    return Snapshot(
        AT_S,
        network=Network(
            providers_known=count,
            providers_connected=len(connected),
            providers_paused=sum(each.paused for each in providers),
            providers_revoked=sum(each.revoked for each in providers),
            slots=sum(each.slots for each in connected),
            slots_busy=sum(min(each.slots, each.leases_live) for each in connected),
            leases_live=sum(each.leases_live for each in connected),
            tasks_waiting=17,
            gateways=(
                Gateway("tcp://10.0.0.2:40001", "gate", "wss://10.0.0.2:8790", 12, len(connected)),
            ),
            joined_1h=5,
            left_1h=2,
        ),
        verification=_verification(providers),
        points=_points(providers),
        energy=replace(_energy(3_600_000_000), watts_by_tier={"A": 212.5, "C": 40.0}),
        jobs=_jobs(),
        providers=providers,
        owners=tuple(_owner(name, providers) for name in owners),
    )


def _provider(number: int, owner: str) -> Provider:
    connected, revoked = number % 5 != 4, number % 97 == 96  # noqa: PLR2004  any pattern will do
    paused = connected and number % 7 == 3  # noqa: PLR2004
    struck = number % 3 == 2  # noqa: PLR2004
    return Provider(
        id=f"{number:04d}" + "c0ffee" * 4,
        owner=owner,
        role="trusted" if number == 0 else "provider",
        connected=connected and not revoked,
        revoked=revoked,
        paused=paused and not revoked,
        score=1.0 + number % 9,
        seen_at_s=AT_S - 10 * number,
        strikes=3 if struck else 0,
        strike_reasons={"dissented": 2, "value-withheld": 1} if struck else {},
        capability={
            "cores": 8, "memory_bytes": 16 << 30, "gpus": [], "os": "linux", "machine": "x86_64",
            "python": "3.12.4", "numpy": "2.3.1", "blas": "openblas 0.3.31", "numerics": "x86-64",
        },
        slots=0 if paused or not connected else 4,
        leases_live=0 if paused or not connected else number % 5,
        tasks=100 + number,
        agreed=90 + number - 10 * struck,
        dissented=10 * struck,
        posted_mpt=12_345 * (number + 1),
        pending_mpt=1_000 * (number % 4),
        energy=_figures(50_000_000 * (number + 1)) if number % 4 else None,
    )  # fmt: skip


def _owner(name: str, providers: Sequence[Provider]) -> Owner:
    own = [each for each in providers if each.owner == name]
    return Owner(
        name,
        providers_connected=sum(each.connected for each in own),
        providers_known=len(own),
        tasks=sum(each.tasks for each in own),
        agreed=sum(each.agreed for each in own),
        dissented=sum(each.dissented for each in own),
        strikes=sum(each.strikes for each in own),
        posted_mpt=sum(each.posted_mpt for each in own),
        pending_mpt=sum(each.pending_mpt for each in own),
        energy=_figures(200_000_000),
    )


def _verification(providers: Sequence[Provider]) -> Verification:
    agreed, dissented = sum(p.agreed for p in providers), sum(p.dissented for p in providers)
    struck = [each for each in providers if each.strikes][:20]
    return Verification(
        accepted=agreed // 2,
        attempts=agreed + dissented + 7,
        attempts_per_task=(agreed + dissented + 7) / (agreed // 2),
        agreed=agreed,
        dissented=dissented,
        disputed=1,
        audits=12,
        known_answers=9,
        own_checks=4,
        backtracked=3,
        recomputed=2,
        error_worst=8.5e-5,
        error_mean=1.2e-5,
        credibility_bins=(Bin(0.9, 0.99, 2), Bin(0.99, 0.999, 7), Bin(0.999, 1.0, 1)),
        strikes=tuple(Strike(AT_S - 60, p.id, p.owner, "dissented") for p in struck),
        by_reason={"agreed": agreed, "dissented": dissented, "expired": 7},
        kinds=(
            Kind("sum", 120, 250, 31.5, 29.0, 6),
            Kind("matmul", 80, 170, 412.0, 390.5, 4),
            Kind("decode", 12, 30, None, None, 0),
        ),
    )


def _points(providers: Sequence[Provider]) -> Points:
    posted_mpt = sum(each.posted_mpt for each in providers)
    return Points(
        posted_mpt=posted_mpt,
        pending_mpt=sum(each.pending_mpt for each in providers),
        reserved_mpt=sum(each.pending_mpt for each in providers),
        spent_mpt=posted_mpt,
        zero_reasons={"dissented": sum(each.dissented for each in providers), "expired": 7},
        explanations=_EXPLANATIONS,
        pay_per_unit_mpt=998.5,
        demand_tasks=25,
        supply_slots=16,
    )


def _jobs() -> tuple[Job, ...]:
    running = Job(
        id="job-00000000000a", name="mean of the north sea", state="running", recruiter="eve",
        started_at_s=AT_S - 120, tasks=200, done=80, erred=0, accepted=75, attempts=160,
        attempts_per_task=160 / 75, spent_mpt=54_321, budget_mpt=200_000, left_s=180.0,
        error=1e-4, error_worst=9e-5, error_mean=2e-5, by_reason={"agreed": 150, "dissented": 10},
        caught=(Caught("mallory", "0002" + "c0ffee" * 4, "dissented", 10),),
        energy=_energy(360_000_000),
    )  # fmt: skip
    over = replace(running, ended_at_s=AT_S - 5, left_s=None)
    return (
        running,
        replace(over, id="job-00000000000b", name="done", state="done", done=200, quorum=2,
                error=None, error_worst=None, error_mean=None, caught=()),
        replace(over, id="job-00000000000c", name="failed", state="failed", erred=3),
        replace(over, id="job-00000000000d", name="cancelled", state="cancelled"),
        Job(id="job-00000000000e", name="job-00000000000e", state="done", accepted=5, attempts=10,
            attempts_per_task=2.0, spent_mpt=77, by_reason={"agreed": 10},
            energy=Energy(unknown="no run has reported its energy yet")),
    )  # fmt: skip


def _figures(marginal_uj: int) -> EnergyFigures:
    reserved_uj = marginal_uj * 3 // 2
    grams = reserved_uj / 3.6e12 * 400
    return EnergyFigures(
        marginal_uj, reserved_uj, marginal_uj // 2, grams / 2, grams, 2 * grams, "C",
        ("load-model", "rapl"), ("the grid's intensity is of last year",), 2,
    )  # fmt: skip


def _energy(marginal_uj: int) -> Energy:
    figures = _figures(marginal_uj)
    reserved_uj = figures.reserved_uj or 0
    return Energy(
        **vars(figures),
        useful_uj=reserved_uj // 2,
        verification_uj=reserved_uj * 3 // 10,
        wasted_uj=reserved_uj // 10,
        coordination_uj=reserved_uj - reserved_uj // 2 - reserved_uj * 3 // 10 - reserved_uj // 10,
        baseline=Baseline(
            "conservative", 2 * reserved_uj, -reserved_uj // 4, reserved_uj, 2 * reserved_uj,
            0.1, 0.2, 0.4, ("a busy cloud machine at the middle of what is published",),
        ),
    )  # fmt: skip
