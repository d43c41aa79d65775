"""How a snapshot is made of what scheduler, gateways and books say. Pure.

Seen(progress, gateways' facts) + Books ──build──► Snapshot
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eco_dask.dashboard.books import Books, JobBooks
from eco_dask.dashboard.model import (
    Bin,
    Caught,
    Energy,
    Gateway,
    Job,
    Kind,
    Network,
    Owner,
    Points,
    Provider,
    Snapshot,
    Verification,
)
from eco_dask.dashboard.presence import GatewayView
from eco_dask.dashboard.progress import JobProgress
from eco_dask.gateway.tally import summed
from eco_dask.ledger.accounts import owner_account
from eco_dask.ledger.book import Balance
from eco_dask.ledger.receipt_sums import Sums
from eco_dask.ledger.receipts import AGREEING_REASONS, ReceiptReason, explain
from eco_dask.text import clean
from eco_dask.types import JobId, OwnerId

#: Kinds of tasks that are listed, those with the most attempts.
KINDS_SHOWN: Final = 100
_CHARS_MAX: Final = 200
_NOTHING: Final = Sums()


@dataclass(frozen=True, slots=True)
class Seen:
    """What scheduler and gateways say at one instant."""

    at_s: float
    jobs: Mapping[JobId, JobProgress]
    gateways: Sequence[GatewayView]
    #: Tasks at the scheduler that no gateway has yet.
    unassigned: int
    moves_1h: tuple[int, int]


def build(seen: Seen, books: Books) -> Snapshot:
    """Make the snapshot of an instant."""
    facts = [view.facts for view in seen.gateways if view.facts]
    providers = _providers(seen, books)
    network = _network(seen, providers, facts)
    return Snapshot(
        seen.at_s,
        network,
        _verification(books, facts),
        _points(books, network, facts, seen.unassigned),
        books.energy.all,
        _jobs(seen, books, facts),
        providers,
        _owners(providers, books),
    )


def build_job(
    job: JobId,
    books: JobBooks,
    progress: JobProgress | None,
    tally: Mapping[str, Any] | None,
    energy: Energy,
    at_s: float,
) -> Job:
    """Make one job of what is known of it; ``tally`` is None where no gateway remembers it."""
    record = progress.record() if progress is not None else books.record
    sums = books.sums
    estimated = tally["estimated"] if tally is not None else 0
    return Job(
        id=clean(job, _CHARS_MAX),
        name=clean(str(record.get("name", job)), _CHARS_MAX),
        state=record.get("state", "done"),
        recruiter=_clean_or_none(record.get("recruiter")),
        started_at_s=_time(record.get("started_at_s")),
        ended_at_s=None if record.get("state") == "running" else record.get("ended_at_s"),
        tasks=record.get("tasks"),
        done=record.get("done"),
        erred=record.get("erred"),
        accepted=sums.accepted,
        attempts=sums.attempts,
        attempts_per_task=_ratio(sums.attempts, sums.accepted),
        spent_mpt=sums.amount_mpt,
        budget_mpt=record.get("budget_mpt"),
        left_s=progress.left_s(at_s) if progress is not None else None,
        error=record.get("error"),
        quorum=record.get("quorum"),
        error_worst=tally["doubt_worst"] if tally and estimated else None,
        error_mean=tally["doubt_sum"] / estimated if tally and estimated else None,
        by_reason=dict(sums.by_reason),
        caught=tuple(Caught(*who, times) for who, times in sorted(sums.faults.items())),
        energy=energy,
    )


def _jobs(seen: Seen, books: Books, facts: Sequence[Mapping[str, Any]]) -> tuple[Job, ...]:
    made = []
    for job, booked in books.jobs.items():
        tallies = [found["tallies"][job] for found in facts if job in found["tallies"]]
        tally = summed(tallies) if tallies else None
        energy = books.energy.jobs.get(job, Energy())
        made.append(build_job(job, booked, seen.jobs.get(job), tally, energy, seen.at_s))
    return tuple(sorted(made, key=lambda job: (job.started_at_s or 0.0, job.id), reverse=True))


def _providers(seen: Seen, books: Books) -> tuple[Provider, ...]:
    holding = {p: held for view in seen.gateways for p, held in _holding(view).items()}
    members, sums = books.members, books.sums.providers
    made = []
    for record in members.records:
        held = holding.get(record.id)
        slots, _, leases, pending_mpt = held if held is not None else (0, 0, 0, 0)
        done = sums.get((record.id, record.owner), _NOTHING)
        reasons: Mapping[str, int] = members.strike_reasons.get(record.id, {})
        made.append(
            Provider(
                id=record.id,
                owner=record.owner,
                role=record.role,
                connected=held is not None,
                revoked=bool(record.revoked),
                paused=held is not None and slots == 0,
                score=record.score,
                seen_at_s=record.seen_at_s,
                strikes=sum(reasons.values()),
                strike_reasons=dict(reasons),
                capability=members.capabilities[record.id],
                slots=slots,
                leases_live=leases,
                tasks=done.attempts,
                agreed=done.agreed,
                dissented=done.dissented,
                posted_mpt=done.amount_mpt,
                pending_mpt=pending_mpt,
                energy=books.energy.providers.get(record.id),
            )
        )
    return tuple(made)


def _holding(view: GatewayView) -> Mapping[str, Sequence[int]]:
    """Slots, busy slots, leases, points held, by the providers connected to a gateway."""
    if not view.facts:
        return dict.fromkeys(view.providers, (0, 0, 0, 0))
    holding: Mapping[str, Sequence[int]] = view.facts["providers"]
    return holding


def _network(
    seen: Seen, providers: Sequence[Provider], facts: Sequence[Mapping[str, Any]]
) -> Network:
    joined, left = seen.moves_1h
    connected = sum(p.connected for p in providers)
    return Network(
        providers_known=len(providers),
        providers_connected=connected,
        providers_paused=sum(p.paused for p in providers),
        providers_revoked=sum(p.revoked for p in providers),
        slots=sum(p.slots for p in providers),
        slots_busy=sum(min(p.slots, p.leases_live) for p in providers),
        leases_live=sum(p.leases_live for p in providers),
        tasks_waiting=seen.unassigned + sum(found["waiting"] for found in facts),
        gateways=tuple(
            Gateway(view.worker, view.name, view.address, view.slots, len(_holding(view)))
            for view in seen.gateways
        ),
        joined_1h=joined,
        left_1h=left,
    )


def _verification(books: Books, facts: Sequence[Mapping[str, Any]]) -> Verification:
    total = books.sums.total
    tally = summed([found["tally"] for found in facts]) if facts else None
    estimated = tally["estimated"] if tally is not None else 0
    leases: Mapping[str, int] = tally["attempts"] if tally is not None else {}
    return Verification(
        accepted=total.accepted,
        attempts=total.attempts,
        attempts_per_task=_ratio(total.attempts, total.accepted),
        agreed=total.agreed,
        dissented=total.dissented,
        disputed=total.by_reason[ReceiptReason.DISPUTED],
        audits=leases.get("audit", 0) if tally else None,
        known_answers=leases.get("known", 0) if tally else None,
        own_checks=leases.get("check", 0) if tally else None,
        backtracked=tally["backtracked"] if tally else None,
        recomputed=tally["recomputed"] if tally else None,
        error_worst=tally["doubt_worst"] if tally and estimated else None,
        error_mean=tally["doubt_sum"] / estimated if tally and estimated else None,
        credibility_bins=_bins(found["belief"] for found in facts) if facts else None,
        strikes=books.members.latest_strikes,
        by_reason=dict(total.by_reason),
        kinds=_kinds(books),
    )


def _bins(beliefs: Iterable[Sequence[Sequence[float]]]) -> tuple[Bin, ...]:
    counted: Counter[tuple[float, float]] = Counter()
    for belief in beliefs:
        for low, high, owners in belief:
            counted[(low, high)] += int(owners)
    return tuple(Bin(*edges, owners) for edges, owners in counted.items())


def _kinds(books: Books) -> tuple[Kind, ...]:
    listed = sorted(books.sums.kinds.items(), key=lambda item: (-item[1].attempts, item[0]))
    return tuple(
        Kind(
            clean(kind, _CHARS_MAX),
            sums.accepted,
            sums.attempts,
            sums.cpu_s if sums.answered else None,
            sums.work_units if sums.agreed else None,
            sums.dissented,
        )
        for kind, sums in listed[:KINDS_SHOWN]
    )


def _points(
    books: Books, network: Network, facts: Sequence[Mapping[str, Any]], unassigned: int
) -> Points:
    total = books.sums.total
    owners = [b for name, b in books.balances.items() if name.startswith("owner:")]
    recruiters = [b for name, b in books.balances.items() if name.startswith("recruiter:")]
    paid = {str(reason) for reason in AGREEING_REASONS}
    zero = {reason: n for reason, n in total.by_reason.items() if reason not in paid}
    return Points(
        posted_mpt=sum(b.posted_mpt for b in owners),
        pending_mpt=sum(b.pending_mpt for b in owners),
        reserved_mpt=sum(b.reserved_mpt for b in recruiters),
        spent_mpt=-sum(b.posted_mpt for b in recruiters),
        zero_reasons=zero,
        explanations={reason: explain(ReceiptReason(reason)) for reason in zero},
        pay_per_unit_mpt=_ratio(total.amount_mpt, total.work_units),
        demand_tasks=unassigned + sum(found["open"] for found in facts),
        supply_slots=network.slots,
    )


def _owners(providers: Sequence[Provider], books: Books) -> tuple[Owner, ...]:
    machines: dict[str, list[Provider]] = {name: [] for name in books.owners}
    for provider in providers:
        machines.setdefault(provider.owner, []).append(provider)
    made = []
    for name, own in machines.items():
        balance = books.balances.get(owner_account(OwnerId(name)), Balance())
        made.append(
            Owner(
                name=name,
                providers_connected=sum(p.connected for p in own),
                providers_known=len(own),
                tasks=sum(p.tasks for p in own),
                agreed=sum(p.agreed for p in own),
                dissented=sum(p.dissented for p in own),
                strikes=sum(p.strikes for p in own),
                posted_mpt=balance.posted_mpt,
                pending_mpt=balance.pending_mpt,
                energy=books.energy.owners.get(name),
            )
        )
    return tuple(made)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _time(at_s: float | None) -> float | None:
    # Jobs of which only the order is known have negative times.
    return at_s if at_s is not None and at_s > 0 else None


def _clean_or_none(text: str | None) -> str | None:
    return None if text is None else clean(text, _CHARS_MAX)
