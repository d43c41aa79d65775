"""Ledger: what every database must do with entries and receipts."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_examples import ALICE, BOB, POOL, post, receipt, reserve, void
from sqlalchemy import select

from eco_dask.errors import (
    AlreadyResolvedError,
    ConflictingEntryError,
    LedgerError,
    OverdrawnReserveError,
    UnknownReserveError,
)
from eco_dask.ledger.book import AMOUNT_MAX_MPT, Balance, Book, Entry
from eco_dask.ledger.database import open_database
from eco_dask.ledger.receipts import Receipt, ReceiptReason
from eco_dask.ledger.store import Ledger
from eco_dask.ledger.tables import metadata
from eco_dask.ledger.totals import CHECK_KIND, JobTotals, ProviderTotals
from eco_dask.types import Account, JobId, LeaseId, OwnerId, ProviderId

CAROL = Account("owner:carol")


def everything(ledger: Ledger) -> dict[str, list[tuple]]:
    with ledger._engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table))]
            for table in metadata.sorted_tables
        }


def leases(receipts: Iterable[Receipt]) -> list[str]:
    return [receipt.lease for receipt in receipts]


def test_reserve_post_and_void_move_the_balances(ledger: Ledger) -> None:
    assert ledger.apply([reserve("r1", 100), reserve("r2", 50, payee=BOB)]) == 2
    assert ledger.balance(POOL) == Balance(0, 150, 0)
    assert ledger.balance(BOB) == Balance(0, 0, 50)
    assert ledger.apply([post("p", "r1", 60), void("v", "r2")]) == 2
    assert ledger.balances() == {
        ALICE: Balance(60, 0, 0),
        BOB: Balance(),
        POOL: Balance(-60, 0, 0),
    }


def test_entries_of_one_batch_may_refer_to_each_other(ledger: Ledger) -> None:
    assert ledger.apply([reserve(), post()]) == 2
    assert ledger.balance(ALICE) == Balance(100, 0, 0)


def test_what_one_batch_reserves_and_voids_names_the_accounts(ledger: Ledger) -> None:
    assert ledger.apply([reserve(), void()]) == 2
    assert ledger.balances() == {ALICE: Balance(), POOL: Balance()}


def test_an_empty_batch_changes_nothing(ledger: Ledger) -> None:
    assert ledger.apply([]) == 0
    assert ledger.balances() == {}


def test_an_account_nobody_named_has_nothing(ledger: Ledger) -> None:
    assert ledger.balance(CAROL) == Balance()


@pytest.mark.parametrize("repeats", [1, 2])
def test_a_repeated_batch_counts_once(ledger: Ledger, repeats: int) -> None:
    batch, paid = [reserve(), post()] * repeats, [receipt()] * repeats
    assert ledger.apply(batch, paid) == 2
    before = everything(ledger)
    assert ledger.apply(batch, paid) == 0
    assert everything(ledger) == before


@pytest.mark.parametrize(
    ("known", "offered", "error"),
    [
        ([reserve(mpt=1)], [reserve(mpt=2)], ConflictingEntryError),
        ([reserve("r"), reserve("s"), post("p", "s")], [post("p", "r")], ConflictingEntryError),
        ([reserve("r"), void("v", "r")], [reserve("v")], ConflictingEntryError),
        ([], [post()], UnknownReserveError),
        ([reserve("r"), void("v", "r")], [void("w", "v")], UnknownReserveError),
        ([reserve(), void()], [post()], AlreadyResolvedError),
        ([reserve(mpt=9)], [post(mpt=10)], OverdrawnReserveError),
    ],
)
def test_a_refusal_leaves_the_database_unchanged(
    ledger: Ledger, known: list[Entry], offered: list[Entry], error: type[LedgerError]
) -> None:
    ledger.apply(known, [receipt("known")])
    before = everything(ledger)
    harmless = [reserve("new"), post("paid", "new")]
    for batch in ([*harmless, *offered], [*offered, *harmless]):
        with pytest.raises(error):
            ledger.apply(batch, [receipt("new")])
    assert everything(ledger) == before


def test_a_refused_receipt_takes_the_entries_with_it(ledger: Ledger) -> None:
    ledger.apply([], [receipt("a", amount_mpt=1)])
    before = everything(ledger)
    with pytest.raises(ConflictingEntryError):
        ledger.apply([reserve()], [receipt("b"), receipt("a", amount_mpt=2)])
    assert everything(ledger) == before


def test_a_batch_larger_than_one_lookup_is_taken_in_once(ledger: Ledger) -> None:
    batch = [
        entry for i in range(700) for entry in (reserve(f"r{i}", 3), post(f"p{i}", f"r{i}", 2))
    ]
    assert [ledger.apply(batch), ledger.apply(batch)] == [1400, 0]
    assert ledger.balances() == Book(batch).balances()


def test_the_largest_amounts_add_up_exactly(ledger: Ledger) -> None:
    ledger.apply([reserve(f"r{i}", AMOUNT_MAX_MPT - 1) for i in range(1000)])
    assert ledger.balance(POOL).reserved_mpt == 1000 * (AMOUNT_MAX_MPT - 1)


def test_balances_are_found_by_the_start_of_the_name(ledger: Ledger) -> None:
    accounts = [Account(name) for name in ("owner:a", "owner:é", "Owner:a", "ownerx", "owner:")]
    ledger.apply([reserve(f"r{i}", payee=account) for i, account in enumerate(accounts)])
    assert list(ledger.balances("owner:")) == ["owner:", "owner:a", "owner:é"]
    assert list(ledger.balances("owner_")) == []
    assert set(ledger.balances()) == {*accounts, POOL}


def test_open_reserves_of_one_gateway_are_found_and_voided(ledger: Ledger) -> None:
    mine, resolved, other = reserve("g1:a", 5), reserve("g1:b", 6), reserve("g2:a", 7)
    upper = reserve("G1:a", 8)
    ledger.apply([mine, resolved, other, upper, post("p", "g1:b", 6)])
    assert ledger.open_reserves("g1:") == [mine]
    assert [ledger.void_open("g1:"), ledger.void_open("g1:")] == [1, 0]
    assert ledger.open_reserves("") == [upper, other]
    assert ledger.balance(POOL) == Balance(-6, 15, 0)


def test_voiding_what_is_open_is_refused_if_the_name_of_the_void_is_taken(ledger: Ledger) -> None:
    ledger.apply([reserve("g1:a"), reserve("g1:b"), reserve("g1:b:restart")])
    before = everything(ledger)
    with pytest.raises(ConflictingEntryError):
        ledger.void_open("g1:")
    assert everything(ledger) == before
    assert ledger.void_open("g1:", "second-restart") == 3


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    reason=st.sampled_from(ReceiptReason),
    quantities=st.tuples(
        *[st.none() | st.floats(0, 1e300)] * 3, st.integers(0, AMOUNT_MAX_MPT), st.floats(0, 1e12)
    ),
    digest=st.binary(max_size=32),
)
def test_a_receipt_comes_back_as_it_was(
    ledger: Ledger, reason: ReceiptReason, quantities: tuple, digest: bytes
) -> None:
    names = ("cpu_s", "wall_s", "work_units", "amount_mpt", "issued_at_s")
    fields = dict(zip(names, quantities, strict=True))
    given_receipt = receipt(
        f"lease-{len(ledger.receipts(limit=10_000))}", reason=reason, digest=digest, **fields
    )
    ledger.apply([], [given_receipt])
    found = ledger.receipts(limit=1)
    assert found == [given_receipt]
    assert isinstance(found[0].reason, ReceiptReason)
    assert isinstance(found[0].digest, bytes)


def test_receipts_are_paged_the_latest_first_and_new_ones_do_not_shift_pages(
    ledger: Ledger,
) -> None:
    ledger.apply([], [receipt(f"l{i}") for i in range(5)])
    first = ledger.receipts(limit=2)
    ledger.apply([], [receipt("newer")])
    second = ledger.receipts(after=first[-1].lease, limit=2)
    third = ledger.receipts(after=second[-1].lease, limit=2)
    assert leases(first + second + third) == ["l4", "l3", "l2", "l1", "l0"]
    assert ledger.receipts(after=third[-1].lease) == []


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["c", "b", "a"]),
        ({"owner": OwnerId("alice")}, ["b", "a"]),
        ({"provider": ProviderId("p2")}, ["b"]),
        ({"job": JobId("j2")}, ["c", "b"]),
        ({"job": JobId("j2"), "owner": OwnerId("bob")}, ["c"]),
        ({"owner": OwnerId("alice"), "after": LeaseId("c")}, ["b", "a"]),
        ({"owner": OwnerId("")}, []),
    ],
)
def test_receipts_are_filtered(ledger: Ledger, filters: dict, found: list[str]) -> None:
    ledger.apply(
        [],
        [
            receipt("a", owner="alice", provider="p1", job="j1"),
            receipt("b", owner="alice", provider="p2", job="j2"),
            receipt("c", owner="bob", provider="p3", job="j2"),
        ],
    )
    assert leases(ledger.receipts(**filters)) == found


def test_a_page_that_cannot_be_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="no receipt has the lease 'gone'"):
        ledger.receipts(after=LeaseId("gone"))
    for read in (ledger.receipts, ledger.jobs):
        with pytest.raises(ValueError, match="limit must be at least 1"):
            read(limit=0)


def test_totals_add_up_receipts_by_provider_and_by_job(ledger: Ledger) -> None:
    reason = ReceiptReason
    ledger.apply(
        [],
        [
            receipt("1", ballot="b1", provider="p1", owner="alice", amount_mpt=10),
            receipt("2", ballot="b1", provider="p2", owner="bob", amount_mpt=10),
            receipt("3", ballot="b2", provider="p1", owner="alice", amount_mpt=5),
            receipt(
                "4", ballot="b2", provider="p2", owner="bob", amount_mpt=0, reason=reason.DISSENTED
            ),
            receipt(
                "5", ballot="b2", provider="t", owner="op", amount_mpt=0, reason=reason.TRUSTED
            ),
            receipt(
                "6", ballot="b3", provider="p1", owner="alice", amount_mpt=0, reason=reason.EXPIRED
            ),
            receipt(
                "8", ballot="b5", provider="t", owner="op", amount_mpt=0, reason=reason.TRUSTED
            ),
            # A recruiter's own check of an answer: an attempt, and no result of the job.
            receipt(
                "9",
                ballot="b6",
                provider="t",
                owner="op",
                amount_mpt=0,
                reason=reason.TRUSTED,
                kind=CHECK_KIND,
            ),
            receipt(
                "7",
                ballot="b4",
                job="job-2",
                provider="p1",
                owner="alice",
                amount_mpt=AMOUNT_MAX_MPT,
                reason=reason.ERROR_AGREED,
            ),
        ],
    )
    assert ledger.provider_totals() == [
        ProviderTotals("p1", "alice", 4, agreed=3, dissented=0, posted_mpt=15 + AMOUNT_MAX_MPT),
        ProviderTotals("p2", "bob", 2, agreed=1, dissented=1, posted_mpt=10),
        ProviderTotals("t", "op", 3, agreed=0, dissented=0, posted_mpt=0),
    ]
    by_reason = {reason.AGREED: 3, reason.DISSENTED: 1, reason.TRUSTED: 3, reason.EXPIRED: 1}
    first = JobTotals("job-1", 8, ballots_accepted=3, spent_mpt=25, by_reason=by_reason)
    second = JobTotals("job-2", 1, 1, AMOUNT_MAX_MPT, {reason.ERROR_AGREED: 1})
    assert ledger.job_totals(JobId("job-1")) == first
    assert ledger.job_faults(JobId("job-1")) == [("bob", "p2", reason.DISSENTED, 1)]
    assert ledger.job_faults(JobId("job-2")) == []
    assert ledger.jobs() == [second, first]
    assert ledger.jobs(limit=1) == [second]


def test_totals_of_nothing_are_empty(ledger: Ledger) -> None:
    assert ledger.provider_totals() == []
    assert ledger.jobs() == []
    assert ledger.job_totals(JobId("none")) == JobTotals("none", 0, 0, 0, {})


def test_what_was_taken_in_is_there_after_reopening(ledger: Ledger, url: str) -> None:
    ledger.apply([reserve()], [receipt()])
    before = everything(ledger)
    engine = open_database(url)
    assert everything(Ledger(engine)) == before
    assert Ledger(engine).apply([reserve(), post()]) == 1
    engine.dispose()
    assert ledger.balance(ALICE) == Balance(100, 0, 0)
