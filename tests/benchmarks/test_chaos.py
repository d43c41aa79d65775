"""The books are added up by other means than the ledger's, and a short chaos leaves them whole."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from sqlalchemy import update

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from chaos import Sizes, run
from chaos_books import check_books

from eco_dask.ledger.book import Reserve, Resolve
from eco_dask.ledger.database import open_database
from eco_dask.ledger.receipts import Receipt, ReceiptReason
from eco_dask.ledger.store import Ledger
from eco_dask.ledger.tables import balances
from eco_dask.types import (
    Account,
    BallotId,
    EntryId,
    JobId,
    LeaseId,
    OwnerId,
    ProviderId,
    TaskKind,
)


def receipt(lease: str, amount_mpt: int) -> Receipt:
    return Receipt(
        LeaseId(lease), BallotId("b"), JobId("j"), TaskKind("sum"), ProviderId("p"),
        OwnerId("ann"), ReceiptReason.AGREED, 0.1, 0.1, None, amount_mpt, 1.0, b"",
    )  # fmt: skip


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Books in which one answer of ann's was paid."""
    url = f"sqlite:///{tmp_path / 'books.sqlite'}"
    database = open_database(url)
    payer, payee = Account("recruiter:r"), Account("owner:ann")
    Ledger(database).apply(
        [
            Reserve(EntryId("a"), payer, payee, 10),
            Resolve(EntryId("a:post"), EntryId("a"), "post", 7),
        ],
        [receipt("lease-1", 7)],
    )
    database.dispose()
    return url


def test_books_that_balance(url: str) -> None:
    books = check_books(url)
    assert (books.off_mpt, books.paid_twice, books.paid_mpt) == (0, 0, 7)
    assert not books.complaints


def test_a_balance_that_follows_from_no_entry_is_found(url: str) -> None:
    database = open_database(url)
    with database.begin() as connection:
        row = balances.c
        connection.execute(
            update(balances).where(row.account == "owner:ann").values(posted_mpt=row.posted_mpt + 1)
        )
    database.dispose()
    assert check_books(url).off_mpt == 1


def test_an_answer_that_was_paid_again_is_found(url: str) -> None:
    database = open_database(url)
    Ledger(database).apply([], [receipt("lease-2", 5)])
    database.dispose()
    books = check_books(url)
    assert books.paid_twice == 1
    # Its receipt follows from no entry.
    assert books.off_mpt == 5


def test_what_is_still_on_hold_is_found(url: str) -> None:
    database = open_database(url)
    Ledger(database).apply([Reserve(EntryId("b"), Account("recruiter:r"), Account("owner:ann"), 3)])
    database.dispose()
    assert check_books(url).off_mpt == 3 * 3  # the hold, and what either account awaits


@pytest.mark.e2e
@pytest.mark.skipif(sys.platform != "linux", reason="stops processes by signals")
def test_a_short_chaos_leaves_everything_whole(tmp_path: Path) -> None:
    # Gateways that are killed soon after they started are started ever more slowly.
    sizes = Sizes(4, 0, 6.0, 1.0, 1000.0, 1000.0)
    found = run(sizes, tmp_path / "network", lines=False, seed=2)
    flaws = ("wrong_results", "orphans", "books_off_mpt", "paid_twice")
    assert {flaw: found[flaw] for flaw in flaws} == dict.fromkeys(flaws, 0)
    assert found["kills"] > 0
    assert found["paid_mpt"] > 0
