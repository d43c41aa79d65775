"""What the scheduler saw of jobs, kept in the books' database so that it outlives the scheduler.

progress ──records──► save ──► job_records ──► load, latest ──► lists of jobs
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, tuple_

from eco_dask.ledger.tables import job_records
from eco_dask.types import JobId

_LOOKUP_SIZE: Final = 500


def save_jobs(connection: Connection, records: Mapping[JobId, Mapping[str, Any]]) -> None:
    """Write records, in place of earlier ones of the same jobs.

    Parameters
    ----------
    connection : Connection
        In a transaction of :func:`~eco_dask.ledger.database.writing`.
    records : mapping
        Plain values by job; ``started_at_s`` is one of them.
    """
    names = list(records)
    for start in range(0, len(names), _LOOKUP_SIZE):
        chunk = names[start : start + _LOOKUP_SIZE]
        connection.execute(delete(job_records).where(job_records.c.job.in_(chunk)))
        rows = [
            {"job": job, "record": dict(records[job]), "started_at_s": records[job]["started_at_s"]}
            for job in chunk
        ]
        connection.execute(insert(job_records), rows)


def load_jobs(connection: Connection, jobs: Iterable[JobId]) -> dict[JobId, dict[str, Any]]:
    """Load records; jobs without one are left out."""
    wanted = tuple(jobs)
    query = select(job_records.c.job, job_records.c.record).where(job_records.c.job.in_(wanted))
    return {row.job: row.record for row in connection.execute(query)}


def latest_jobs(
    connection: Connection, limit: int, after: JobId | None = None
) -> dict[JobId, dict[str, Any]]:
    """Load the records of the jobs that started last, the latest first.

    Parameters
    ----------
    after : JobId, optional
        The last job of the page before.

    Raises
    ------
    ValueError
        There is no job ``after``.
    """
    c = job_records.c
    query = select(c.job, c.record).order_by(c.started_at_s.desc(), c.job.desc()).limit(limit)
    if after is not None:
        started_at_s = connection.execute(
            select(c.started_at_s).where(c.job == after)
        ).scalar_one_or_none()
        if started_at_s is None:
            raise ValueError(f"there is no job {after!r}; start again at the first page")
        query = query.where(tuple_(c.started_at_s, c.job) < tuple_(started_at_s, after))
    return {row.job: row.record for row in connection.execute(query)}
