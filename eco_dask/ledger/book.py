"""The points ledger as arithmetic: entries in, balances out.

Two-phase, like money: an unverified result *reserves* points, the verdict *posts* or *voids*
them. Nothing is ever edited; a resolution is a new entry that names the reserve.

    Reserve --post--> points move from payer to payee, what was reserved beyond them is given back
            --void--> all points are given back to the payer
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, assert_never, get_args

from eco_dask.errors import (
    AlreadyResolvedError,
    ConflictingEntryError,
    OverdrawnReserveError,
    UnknownReserveError,
)
from eco_dask.types import Account, EntryId

Outcome = Literal["post", "void"]

#: Most that one entry may move, in millipoints. Balances are 64-bit integers in the database:
#: with this bound only nine thousand entries of the largest size could exhaust one.
AMOUNT_MAX_MPT: Final = 10**15


@dataclass(frozen=True, slots=True)
class Reserve:
    """Set points of a payer aside for a payee, until the verdict is known."""

    id: EntryId
    payer: Account
    payee: Account
    amount_mpt: int

    def __post_init__(self) -> None:
        if not 0 < self.amount_mpt <= AMOUNT_MAX_MPT:
            raise ValueError(
                f"reserve {self.id!r}: amount_mpt must be from 1 to {AMOUNT_MAX_MPT}; "
                f"got {self.amount_mpt}"
            )
        if self.payer == self.payee:
            raise ValueError(
                f"reserve {self.id!r}: payer and payee are the same account, {self.payer!r}"
            )


@dataclass(frozen=True, slots=True)
class Resolve:
    """Pay a reserve, wholly or in part, or give it back."""

    id: EntryId
    reserve: EntryId
    outcome: Outcome
    #: What the payee gets, in millipoints; zero for a void.
    amount_mpt: int

    def __post_init__(self) -> None:
        if self.outcome not in get_args(Outcome):
            raise ValueError(f"resolve {self.id!r}: outcome {self.outcome!r} is not post or void")
        if self.outcome == "void" and self.amount_mpt != 0:
            raise ValueError(f"resolve {self.id!r}: a void pays nothing; got {self.amount_mpt} mpt")
        if self.outcome == "post" and self.amount_mpt <= 0:
            raise ValueError(
                f"resolve {self.id!r}: a post pays something; got {self.amount_mpt} mpt "
                "(to pay nothing, void the reserve)"
            )


Entry = Reserve | Resolve


@dataclass(frozen=True, slots=True)
class Balance:
    """What one account has, owes and awaits."""

    #: Received minus paid, in millipoints; negative for who paid more than it received.
    posted_mpt: int = 0
    #: Leaves the account if every open reserve it pays is posted in full, in millipoints.
    reserved_mpt: int = 0
    #: Reaches the account if every open reserve in its favour is posted in full, in millipoints.
    pending_mpt: int = 0


class Book:
    """Balances, derived from entries and from nothing else.

    Mutated only by :meth:`apply`; replaying the entries into an empty book gives the same book,
    in any order that puts a reserve before its resolution.
    """

    #: Points per account, in millipoints. The sum over accounts is always zero.
    posted_mpt: Counter[Account]
    #: Points that leave each payer if every open reserve is posted, in millipoints.
    reserved_mpt: Counter[Account]
    #: Points that reach each payee if every open reserve is posted, in millipoints.
    pending_mpt: Counter[Account]

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.posted_mpt = Counter()
        self.reserved_mpt = Counter()
        self.pending_mpt = Counter()
        self._seen: dict[EntryId, Entry] = {}
        self._open: dict[EntryId, Reserve] = {}
        for entry in entries:
            self.apply(entry)

    def balances(self) -> dict[Account, Balance]:
        """Every account that an entry has named, with what it has, owes and awaits."""
        named = {*self.posted_mpt, *self.reserved_mpt, *self.pending_mpt}
        return {
            account: Balance(
                self.posted_mpt[account], self.reserved_mpt[account], self.pending_mpt[account]
            )
            for account in named
        }

    def apply(self, entry: Entry) -> bool:
        """Take in one entry, once; a refusal leaves the book unchanged.

        Returns
        -------
        bool
            False if this very entry was taken in before: it changes nothing, so retries are safe.

        Raises
        ------
        ConflictingEntryError
            The id belongs to an entry with other content.
        UnknownReserveError, AlreadyResolvedError, OverdrawnReserveError
            The entry resolves what was never reserved, what was resolved before, or pays more
            than was reserved.
        """
        known = self._seen.get(entry.id)
        if known == entry:
            return False
        if known is not None:
            raise ConflictingEntryError(f"entry {entry.id!r} is already {known}; refused {entry}")
        match entry:
            case Reserve():
                self._reserve(entry)
            case Resolve():
                self._resolve(entry)
            case _:
                assert_never(entry)
        self._seen[entry.id] = entry
        return True

    def _reserve(self, entry: Reserve) -> None:
        self._open[entry.id] = entry
        self.reserved_mpt[entry.payer] += entry.amount_mpt
        self.pending_mpt[entry.payee] += entry.amount_mpt

    def _resolve(self, entry: Resolve) -> None:
        if not isinstance(self._seen.get(entry.reserve), Reserve):
            raise UnknownReserveError(f"{entry.id!r} resolves {entry.reserve!r}, never reserved")
        reserve = self._open.get(entry.reserve)
        if reserve is None:
            raise AlreadyResolvedError(f"{entry.id!r} resolves {entry.reserve!r} a second time")
        if entry.amount_mpt > reserve.amount_mpt:
            raise OverdrawnReserveError(
                f"{entry.id!r} posts {entry.amount_mpt} mpt of {entry.reserve!r}, "
                f"which reserved {reserve.amount_mpt} mpt"
            )
        del self._open[entry.reserve]
        self.reserved_mpt[reserve.payer] -= reserve.amount_mpt
        self.pending_mpt[reserve.payee] -= reserve.amount_mpt
        self.posted_mpt[reserve.payer] -= entry.amount_mpt
        self.posted_mpt[reserve.payee] += entry.amount_mpt
