"""What screens need of the books, read in one transaction.

database ──read──► Books(sums of receipts, balances, members, job records, energy)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Engine

from eco_dask.dashboard.energy import EnergyBooks
from eco_dask.dashboard.members import Members
from eco_dask.dashboard.model import Energy
from eco_dask.ledger import journal, totals
from eco_dask.ledger.book import Balance
from eco_dask.ledger.database import writing
from eco_dask.ledger.job_records import latest_jobs, load_jobs, save_jobs
from eco_dask.ledger.receipt_sums import ReceiptSums, Sums
from eco_dask.ledger.store import Ledger
from eco_dask.providers.registry import Registry
from eco_dask.types import Account, JobId

#: Jobs of earlier versions' books that get a record at the first start.
_ADOPTED: Final = 1000


@dataclass(slots=True)
class JobBooks:
    """What the books say of one job."""

    sums: Sums
    record: Mapping[str, Any] = field(default_factory=dict)


class Books:
    """The books as screens read them; not for several threads at a time."""

    def __init__(self, database: Engine, registry: Registry) -> None:
        self._database = database
        self._opened = False
        self.sums = ReceiptSums()
        self.members = Members(registry)
        self.energy = EnergyBooks(Ledger(database), database)
        self.balances: dict[Account, Balance] = {}
        self.owners: tuple[str, ...] = ()
        self._registry = registry
        #: The jobs asked for, in that order.
        self.jobs: dict[JobId, JobBooks] = {}

    def read(self, running: Sequence[JobId], latest: int, at_s: float) -> None:
        """Read all anew: the running jobs, and the ``latest`` that were started."""
        if not self._opened:
            self._adopt()
        self.members.read()
        self.owners = self._registry.owners()
        with self._reading() as connection:
            self.sums.advance(connection)
            records = latest_jobs(connection, latest)
            wanted = list(dict.fromkeys((*running, *records)))
            sums = self.sums.jobs(connection, wanted)
            self.jobs = {job: JobBooks(sums[job], records.get(job, {})) for job in wanted}
            self.balances = journal.find_balances(connection, "")
        attempts = {job: found.sums.attempts for job, found in self.jobs.items()}
        self.energy.refresh(attempts, self.sums.total.units_once, at_s)

    def some(self, jobs: Sequence[JobId]) -> tuple[dict[JobId, JobBooks], dict[JobId, Energy]]:
        """Read some jobs, whatever their age, and what they took."""
        with self._reading() as connection:
            self.sums.advance(connection)
            records = load_jobs(connection, jobs)
            sums = self.sums.jobs(connection, jobs)
        found = {job: JobBooks(sums[job], records.get(job, {})) for job in jobs}
        return found, self.energy.of_jobs(jobs)

    def names(self, limit: int, after: JobId | None) -> list[JobId]:
        """Name the jobs that started last, the latest first."""
        with self._reading() as connection:
            return list(latest_jobs(connection, limit, after))

    def save(self, records: Mapping[JobId, Mapping[str, Any]]) -> None:
        """Keep what the scheduler saw of jobs."""
        if records:
            with writing(self._database) as connection:
                save_jobs(connection, records)

    def _reading(self) -> Connection:
        connection = self._database.connect()
        if connection.dialect.name == "postgresql":
            # All sums of one screen are of one instant; SQLite's transactions are so anyway.
            return connection.execution_options(isolation_level="REPEATABLE READ")
        return connection

    def _adopt(self) -> None:
        """Note jobs that only the receipts know; end those that an earlier life left running."""
        # The writers' turn is not taken for the look through all receipts.
        with self._reading() as connection:
            booked = totals.latest_jobs(connection, _ADOPTED)
            known = load_jobs(connection, booked)
            latest = latest_jobs(connection, _ADOPTED)
        fresh: dict[JobId, dict[str, Any]] = {
            # Their order is all that is known of their time.
            job: {"name": job, "state": "done", "started_at_s": float(-number)}
            for number, job in enumerate(booked)
            if job not in known
        }
        left = {
            job: record | {"state": "failed"}
            for job, record in latest.items()
            if record["state"] == "running"
        }
        self.save(fresh | left)
        self._opened = True
