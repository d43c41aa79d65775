"""Sums kept up to date equal those that the database makes of all receipts at once."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eco_dask.ledger import receipt_sums
from eco_dask.ledger.database import open_database
from eco_dask.ledger.receipt_sums import ReceiptSums
from eco_dask.ledger.receipts import AGREEING_REASONS, Receipt, ReceiptReason
from eco_dask.ledger.store import Ledger
from eco_dask.ledger.totals import CHECK_KIND

JOBS, OWNERS, KINDS = ("j0", "j1", "j2", "j3"), ("ada", "bob"), ("sum", "dot", CHECK_KIND)
attempts = st.tuples(
    st.sampled_from(JOBS),
    st.integers(0, 5),
    st.sampled_from(KINDS),
    st.sampled_from(OWNERS),
    st.sampled_from(list(ReceiptReason)),
    st.sampled_from([None, 0.5, 1.25]),
)
batches = st.lists(st.lists(attempts, max_size=8), max_size=6)


def receipt(number: int, attempt: tuple) -> Receipt:
    job, ballot, kind, owner, reason, cpu_s = attempt
    paid = reason in AGREEING_REASONS
    # A task is of one job and one kind.
    return Receipt(
        f"l{number}", f"{job}/{kind}/{ballot}", job, kind, f"{owner}-machine", owner, reason,
        cpu_s, cpu_s, 2.0 if paid else None, 7 if paid else 0, 100.0 + number, b"",
    )  # fmt: skip


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=batches, asked=st.lists(st.sampled_from(JOBS), max_size=6))
def test_sums_equal_what_the_database_adds_up(batches, asked, tmp_path_factory) -> None:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('books') / 'books.sqlite'}")
    ledger, sums, number = Ledger(engine), ReceiptSums(), 0
    for batch, job in zip(batches, [*asked, *JOBS], strict=False):
        made = [receipt(number + i, attempt) for i, attempt in enumerate(batch)]
        number += len(made)
        ledger.apply([], made)
        with engine.connect() as connection:
            sums.advance(connection)
            sums.jobs(connection, [job])
    with engine.connect() as connection:
        sums.advance(connection)
        jobs = sums.jobs(connection, JOBS)
    for total in ledger.provider_totals():
        mine = sums.providers[(total.provider, total.owner)]
        assert (mine.attempts, mine.agreed, mine.dissented, mine.amount_mpt) == (
            total.tasks, total.agreed, total.dissented, total.posted_mpt,
        )  # fmt: skip
    for job in JOBS:
        total = ledger.job_totals(job)
        assert (jobs[job].attempts, jobs[job].accepted, jobs[job].amount_mpt) == (
            total.attempts, total.ballots_accepted, total.spent_mpt,
        )  # fmt: skip
        assert dict(jobs[job].by_reason) == dict(total.by_reason)
        faults = [(*who, n) for who, n in sorted(jobs[job].faults.items())]
        assert faults == [tuple(fault) for fault in ledger.job_faults(job)]
    everything = ledger.receipts(limit=10_000)
    assert sums.total.by_reason == Counter(str(r.reason) for r in everything)
    assert sums.total.accepted == sum(jobs[job].accepted for job in JOBS)
    assert sum(k.accepted for k in sums.kinds.values()) == sums.total.accepted
    assert CHECK_KIND not in sums.kinds
    engine.dispose()


def test_jobs_that_were_forgotten_are_added_up_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(receipt_sums, "JOBS_KEPT", 2)
    engine = open_database(f"sqlite:///{tmp_path / 'books.sqlite'}")
    ledger, sums = Ledger(engine), ReceiptSums()
    for number, job in enumerate([*JOBS, *JOBS]):
        attempt = (job, number, "sum", "ada", ReceiptReason.AGREED, 1.0)
        ledger.apply([], [receipt(number, attempt)])
        with engine.connect() as connection:
            sums.advance(connection)
            for each in JOBS:
                known = sums.jobs(connection, [each])[each].attempts
                assert known == ledger.job_totals(each).attempts
    engine.dispose()
