"""The ledger in a database: the rules of the book, kept over restarts and shared by processes.

entries, receipts --apply--> all in, or none     then balances, receipts and totals to read
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Engine, func, select

from eco_dask.energy.accounts import JobEnergy, Purpose
from eco_dask.energy.figures import EnergyFigures
from eco_dask.energy.reading import Unavailable
from eco_dask.ledger import energy_totals, journal, tables, totals
from eco_dask.ledger.book import Balance, Entry, Reserve, Resolve
from eco_dask.ledger.database import writing
from eco_dask.ledger.energy_entries import EnergyEntry, energy_of, take_energy
from eco_dask.ledger.energy_totals import EnergyTotals, Group, JobWork, Work
from eco_dask.ledger.receipts import Receipt
from eco_dask.ledger.totals import Fault, JobTotals, ProviderTotals
from eco_dask.types import Account, EntryId, JobId, LeaseId, OwnerId, ProviderId


class Ledger:
    """Entries, balances and receipts in a database.

    Safe to use from many threads, and from many processes on the same database.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`~eco_dask.ledger.database.open_database`; whoever opened it disposes of it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def apply(self, entries: Sequence[Entry], receipts: Sequence[Receipt] = ()) -> int:
        """Take in entries, in their order, and receipts: all of them or, on a refusal, none.

        What was taken in before changes nothing, so a batch may be repeated until it succeeds.

        Returns
        -------
        int
            How many of the entries were new.

        Raises
        ------
        ConflictingEntryError
            An entry's id, or a receipt's lease, is already taken with other content.
        UnknownReserveError, AlreadyResolvedError, OverdrawnReserveError
            As for :meth:`eco_dask.ledger.book.Book.apply`.
        sqlalchemy.exc.SQLAlchemyError
            The database failed; if it was lost while committing, the batch may be in or not:
            repeat it.
        """
        if not entries and not receipts:
            return 0
        with writing(self._engine) as connection:
            taken = journal.take_entries(connection, entries)
            journal.take_receipts(connection, receipts)
        return taken

    def balance(self, account: Account) -> Balance:
        """Give what one account has, owes and awaits; zeros if no entry ever named it."""
        with self._engine.connect() as connection:
            return journal.load_balances(connection, [account]).get(account, Balance())

    def balances(self, prefix: str = "") -> dict[Account, Balance]:
        """Give the balances of all accounts whose name starts with ``prefix``, in their order."""
        with self._engine.connect() as connection:
            return journal.find_balances(connection, prefix)

    def total_mpt(self) -> int:
        """Sum the posted points of all accounts, in millipoints: zero unless the books are bad."""
        with self._engine.connect() as connection:
            query = select(func.coalesce(func.sum(tables.balances.c.posted_mpt), 0))
            return int(connection.execute(query).scalar_one())

    def receipts(
        self,
        *,
        owner: OwnerId | None = None,
        provider: ProviderId | None = None,
        job: JobId | None = None,
        after: LeaseId | None = None,
        limit: int = 100,
    ) -> list[Receipt]:
        """Give a page of the receipts that fit all filters, the latest first.

        Parameters
        ----------
        after : LeaseId, optional
            The lease of the last receipt of the page before; new receipts do not shift pages.
        limit : int
            Most receipts on the page.

        Raises
        ------
        ValueError
            No receipt has the lease ``after``, or ``limit`` is not positive.
        """
        _require_positive(limit)
        columns = tables.receipts.c
        filters = {columns.owner: owner, columns.provider: provider, columns.job: job}
        conditions = [column == wanted for column, wanted in filters.items() if wanted is not None]
        with self._engine.connect() as connection:
            return journal.find_receipts(connection, conditions, after, limit)

    def provider_totals(self) -> list[ProviderTotals]:
        """Sum up the receipts of every provider, ordered by provider."""
        with self._engine.connect() as connection:
            return totals.provider_totals(connection)

    def job_totals(self, job: JobId) -> JobTotals:
        """Sum up the receipts of one job; zeros if it has none."""
        with self._engine.connect() as connection:
            return totals.job_totals(connection, [job])[0]

    def job_faults(self, job: JobId) -> list[Fault]:
        """Count, by provider and reason, a job's attempts that were wrong or not served."""
        with self._engine.connect() as connection:
            return totals.job_faults(connection, job)

    def jobs(self, limit: int = 100) -> list[JobTotals]:
        """Sum up the jobs that got a receipt last, the latest first.

        Raises
        ------
        ValueError
            ``limit`` is not positive.
        """
        _require_positive(limit)
        with self._engine.connect() as connection:
            return totals.job_totals(connection, totals.latest_jobs(connection, limit))

    def take_energy(self, entries: Sequence[EnergyEntry]) -> None:
        """Take in what runs and coordinators' own work took; offering it again changes nothing."""
        if entries:
            with writing(self._engine) as connection:
                take_energy(connection, entries)

    def energy_of(self, leases: Iterable[LeaseId]) -> dict[LeaseId, EnergyFigures | Unavailable]:
        """Give the energy of runs by lease; those that nothing was reported of are left out."""
        with self._engine.connect() as connection:
            return energy_of(connection, leases)

    def job_energy(self, jobs: Sequence[JobId]) -> dict[JobId, JobEnergy]:
        """Give what jobs took, by what it was for; see :mod:`eco_dask.ledger.energy_totals`."""
        with self._engine.connect() as connection:
            return energy_totals.job_energy(connection, jobs)

    def job_work(self, job: JobId) -> JobWork:
        """Sum up the size of a job's accepted tasks."""
        with self._engine.connect() as connection:
            return energy_totals.job_work(connection, job)

    def energy_by_purpose(self) -> dict[Purpose, int]:
        """Give what all jobs took, by what it was for, in microjoules."""
        with self._engine.connect() as connection:
            return energy_totals.energy_by_purpose(connection)

    def energy_totals(self, by: Group, since_s: float | None = None) -> dict[str, EnergyTotals]:
        """Sum up energy by provider or owner, or of all; since a Unix time in seconds."""
        with self._engine.connect() as connection:
            return energy_totals.energy_totals(connection, by, since_s)

    def work_done(self, by: Group, since_s: float | None = None) -> dict[str, Work]:
        """Sum up what was done and paid, for setting energy against it."""
        with self._engine.connect() as connection:
            return energy_totals.work_done(connection, by, since_s)

    def open_reserves(self, prefix: str) -> list[Reserve]:
        """Give the reserves that nothing has resolved and whose id starts with ``prefix``."""
        with self._engine.connect() as connection:
            return journal.open_reserves(connection, prefix)

    def void_open(self, prefix: str, id_suffix: str = "restart") -> int:
        """Void every open reserve whose id starts with ``prefix``; say how many there were.

        For a gateway that starts again: nobody will resolve what its previous life left open.
        The new entries are named after the reserve: ``"<id>:<id_suffix>"``.

        Raises
        ------
        ConflictingEntryError
            Such a name is taken by another entry; nothing was voided.
        """
        with writing(self._engine) as connection:
            voids = [
                Resolve(EntryId(f"{reserve.id}:{id_suffix}"), reserve.id, "void", 0)
                for reserve in journal.open_reserves(connection, prefix)
            ]
            return journal.take_entries(connection, voids)


def _require_positive(limit: int) -> None:
    if limit < 1:
        raise ValueError(f"limit must be at least 1; got {limit}")
