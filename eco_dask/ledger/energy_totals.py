"""Sums of energy by job, provider, owner and network, made by the database.

energy ⋈ receipts ──job_energy──────► JobEnergy(useful, verification, wasted, coordination)
                  ──energy_by_purpose► the same of all jobs together
                  ──energy_totals───► EnergyTotals by provider, by owner, or of all
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from sqlalchemy import Column, ColumnElement, Connection, and_, case, func, or_, select

from eco_dask.energy.accounts import JobEnergy, Purpose, Run, RunEnd, account
from eco_dask.energy.figures import EnergyFigures, total
from eco_dask.ledger.energy_entries import as_figures
from eco_dask.ledger.receipts import ACCEPTED_REASONS, FAULT_REASONS, ReceiptReason
from eco_dask.ledger.tables import energy, receipts
from eco_dask.ledger.totals import CHECK_KIND
from eco_dask.types import JobId

#: By what energy may be summed up.
Group = Literal["provider", "owner", "network"]

#: The one name of a sum over all.
NETWORK: Final = "network"
NOT_REPORTED: Final = "the provider has not reported the energy of the run, or not yet"
_SUMMED: Final = (
    "component_uj", "marginal_uj", "reserved_uj", "metered_uj",
    "carbon_low_ug", "carbon_central_ug", "carbon_high_ug", "gap_ms",
)  # fmt: skip
_NEEDLESS: Final = (ReceiptReason.RECALLED, ReceiptReason.CANCELLED)
#: Its runs differ in how well they are known, so their sums are made apart.
_CLASS: Final = (energy.c.tier, energy.c.sources, energy.c.grids, energy.c.warnings)


@dataclass(frozen=True, slots=True)
class EnergyTotals:
    """What one provider, one owner or the whole network used."""

    #: None if nothing of it was measured.
    figures: EnergyFigures | None = None
    #: Runs in ``figures``, and those of unknown energy, which are not.
    runs: int = 0
    unknown_runs: int = 0
    #: Why, with the number of runs.
    unknown_reasons: Mapping[str, int] | None = None
    #: Unix times of the first and last entry, seconds; None without any.
    first_at_s: float | None = None
    last_at_s: float | None = None

    @property
    def days(self) -> float:
        """From the first entry to the last."""
        if self.first_at_s is None or self.last_at_s is None:
            return 0.0
        return (self.last_at_s - self.first_at_s) / 86_400


@dataclass(frozen=True, slots=True)
class Work:
    """What was done, for setting energy against it."""

    #: Of all runs that answered, as reported, seconds.
    wall_s: float
    cpu_s: float
    #: Of paid runs, reference-core-seconds.
    work_units: float
    posted_mpt: int


@dataclass(frozen=True, slots=True)
class JobWork:
    """A job's accepted tasks, each counted once however often it ran."""

    #: Reference-core-seconds.
    units: float
    tasks: int
    #: Of these, tasks of unknown size, counted by the CPU time of the run instead.
    tasks_by_cpu: int


def job_energy(connection: Connection, jobs: Sequence[JobId]) -> dict[JobId, JobEnergy]:
    """Sort and sum up what jobs took.

    Of the runs that gave a task's accepted answer, the first with known energy is the useful one;
    the others are the price of not having to trust. A run without a receipt, as its task is not
    settled yet, counts as useful until it has one.
    """
    runs: dict[JobId, list[Run]] = {job: [] for job in jobs}
    for row in connection.execute(_runs_query(jobs)):
        runs[row.job].append(Run(RunEnd(row.end), as_figures(row)))
    unknown: dict[JobId, dict[str, int]] = {job: {} for job in jobs}
    for job, reason, count in connection.execute(_unknown_query(jobs)):
        unknown[job][reason] = count
    silent = select(receipts.c.job, func.count()).select_from(_receipts_and_energy())
    of_jobs = silent.where(receipts.c.job.in_(jobs), _is_silent()).group_by(receipts.c.job)
    for job, count in connection.execute(of_jobs):
        unknown[job][NOT_REPORTED] = count
    return {
        job: replace(
            account(runs[job]),
            unknown_runs=sum(unknown[job].values()),
            unknown_reasons=frozenset(unknown[job]),
        )
        for job in jobs
    }


