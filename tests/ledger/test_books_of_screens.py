"""What screens read of the books, on both databases: one instant, all jobs, nothing twice."""

from __future__ import annotations

import pytest

from eco_dask.dashboard.books import Books
from eco_dask.ledger.book import Reserve, Resolve
from eco_dask.ledger.database import open_database
from eco_dask.ledger.receipts import Receipt, ReceiptReason
from eco_dask.ledger.store import Ledger
from eco_dask.providers.registry import Registry


@pytest.fixture
def engine(url: str):
    engine = open_database(url)
    yield engine
    engine.dispose()


def pay(ledger: Ledger, number: int, job: str) -> None:
    receipt = Receipt(
        f"l{number}", f"b{number // 2}", job, "sum", "p", "ada", ReceiptReason.AGREED, 1.0, 1.0,
        0.5, 7, 100.0 + number, b"",
    )  # fmt: skip
    hold = Reserve(f"e{number}", "recruiter:eve", "owner:ada", 10)
    ledger.apply([hold, Resolve(f"e{number}:end", hold.id, "post", 7)], [receipt])


def test_sums_balances_and_jobs_are_of_one_instant(engine) -> None:
    ledger, books = Ledger(engine), Books(engine, Registry(engine))
    for number in range(6):
        pay(ledger, number, f"j{number // 3}")
        books.read([], 10, 1000.0)
        assert books.sums.total.amount_mpt == books.balances["owner:ada"].posted_mpt
        assert books.sums.total.amount_mpt == 7 * (number + 1)
    assert books.sums.total.accepted == 3
    found, energy = books.some(["j0", "nobody"])
    assert (found["j0"].sums.attempts, found["nobody"].sums.attempts) == (3, 0)
    assert energy["j0"].reserved_uj is None


def test_jobs_of_older_books_are_adopted_in_their_order(engine) -> None:
    ledger = Ledger(engine)
    for number in range(6):
        pay(ledger, number, f"j{number // 3}")
    books = Books(engine, Registry(engine))
    books.read([], 10, 1000.0)
    assert list(books.jobs) == ["j1", "j0"]
    books.save({"new": {"name": "new", "state": "running", "started_at_s": 500.0}})
    books.read(["fresh"], 2, 1000.0)
    assert list(books.jobs) == ["fresh", "new", "j1"]
    assert books.names(10, None) == ["new", "j1", "j0"]
    assert books.names(1, "new") == ["j1"]
    with pytest.raises(ValueError, match="no job 'odd'"):
        books.names(1, "odd")
    later = Books(engine, Registry(engine))
    later.read([], 10, 2000.0)
    assert later.jobs["new"].record["state"] == "failed"
