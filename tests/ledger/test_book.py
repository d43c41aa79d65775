"""Book: conservation, idempotence, refusal."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from ledger_examples import ALICE, BOB, POOL, entries, post, reserve, void

from eco_dask.errors import (
    AlreadyResolvedError,
    ConflictingEntryError,
    LedgerError,
    OverdrawnReserveError,
    UnknownReserveError,
)
from eco_dask.ledger.book import AMOUNT_MAX_MPT, Balance, Book, Entry, Reserve, Resolve


def test_a_reserve_is_owed_by_the_payer_and_awaited_by_the_payee() -> None:
    book = Book([reserve(mpt=100)])
    assert book.balances() == {POOL: Balance(0, 100, 0), ALICE: Balance(0, 0, 100)}


def test_a_post_moves_points() -> None:
    book = Book([reserve(mpt=100), post(mpt=100)])
    assert book.balances() == {POOL: Balance(-100, 0, 0), ALICE: Balance(100, 0, 0)}


def test_a_partial_post_gives_the_rest_back() -> None:
    book = Book([reserve(mpt=100), post(mpt=30)])
    assert book.balances() == {POOL: Balance(-30, 0, 0), ALICE: Balance(30, 0, 0)}


def test_a_void_moves_nothing() -> None:
    book = Book([reserve(), void()])
    assert book.balances() == {POOL: Balance(), ALICE: Balance()}


def test_a_repeated_entry_is_not_taken_in_again() -> None:
    book = Book()
    assert [book.apply(entry) for entry in (reserve(), reserve(), post(), post(), reserve())] == [
        True,
        False,
        True,
        False,
        False,
    ]
    assert book.posted_mpt[ALICE] == 100


@pytest.mark.parametrize(
    ("entries", "error"),
    [
        ([reserve(mpt=1), reserve(mpt=2)], ConflictingEntryError),
        ([reserve(payee=ALICE), reserve(payee=BOB)], ConflictingEntryError),
        ([reserve(), post(id="r", of="r")], ConflictingEntryError),
        ([reserve(), post(mpt=1), post(mpt=2)], ConflictingEntryError),
        ([post()], UnknownReserveError),
        ([reserve(), void(), void(id="v2", of="v")], UnknownReserveError),
        ([reserve(), post(), post(id="again")], AlreadyResolvedError),
        ([reserve(), void(), post()], AlreadyResolvedError),
        ([reserve(mpt=100), post(mpt=101)], OverdrawnReserveError),
    ],
)
def test_a_refusal_leaves_the_book_unchanged(
    entries: list[Entry], error: type[LedgerError]
) -> None:
    book = Book(entries[:-1])
    before = deepcopy(vars(book))
    with pytest.raises(error):
        book.apply(entries[-1])
    assert vars(book) == before


@pytest.mark.parametrize(
    "make",
    [
        lambda: reserve(mpt=0),
        lambda: reserve(mpt=-1),
        lambda: reserve(mpt=AMOUNT_MAX_MPT + 1),
        lambda: reserve(payer=ALICE, payee=ALICE),
        lambda: post(mpt=0),
        lambda: post(mpt=-1),
        lambda: Resolve("v", "r", "void", 1),  # type: ignore[arg-type]
        lambda: Resolve("v", "r", "refund", 1),  # type: ignore[arg-type]
    ],
)
def test_an_entry_without_meaning_cannot_be_made(make: Callable[[], Entry]) -> None:
    with pytest.raises(ValueError, match=r"^(reserve|resolve) "):
        make()


@given(st.lists(entries(), max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_entries_does_not_matter_as_long_as_reserves_come_first(
    offered: list[Entry], dice
) -> None:
    accepted = accept(offered)
    reserves = [entry for entry in accepted if isinstance(entry, Reserve)]
    resolves = [entry for entry in accepted if isinstance(entry, Resolve)]
    dice.shuffle(reserves)
    dice.shuffle(resolves)
    assert Book(reserves + resolves).balances() == Book(accepted).balances()


def accept(offered: list[Entry]) -> list[Entry]:
    book, accepted = Book(), []
    for entry in offered:
        try:
            if book.apply(entry):
                accepted.append(entry)
        except LedgerError:
            continue
    return accepted


class BookMachine(RuleBasedStateMachine):
    """Random, repeated and contradictory entries against a list of the accepted ones."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.accepted: list[Entry] = []

    @rule(entry=entries())
    def offer(self, entry: Entry) -> None:
        try:
            new = self.book.apply(entry)
        except LedgerError:
            return
        assert new == (entry not in self.accepted)
        self.accepted.append(entry)

    @invariant()
    def points_are_conserved(self) -> None:
        assert sum(self.book.posted_mpt.values()) == 0

    @invariant()
    def what_payers_owe_is_what_payees_await_and_what_open_reserves_hold(self) -> None:
        resolved = {entry.reserve for entry in self.accepted if isinstance(entry, Resolve)}
        unresolved = {
            entry
            for entry in self.accepted
            if isinstance(entry, Reserve) and entry.id not in resolved
        }
        held_mpt = sum(entry.amount_mpt for entry in unresolved)
        assert self.book.reserved_mpt.total() == self.book.pending_mpt.total() == held_mpt

    @invariant()
    def nobody_owes_or_awaits_less_than_nothing(self) -> None:
        assert min([0, *self.book.reserved_mpt.values(), *self.book.pending_mpt.values()]) == 0

    @invariant()
    def replay_gives_the_same_book(self) -> None:
        assert vars(Book(self.accepted + self.accepted)) == vars(self.book)


TestBookMachine = BookMachine.TestCase