def energy_by_purpose(connection: Connection) -> dict[Purpose, int]:
    """Sum up the reserved energy of all jobs by what it was for, in microjoules."""
    found: dict[Purpose, int] = {}
    for row in connection.execute(_runs_query()):
        purpose = RunEnd(row.end).purpose
        found[purpose] = found.get(purpose, 0) + int(row.reserved_uj)
    return found


def job_work(connection: Connection, job: JobId) -> JobWork:
    """Sum up the size of a job's accepted tasks."""
    wanted = and_(
        receipts.c.job == job,
        receipts.c.reason.in_(ACCEPTED_REASONS),
        receipts.c.kind != CHECK_KIND,
    )
    each = (
        select(
            func.max(receipts.c.work_units).label("units"), func.min(receipts.c.cpu_s).label("cpu")
        )
        .where(wanted)
        .group_by(receipts.c.ballot)
        .subquery()
    )
    query = select(
        func.sum(func.coalesce(each.c.units, each.c.cpu, 0.0)),
        func.count(),
        func.count(case((each.c.units.is_(None), 1))),
    ).select_from(each)
    units, tasks, tasks_by_cpu = connection.execute(query).one()
    return JobWork(float(units or 0.0), tasks, tasks_by_cpu)


def energy_totals(
    connection: Connection, by: Group, since_s: float | None = None
) -> dict[str, EnergyTotals]:
    """Sum up energy by provider or owner, or of all under the name :data:`NETWORK`.

    The coordinators' own work counts for the network, and for no provider and owner.
    """
    named = _name(energy.c, by)
    conditions = _since(energy.c.at_s, since_s)
    if by != "network":
        conditions.append(energy.c.purpose != "coordination")
    query = (
        select(
            *named,
            *_CLASS,
            *(func.sum(energy.c[it]).label(it) for it in _SUMMED),
            func.count().label("runs"),
            func.count(case((energy.c.purpose != "coordination", 1))).label("tasks"),
            func.min(energy.c.at_s).label("first_at_s"),
            func.max(energy.c.at_s).label("last_at_s"),
        )
        .where(energy.c.unknown.is_(None), *conditions)
        .group_by(*named, *_CLASS)
    )
    parts: dict[str, list[Any]] = {}
    for row in connection.execute(query):
        parts.setdefault(_name_of(row, by), []).append(row)
    unknown = _unknown_of(connection, by, since_s)
    return {
        name: _totals(parts.get(name, []), unknown.get(name, {}))
        for name in sorted(parts.keys() | unknown.keys())
    }


def work_done(connection: Connection, by: Group, since_s: float | None = None) -> dict[str, Work]:
    """Sum up what providers, owners or the network did and were paid in a period."""
    named = _name(receipts.c, by)
    conditions = _since(receipts.c.issued_at_s, since_s)
    query = (
        select(
            *named,
            func.count(),
            func.coalesce(func.sum(receipts.c.wall_s), 0.0).label("wall_s"),
            func.coalesce(func.sum(receipts.c.cpu_s), 0.0).label("cpu_s"),
            func.coalesce(func.sum(receipts.c.work_units), 0.0).label("work_units"),
            func.sum(receipts.c.amount_mpt).label("posted_mpt"),
        )
        .where(*conditions)
        .group_by(*named)
    )
    return {
        _name_of(row, by): Work(row.wall_s, row.cpu_s, row.work_units, int(row.posted_mpt or 0))
        for row in connection.execute(query)
    }


