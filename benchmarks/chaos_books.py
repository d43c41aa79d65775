"""Whether books balance: what is stored against what follows from the entries, to the millipoint.

entries, balances, receipts ──check_books──► by how much they disagree, and in words why
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from eco_dask.gateway.gateway import recover
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger
from eco_dask.ledger.tables import balances, entries_reserve, entries_resolve, receipts


@dataclass
class Books:
    """What was found."""

    off_mpt: int = 0
    paid_twice: int = 0
    paid_mpt: int = 0
    complaints: list[str] = field(default_factory=list)

    def complain(self, text: str, off_mpt: int) -> None:
        """Note a disagreement."""
        self.off_mpt += abs(off_mpt)
        if off_mpt:
            self.complaints.append(f"{text}: off by {off_mpt} mpt")


def settle(url: str) -> int:
    """Give back what a killed gateway left on hold, as its next start does; say how many."""
    database = open_database(url)
    try:
        return recover(Ledger(database), "gateway")
    finally:
        database.dispose()


def check_books(url: str) -> Books:
    """Add up everything anew, by other means than the ledger's own."""
    books, database = Books(), open_database(url)
    with database.connect() as connection:
        posted, reserved = _from_entries(connection)
        stored = {row.account: row for row in connection.execute(select(balances))}
        for account in {*posted, *stored}:
            row = stored.get(account)
            books.complain(
                f"balance of {account}", (row.posted_mpt if row else 0) - posted[account]
            )
            on_hold = (row.reserved_mpt + row.pending_mpt) if row else 0
            books.complain(f"on hold of {account} after the end", on_hold)
        books.complain("open holds", reserved)
        books.complain("sum of all accounts", sum(posted.values()))
        earned = _check_receipts(connection, books)
        for owner, amount_mpt in earned.items():
            books.complain(f"receipts of {owner}", posted[f"owner:{owner}"] - amount_mpt)
    database.dispose()
    return books


def _from_entries(connection: Connection) -> tuple[Counter[str], int]:
    """Return what each account has by the entries alone, and what is still on hold."""
    reserves = {row.id: row for row in connection.execute(select(entries_reserve))}
    posted: Counter[str] = Counter()
    for row in connection.execute(select(entries_resolve)):
        reserve = reserves.pop(row.reserve)
        if row.outcome == "post":
            posted[reserve.payer] -= row.amount_mpt
            posted[reserve.payee] += row.amount_mpt
    return posted, sum(row.amount_mpt for row in reserves.values())


def _check_receipts(connection: Connection, books: Books) -> Counter[str]:
    """Add up the receipts by owner, and count the answers that were paid again."""
    earned: Counter[str] = Counter()
    paid: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row in connection.execute(select(receipts)):
        earned[row.owner] += row.amount_mpt
        paid[row.ballot, row.owner] += row.amount_mpt > 0
    books.paid_mpt = sum(earned.values())
    twice = [key for key, times in paid.items() if times > 1]
    books.paid_twice = len(twice)
    books.complaints += [f"ballot {ballot} paid to {owner} again" for ballot, owner in twice[:5]]
    return earned
