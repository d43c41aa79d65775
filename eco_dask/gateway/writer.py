"""The gateway's way into the books: one thread, many records per transaction.

    record(entries, receipts, then) ──queue──► Ledger.apply ──durable──► then() on the event loop

Results are delivered only after the pay for them is in the books (group commit), so a gateway that
is killed never delivered what it did not pay. A database that is busy or full is waited for, with
a log line; nothing is dropped.

A transaction costs as much as twenty records in it, and this thread takes turns with the event
loop. So records that nobody waits for, such as holds, come along with the next that somebody does,
and the books get half of the time at most: under load batches grow instead.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError

from eco_dask.ledger.book import Entry
from eco_dask.ledger.receipts import Receipt
from eco_dask.ledger.store import Ledger

if TYPE_CHECKING:
    from tornado.ioloop import IOLoop

logger = logging.getLogger(__name__)

#: Records per transaction: enough to share the cost of a commit, few enough for a low latency.
RECORDS_PER_COMMIT_MAX = 512
#: How long a record that nobody waits for may wait for company.
COMPANY_S_MAX = 0.1
#: Longest pause between two transactions; keeps the latency of a slow database within bounds.
PAUSE_S_MAX = 0.01
_RETRY_S_FIRST, _RETRY_S_MAX = 0.2, 10.0


@dataclass(frozen=True, slots=True)
class _Job:
    entries: Sequence[Entry]
    receipts: Sequence[Receipt]
    #: Called on the event loop once everything before it is durable.
    then: Callable[[], None] | None
    #: Another write to the same database, such as a strike; in this thread, in order.
    write: Callable[[], object] | None = None

    @property
    def is_urgent(self) -> bool:
        """True if something waits for it to be durable."""
        return self.then is not None or self.write is not None


class BookWriter:
    """Writes to the ledger in a thread of its own."""

    def __init__(self, ledger: Ledger, loop: IOLoop) -> None:
        self.ledger = ledger
        self._loop = loop
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="eco-books", daemon=True)
        self._thread.start()

    def record(
        self,
        entries: Sequence[Entry] = (),
        receipts: Sequence[Receipt] = (),
        then: Callable[[], None] | None = None,
    ) -> None:
        """Queue entries and receipts; ``then`` is called once they are durable."""
        self._jobs.put(_Job(entries, receipts, then))

    def write(self, write: Callable[[], object]) -> None:
        """Queue another write to the same database."""
        self._jobs.put(_Job((), (), None, write))

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what is queued, then stop."""
        self._jobs.put(None)
        self._thread.join(timeout_s)
        self._stopping.set()
        if self._thread.is_alive():
            logger.error("The books could not be written within %.0f s of closing", timeout_s)

    def _run(self) -> None:
        pause_s, closing = 0.0, False
        while not closing:
            batch, closing = self._next_batch(time.monotonic() + pause_s)
            started_s = time.monotonic()
            if batch:
                self._commit(batch)
            pause_s = min(time.monotonic() - started_s, PAUSE_S_MAX)

    def _next_batch(self, not_before_s: float) -> tuple[list[_Job], bool]:
        """Wait for jobs; also say whether they are the last ones."""
        first = self._jobs.get()
        if first is None:
            return [], True
        batch, urgent = [first], first.is_urgent
        company_until_s = time.monotonic() + COMPANY_S_MAX
        while len(batch) < RECORDS_PER_COMMIT_MAX:
            until_s = not_before_s if urgent else max(company_until_s, not_before_s)
            wait_s = until_s - time.monotonic()
            try:
                job = self._jobs.get(timeout=wait_s) if wait_s > 0 else self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
            urgent = urgent or job.is_urgent
        return batch, False

    def _commit(self, batch: list[_Job]) -> None:
        entries = [entry for job in batch for entry in job.entries]
        receipts = [receipt for job in batch for receipt in job.receipts]
        if entries or receipts:
            self._insist(lambda: self.ledger.apply(entries, receipts))
        for job in batch:
            if job.write is not None:
                self._insist(job.write)
        thens = [job.then for job in batch if job.then is not None]
        if thens:
            self._loop.add_callback(_call_all, thens)

    def _insist(self, write: Callable[[], object]) -> None:
        retry_s = _RETRY_S_FIRST
        while not self._stopping.is_set():
            try:
                write()
            except OperationalError as error:
                # The traceback says no more than the reason, and this may repeat for hours.
                logger.warning("The books cannot be written, trying again: %s", error.orig)
                self._stopping.wait(retry_s)
                retry_s = min(retry_s * 2, _RETRY_S_MAX)
            except Exception:
                # A fault of this program. Without this thread nothing would ever be delivered: say
                # what broke, and lose no other record.
                logger.exception("The books refused a batch; its points need an operator's look")
                return
            else:
                return


def _call_all(thens: list[Callable[[], None]]) -> None:
    for then in thens:
        then()
