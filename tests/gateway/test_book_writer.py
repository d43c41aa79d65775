"""The writer of the books, against a real ledger and with the test as its event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eco_dask.gateway.writer import BookWriter
from eco_dask.ledger.book import Reserve, Resolve
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger
from eco_dask.types import Account, EntryId

RECRUITER, OWNER = Account("recruiter:r"), Account("owner:o")


class CountingLedger(Ledger):
    """A ledger that notes its transactions."""

    def __init__(self, engine: Any) -> None:
        super().__init__(engine)
        self.batches: list[list[EntryId]] = []
        self.written = threading.Semaphore(0)

    def apply(self, entries: Any, receipts: Any = ()) -> int:
        self.batches.append([entry.id for entry in entries])
        taken = super().apply(entries, receipts)
        self.written.release()
        return taken


class Loop:
    """Calls back at once, in the writer's thread."""

    def add_callback(self, callback: Callable[..., None], *args: Any) -> None:
        callback(*args)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[CountingLedger]:
    engine = open_database(f"sqlite:///{tmp_path / 'books.sqlite'}")
    yield CountingLedger(engine)
    engine.dispose()


@pytest.fixture
def writer(ledger: CountingLedger) -> Iterator[BookWriter]:
    writer = BookWriter(ledger, Loop())
    yield writer
    writer.close()


def hold(name: str) -> Reserve:
    return Reserve(EntryId(f"{name}:hold"), RECRUITER, OWNER, 10)


def end(name: str) -> Resolve:
    return Resolve(EntryId(f"{name}:end"), EntryId(f"{name}:hold"), "post", 10)


def test_then_is_called_once_its_entries_and_all_before_are_in_the_books(
    ledger: CountingLedger, writer: BookWriter
) -> None:
    seen: list[int] = []
    done = threading.Event()
    writer.record([hold("a")])
    writer.record([end("a")], then=lambda: seen.append(ledger.balance(OWNER).posted_mpt))
    writer.record(then=done.set)
    assert done.wait(10)
    assert seen == [10]


def test_records_that_nobody_waits_for_come_along_with_the_next_that_somebody_does(
    ledger: CountingLedger, writer: BookWriter
) -> None:
    done = threading.Event()
    for name in "abc":
        writer.record([hold(name)])
    writer.record([end("a")], then=done.set)
    assert done.wait(10)
    assert ledger.batches == [["a:hold", "b:hold", "c:hold", "a:end"]]


def test_a_record_that_nobody_waits_for_is_written_by_itself_in_the_end(
    ledger: CountingLedger, writer: BookWriter
) -> None:
    writer.record([hold("a")])
    assert ledger.written.acquire(timeout=10)
    assert ledger.balance(OWNER).pending_mpt == 10


def test_closing_writes_what_is_queued(ledger: CountingLedger, writer: BookWriter) -> None:
    for name in "abc":
        writer.record([hold(name)])
    writer.close()
    assert ledger.balance(OWNER).pending_mpt == 30


def test_a_refused_batch_costs_no_later_one(ledger: CountingLedger, writer: BookWriter) -> None:
    first, second = threading.Event(), threading.Event()
    writer.record([end("never held")], then=first.set)
    assert first.wait(10)
    writer.record([hold("a")], then=second.set)
    assert second.wait(10)
    assert ledger.balance(OWNER).pending_mpt == 10
