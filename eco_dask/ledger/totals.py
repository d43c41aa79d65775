"""Sums over receipts, made by the database.

receipts --per provider--> ProviderTotals
         --per job-------> JobTotals
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, case, distinct, func, select

from eco_dask.ledger.receipts import (
    ACCEPTED_REASONS,
    AGREEING_REASONS,
    FAULT_REASONS,
    ReceiptReason,
)
from eco_dask.ledger.tables import receipts
from eco_dask.types import JobId, OwnerId, ProviderId, TaskKind

#: Kind of the tasks in which trusted workers run recruiters' own checks: no results of a job.
CHECK_KIND: Final = TaskKind("eco-check")
#: Owner, provider, reason on the receipts, and how many of them.
Fault: TypeAlias = tuple[OwnerId, ProviderId, ReceiptReason, int]


@dataclass(frozen=True, slots=True)
class ProviderTotals:
    """What one provider did and earned for its owner."""

    provider: ProviderId
    owner: OwnerId
    #: Leases that ended, whatever came of them.
    tasks: int
    #: Answers that were the accepted one.
    agreed: int
    #: Answers that differed from the accepted one.
    dissented: int
    #: Points paid, in millipoints.
    posted_mpt: int


@dataclass(frozen=True, slots=True)
class JobTotals:
    """What one job took and cost."""

    job: JobId
    #: Leases that ended, whatever came of them.
    attempts: int
    #: Tasks that ended with an accepted answer.
    ballots_accepted: int
    #: Points paid, in millipoints.
    spent_mpt: int
    #: How many attempts ended for each reason; reasons that did not occur are left out.
    by_reason: Mapping[ReceiptReason, int]


def provider_totals(connection: Connection) -> list[ProviderTotals]:
    """Sum up the receipts of every provider, ordered by provider."""
    names = (receipts.c.provider, receipts.c.owner)
    query = select(
        *names,
        func.count().label("tasks"),
        _count_if(receipts.c.reason.in_(AGREEING_REASONS)).label("agreed"),
        _count_if(receipts.c.reason == ReceiptReason.DISSENTED).label("dissented"),
        func.sum(receipts.c.amount_mpt).label("posted_mpt"),
    )
    return [
        # PostgreSQL sums 64-bit integers to Decimal, so that the sum cannot overflow.
        ProviderTotals(
            row.provider, row.owner, row.tasks, row.agreed, row.dissented, int(row.posted_mpt)
        )
        for row in connection.execute(query.group_by(*names).order_by(*names))
    ]


def job_totals(connection: Connection, jobs: Sequence[JobId]) -> list[JobTotals]:
    """Sum up the receipts of some jobs, in the given order; a job without receipts has zeros."""
    wanted = receipts.c.job.in_(jobs)
    reason_query = select(
        receipts.c.job, receipts.c.reason, func.count(), func.sum(receipts.c.amount_mpt)
    )
    spent_mpt = dict.fromkeys(jobs, 0)
    by_reason: dict[JobId, dict[ReceiptReason, int]] = {job: {} for job in jobs}
    grouped = reason_query.where(wanted).group_by(receipts.c.job, receipts.c.reason)
    for job, reason, count, amount_mpt in connection.execute(grouped):
        by_reason[job][ReceiptReason(reason)] = count
        spent_mpt[job] += int(amount_mpt)
    ballot_query = select(receipts.c.job, func.count(distinct(receipts.c.ballot)))
    accepted = ballot_query.where(
        wanted, receipts.c.reason.in_(ACCEPTED_REASONS), receipts.c.kind != CHECK_KIND
    )
    counted = connection.execute(accepted.group_by(receipts.c.job))
    ballots: dict[JobId, int] = {row.job: row[1] for row in counted}
    return [
        JobTotals(
            job,
            attempts=sum(by_reason[job].values()),
            ballots_accepted=ballots.get(job, 0),
            spent_mpt=spent_mpt[job],
            by_reason=by_reason[job],
        )
        for job in jobs
    ]


def job_faults(connection: Connection, job: JobId) -> list[Fault]:
    """Count, by provider and reason, a job's attempts that were wrong or could not be served."""
    columns = (receipts.c.owner, receipts.c.provider, receipts.c.reason)
    query = (
        select(*columns, func.count())
        .where(receipts.c.job == job, receipts.c.reason.in_(FAULT_REASONS))
        .group_by(*columns)
        .order_by(*columns)
    )
    return [
        (OwnerId(owner), ProviderId(provider), ReceiptReason(reason), count)
        for owner, provider, reason, count in connection.execute(query)
    ]


def latest_jobs(connection: Connection, limit: int) -> list[JobId]:
    """Name the jobs that got a receipt last, the latest first."""
    latest = func.max(receipts.c.seq).desc()
    query = select(receipts.c.job).group_by(receipts.c.job).order_by(latest).limit(limit)
    return list(connection.execute(query).scalars())


def _count_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))
