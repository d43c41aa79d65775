"""Sums over all receipts, kept up to date by reading only those that are new.

::

    receipts since the last look ──advance──► by provider, kind, reason and job

A screen that asks every second must not add up a growing history each time.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, and_, case, exists, func, literal, select

from eco_dask.ledger.receipts import (
    ACCEPTED_REASONS,
    AGREEING_REASONS,
    FAULT_REASONS,
    ReceiptReason,
)
from eco_dask.ledger.tables import receipts
from eco_dask.ledger.totals import CHECK_KIND
from eco_dask.types import JobId, OwnerId, ProviderId, TaskKind

#: Jobs whose sums are kept; those of others are added up when asked for.
JOBS_KEPT: Final = 500


@dataclass(slots=True)
class Sums:
    """What receipts add up to."""

    attempts: int = 0
    #: Tasks with an accepted answer.
    accepted: int = 0
    agreed: int = 0
    dissented: int = 0
    amount_mpt: int = 0
    #: Attempts that said how long they took, and their processor time in seconds.
    answered: int = 0
    cpu_s: float = 0.0
    #: Reference-core-seconds that were paid.
    work_units: float = 0.0
    #: Of accepted tasks, each counted once; processor seconds where the size is unknown.
    units_once: float = 0.0
    by_reason: Counter[str] = field(default_factory=Counter)
    #: Wrong answers by owner, provider and reason; of jobs only.
    faults: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add(self, row: Any) -> None:
        """Add receipts that share a reason."""
        self.attempts += row.attempts
        self.accepted += row.accepted
        self.agreed += row.attempts if row.reason in AGREEING_REASONS else 0
        self.dissented += row.attempts if row.reason == ReceiptReason.DISSENTED else 0
        self.amount_mpt += int(row.amount_mpt)
        self.answered += row.answered
        self.cpu_s += row.cpu_s or 0.0
        self.work_units += row.work_units or 0.0
        self.units_once += row.units_once or 0.0
        self.by_reason[str(row.reason)] += row.attempts


class ReceiptSums:
    """The sums of one database; not for several threads at a time."""

    def __init__(self) -> None:
        self._seq = 0
        self.total = Sums()
        self.providers: dict[tuple[ProviderId, OwnerId], Sums] = {}
        self.kinds: dict[TaskKind, Sums] = {}
        self._jobs: OrderedDict[JobId, Sums] = OrderedDict()

    def advance(self, connection: Connection) -> None:
        """Take in the receipts that came since the last call."""
        c = receipts.c
        top = connection.execute(select(func.max(c.seq))).scalar() or 0
        if top <= self._seq:
            return
        # The first look goes through all of history, whose jobs are added up when asked for.
        job = c.job if self._jobs else literal("").label("job")
        names = (job, c.kind, c.provider, c.owner, c.reason)
        new = and_(c.seq > self._seq, c.seq <= top)
        groups = (c.kind, c.provider, c.owner, c.reason, *((c.job,) if self._jobs else ()))
        for row in connection.execute(select(*names, *_SUMMED).where(new).group_by(*groups)):
            self._add(row)
        self._seq = top

    def jobs(self, connection: Connection, wanted: Iterable[JobId]) -> dict[JobId, Sums]:
        """Return the sums of some jobs, as of the last :meth:`advance`."""
        found = {}
        for job in wanted:
            if job not in self._jobs:
                self._jobs[job] = self._add_up(connection, job)
            self._jobs.move_to_end(job)
            found[job] = self._jobs[job]
        while len(self._jobs) > max(JOBS_KEPT, len(found)):
            self._jobs.popitem(last=False)
        return found

    def _add(self, row: Any) -> None:
        self.total.add(row)
        self.providers.setdefault((row.provider, row.owner), Sums()).add(row)
        if row.kind != CHECK_KIND:
            self.kinds.setdefault(row.kind, Sums()).add(row)
        if (job := self._jobs.get(row.job)) is not None:
            _add_to_job(job, row)

    def _add_up(self, connection: Connection, job: JobId) -> Sums:
        c = receipts.c
        names = (c.provider, c.owner, c.reason)
        of_job = select(*names, *_SUMMED).where(c.job == job, c.seq <= self._seq)
        sums = Sums()
        for row in connection.execute(of_job.group_by(*names)):
            _add_to_job(sums, row)
        return sums


def _add_to_job(sums: Sums, row: Any) -> None:
    sums.add(row)
    if row.reason in FAULT_REASONS:
        sums.faults[(row.owner, row.provider, str(row.reason))] += row.attempts


_earlier = receipts.alias("earlier")
#: Whether a receipt is the first of its task with the accepted answer.
_IS_FIRST: Final = and_(
    receipts.c.reason.in_(ACCEPTED_REASONS),
    receipts.c.kind != CHECK_KIND,
    ~exists(
        select(literal(1))
        .where(
            _earlier.c.ballot == receipts.c.ballot,
            _earlier.c.seq < receipts.c.seq,
            _earlier.c.reason.in_(ACCEPTED_REASONS),
        )
        .correlate(receipts)
    ),
)
_SUMMED: Final = (
    func.count().label("attempts"),
    func.count(case((_IS_FIRST, 1))).label("accepted"),
    func.sum(receipts.c.amount_mpt).label("amount_mpt"),
    func.count(receipts.c.cpu_s).label("answered"),
    func.sum(receipts.c.cpu_s).label("cpu_s"),
    func.sum(receipts.c.work_units).label("work_units"),
    func.sum(
        case((_IS_FIRST, func.coalesce(receipts.c.work_units, receipts.c.cpu_s)), else_=None)
    ).label("units_once"),
)
