"""Ledger against Book: random, repeated and contradictory batches, on every database."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from ledger_examples import IDS, entries

from eco_dask.errors import LedgerError
from eco_dask.ledger.book import Book, Entry, Reserve, Resolve
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger
from eco_dask.types import EntryId


class LedgerMachine(RuleBasedStateMachine):
    """The oracle is a book in memory, copied before each batch."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.engine = open_database(url)
        self.ledger = Ledger(self.engine)
        self.book = Book()
        self.accepted: list[Entry] = []

    @rule(batch=st.lists(entries(), min_size=1, max_size=3))
    def apply(self, batch: list[Entry]) -> None:
        trial = deepcopy(self.book)
        expected = outcome(lambda: sum([trial.apply(entry) for entry in batch]))
        assert outcome(lambda: self.ledger.apply(batch)) == expected
        if isinstance(expected, int):
            self.book = trial
            self.accepted += batch

    @rule(prefix=st.sampled_from(["g1", "g1-", "g1_", "G", "", "g3"]), life=st.integers(0, 2))
    def void_open(self, prefix: str, life: int) -> None:
        voids = [
            Resolve(EntryId(f"{held.id}:{life}"), held.id, "void", 0)
            for held in self.unresolved()
            if held.id.startswith(prefix)
        ]
        assert self.ledger.void_open(prefix, str(life)) == len(voids)
        for entry in voids:
            self.book.apply(entry)
        self.accepted += voids

    @rule()
    def reopen(self) -> None:
        self.engine.dispose()
        self.engine = open_database(self.url)
        self.ledger = Ledger(self.engine)

    @rule()
    def repeat_everything(self) -> None:
        assert self.ledger.apply(self.accepted) == 0

    @rule(prefix=st.sampled_from(sorted({name[:2] for name in IDS})))
    def open_reserves_are_those_without_a_resolution(self, prefix: str) -> None:
        expected = [held for held in self.unresolved() if held.id.startswith(prefix)]
        assert self.ledger.open_reserves(prefix) == expected

    @invariant()
    def balances_are_those_of_the_book(self) -> None:
        assert self.ledger.balances() == self.book.balances()

    @invariant()
    def points_are_conserved(self) -> None:
        assert self.ledger.total_mpt() == 0

    def unresolved(self) -> list[Reserve]:
        resolved = {entry.reserve for entry in self.accepted if isinstance(entry, Resolve)}
        reserves = {entry for entry in self.accepted if isinstance(entry, Reserve)}
        unresolved = {entry for entry in reserves if entry.id not in resolved}
        return sorted(unresolved, key=lambda entry: entry.id)

    def teardown(self) -> None:
        self.engine.dispose()


def outcome(act: Callable[[], int]) -> int | type[LedgerError]:
    try:
        return act()
    except LedgerError as error:
        return type(error)


def test_the_ledger_does_what_the_book_does(fresh_url: Callable[[], str]) -> None:
    run_state_machine_as_test(
        lambda: LedgerMachine(fresh_url()),
        settings=settings(max_examples=25, stateful_step_count=20, deadline=None),
    )