def _runs_query(jobs: Sequence[JobId] | None = None) -> Any:
    """Sums by job and end, of some jobs or all."""
    wanted = [energy.c.job.in_(jobs)] if jobs is not None else []
    with_receipt = energy.join(receipts, receipts.c.lease == energy.c.id)
    first = (
        select(receipts.c.ballot, func.min(receipts.c.seq).label("seq"))
        .select_from(with_receipt)
        .where(
            *wanted,
            energy.c.purpose == "vote",
            energy.c.unknown.is_(None),
            receipts.c.reason.in_(ACCEPTED_REASONS),
        )
        .group_by(receipts.c.ballot)
        .subquery()
    )
    end = _end(first.c.seq).label("end")
    source = energy.outerjoin(receipts, receipts.c.lease == energy.c.id).outerjoin(
        first, first.c.ballot == receipts.c.ballot
    )
    return (
        select(energy.c.job, end, *_CLASS, *(func.sum(energy.c[it]).label(it) for it in _SUMMED))
        .select_from(source)
        .where(*wanted, energy.c.unknown.is_(None))
        .group_by(energy.c.job, end, *_CLASS)
    )


def _end(first_seq: ColumnElement[Any]) -> ColumnElement[str]:
    """How a run ended, as :class:`RunEnd` names it."""
    reason = receipts.c.reason
    accepted = reason.in_(ACCEPTED_REASONS)
    return case(
        (energy.c.purpose == "coordination", RunEnd.COORDINATION.value),
        (energy.c.purpose != "vote", RunEnd.AUDIT.value),
        (or_(reason.is_(None), and_(accepted, receipts.c.seq == first_seq)), RunEnd.ACCEPTED.value),
        (accepted, RunEnd.AGREED.value),
        (reason.in_(FAULT_REASONS), RunEnd.DISSENTED.value),
        (reason.in_(_NEEDLESS), RunEnd.RECALLED.value),
        else_=RunEnd.FAILED.value,
    )


def _unknown_query(jobs: Sequence[JobId]) -> Any:
    counted = select(energy.c.job, energy.c.unknown, func.count())
    wanted = counted.where(energy.c.job.in_(jobs), energy.c.unknown.is_not(None))
    return wanted.group_by(energy.c.job, energy.c.unknown)


def _unknown_of(
    connection: Connection, by: Group, since_s: float | None
) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    named = _name(energy.c, by)
    told = select(*named, energy.c.unknown, func.count().label("runs")).where(
        energy.c.unknown.is_not(None), *_since(energy.c.at_s, since_s)
    )
    for row in connection.execute(told.group_by(*named, energy.c.unknown)):
        found.setdefault(_name_of(row, by), {})[row.unknown] = row.runs
    named = _name(receipts.c, by)
    silent = (
        select(*named, func.count().label("runs"))
        .select_from(_receipts_and_energy())
        .where(_is_silent(), *_since(receipts.c.issued_at_s, since_s))
    )
    for row in connection.execute(silent.group_by(*named)):
        if row.runs:
            found.setdefault(_name_of(row, by), {})[NOT_REPORTED] = row.runs
    return found


def _receipts_and_energy() -> Any:
    return receipts.outerjoin(energy, energy.c.id == receipts.c.lease)


def _is_silent() -> ColumnElement[bool]:
    """A run that answered, and of which no energy is in the books."""
    return and_(receipts.c.cpu_s.is_not(None), energy.c.id.is_(None))


def _since(at_s: Column[Any], since_s: float | None) -> list[ColumnElement[bool]]:
    return [] if since_s is None else [at_s >= since_s]


def _name(columns: Any, by: Group) -> list[Column[Any]]:
    return [] if by == "network" else [columns[by]]


def _name_of(row: Any, by: Group) -> str:
    return NETWORK if by == "network" else str(getattr(row, by))


def _totals(rows: Sequence[Any], unknown: Mapping[str, int]) -> EnergyTotals:
    return EnergyTotals(
        total(map(as_figures, rows)),
        sum(row.tasks for row in rows),
        sum(unknown.values()),
        dict(unknown),
        min((row.first_at_s for row in rows), default=None),
        max((row.last_at_s for row in rows), default=None),
    )
