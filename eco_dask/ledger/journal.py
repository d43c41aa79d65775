"""Entries, balances and receipts, read and written inside a transaction that others opened.

entries --> recall what they refer to --> Book decides --> insert entries, move balances
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, replace
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    exists,
    insert,
    select,
    update,
)

from eco_dask.ledger.book import Balance, Book, Entry, Reserve, Resolve
from eco_dask.ledger.receipts import Receipt, ReceiptReason, unseen
from eco_dask.ledger.tables import balances, entries_reserve, entries_resolve, receipts
from eco_dask.types import Account, LeaseId

#: Names looked up in one statement; databases bound the number of its parameters.
_LOOKUP_SIZE: Final = 500
#: Above every character of a name: prefix + this is above all names that start with the prefix.
_LAST_CHARACTER: Final = "\U0010ffff"

_BALANCE_COLUMNS: Final = ("posted_mpt", "reserved_mpt", "pending_mpt")
_FIELDS: Final[Mapping[type, tuple[str, ...]]] = {
    kind: tuple(field.name for field in fields(kind)) for kind in (Reserve, Resolve, Receipt)
}
_MOVE: Final = (
    update(balances)
    .where(balances.c.account == bindparam("name"))
    .values({name: balances.c[name] + bindparam(f"{name}_change") for name in _BALANCE_COLUMNS})
)


def take_entries(connection: Connection, entries: Sequence[Entry]) -> int:
    """Let the book decide about entries, write those that are new, and say how many they are.

    The connection must be in a transaction of :func:`~eco_dask.ledger.database.writing`: what was
    recalled must not change before the outcome is written, and a refusal must roll back.
    """
    book = Book(_recall(connection, entries))
    before = book.balances()
    new = [entry for entry in entries if book.apply(entry)]
    # Reserves first, as the resolutions refer to them.
    for table, kind in ((entries_reserve, Reserve), (entries_resolve, Resolve)):
        _insert(connection, table, [_as_values(entry) for entry in new if isinstance(entry, kind)])
    _move_balances(connection, before, book.balances())
    return len(new)


def take_receipts(connection: Connection, offered: Sequence[Receipt]) -> None:
    """Write the receipts that are new; the connection as for :func:`take_entries`."""
    leases = {receipt.lease for receipt in offered}
    rows = _lookup(connection, receipts, receipts.c.lease, leases)
    known = {row.lease: _as_receipt(row) for row in rows}
    _insert(connection, receipts, [_as_values(receipt) for receipt in unseen(known, offered)])


def load_balances(connection: Connection, accounts: Iterable[Account]) -> dict[Account, Balance]:
    """Load the balances of accounts; those that no entry ever named are left out."""
    rows = _lookup(connection, balances, balances.c.account, set(accounts))
    return {row.account: _as_balance(row) for row in rows}


def find_balances(connection: Connection, prefix: str) -> dict[Account, Balance]:
    """Load the balances of all accounts whose name starts with ``prefix``, in their order."""
    query = select(balances).where(_starts_with(balances.c.account, prefix))
    rows = connection.execute(query.order_by(balances.c.account))
    return {row.account: _as_balance(row) for row in rows}


def open_reserves(connection: Connection, prefix: str) -> list[Reserve]:
    """Load the reserves that nothing has resolved and whose id starts with ``prefix``."""
    resolved = exists().where(entries_resolve.c.reserve == entries_reserve.c.id)
    query = select(entries_reserve).where(_starts_with(entries_reserve.c.id, prefix), ~resolved)
    rows = connection.execute(query.order_by(entries_reserve.c.id))
    return [_as_reserve(row) for row in rows]


def find_receipts(
    connection: Connection,
    conditions: Sequence[ColumnElement[bool]],
    after: LeaseId | None,
    limit: int,
) -> list[Receipt]:
    """Load a page of the receipts that meet all conditions, the latest first.

    Raises
    ------
    ValueError
        No receipt has the lease ``after``.
    """
    query = select(receipts).where(*conditions).order_by(receipts.c.seq.desc()).limit(limit)
    if after is not None:
        seq_query = select(receipts.c.seq).where(receipts.c.lease == after)
        seq = connection.execute(seq_query).scalar_one_or_none()
        if seq is None:
            raise ValueError(f"no receipt has the lease {after!r}; start again at the first page")
        query = query.where(receipts.c.seq < seq)
    return [_as_receipt(row) for row in connection.execute(query)]


def _recall(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """Load what decides about entries: their namesakes, and all about the reserves involved."""
    ids = {entry.id for entry in entries}
    resolved = {entry.reserve for entry in entries if isinstance(entry, Resolve)}
    table = entries_resolve
    resolves = {
        row.id: _as_resolve(row)
        for column, wanted in ((table.c.id, ids), (table.c.reserve, resolved))
        for row in _lookup(connection, table, column, wanted)
    }
    wanted = ids | resolved | {resolve.reserve for resolve in resolves.values()}
    reserves = _lookup(connection, entries_reserve, entries_reserve.c.id, wanted)
    return [*map(_as_reserve, reserves), *resolves.values()]


def _move_balances(
    connection: Connection,
    before: Mapping[Account, Balance],
    after: Mapping[Account, Balance],
) -> None:
    """Add to the stored balances what changed from ``before`` to ``after``."""
    moved = [account for account in after if after[account] != before.get(account)]
    stored = load_balances(connection, moved)
    _insert(connection, balances, [{"account": name} for name in moved if name not in stored])
    changes = [
        {"name": account, **_change(before.get(account, Balance()), after[account])}
        for account in moved
    ]
    if changes:
        connection.execute(_MOVE, changes)


def _change(before: Balance, after: Balance) -> dict[str, int]:
    return {
        f"{name}_change": getattr(after, name) - getattr(before, name) for name in _BALANCE_COLUMNS
    }


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _lookup(
    connection: Connection, table: Table, column: Column[Any], names: AbstractSet[str]
) -> Iterator[Row[Any]]:
    ordered = sorted(names)
    for start in range(0, len(ordered), _LOOKUP_SIZE):
        names_now = {"names": ordered[start : start + _LOOKUP_SIZE]}
        yield from connection.execute(_lookup_query(table, column), names_now)


@cache
def _lookup_query(table: Table, column: Column[Any]) -> Select[Any]:
    # Building a statement and its cache key costs as much as running it on a few rows.
    return select(table).where(column.in_(bindparam("names", expanding=True)))


def _starts_with(column: Column[Any], prefix: str) -> ColumnElement[bool]:
    # Not LIKE: it ignores case on SQLite, and cannot use the index there.
    return and_(column >= prefix, column < prefix + _LAST_CHARACTER)


def _as_values(fact: Entry | Receipt) -> dict[str, Any]:
    # Unlike asdict this copies nothing: all fields are plain values.
    return {name: getattr(fact, name) for name in _FIELDS[type(fact)]}


def _as_balance(row: Row[Any]) -> Balance:
    return Balance(row.posted_mpt, row.reserved_mpt, row.pending_mpt)


def _as_reserve(row: Row[Any]) -> Reserve:
    return Reserve(row.id, row.payer, row.payee, row.amount_mpt)


def _as_resolve(row: Row[Any]) -> Resolve:
    return Resolve(row.id, row.reserve, row.outcome, row.amount_mpt)


def _as_receipt(row: Row[Any]) -> Receipt:
    # The columns after seq have the order of the fields.
    receipt = Receipt(*tuple(row)[1:])
    return replace(receipt, reason=ReceiptReason(receipt.reason))
