"""Energy beside receipts: what is kept, how it is sorted, and that sums are exact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ledger_examples import receipt

from eco_dask.energy.accounts import Purpose
from eco_dask.energy.carbon import CarbonRange
from eco_dask.energy.figures import EnergyFigures, total
from eco_dask.energy.reading import Tier, Unavailable
from eco_dask.ledger.energy_entries import FIGURE_MAX, EnergyEntry
from eco_dask.ledger.energy_totals import NETWORK, NOT_REPORTED
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.ledger.store import Ledger
from eco_dask.types import BallotId, JobId, LeaseId, OwnerId, ProviderId

JOB = JobId("job-1")


def figures(uj: int, tier: Tier = Tier.METERED, source: str = "rapl") -> EnergyFigures:
    metered = uj if tier is Tier.METERED else 0
    return EnergyFigures(
        uj // 2, uj // 2, uj, metered, CarbonRange(uj // 4, uj // 2, uj), tier,
        frozenset({source}), frozenset({"FRA 2023"}), frozenset({"one, two", "three"}), 3,
    )  # fmt: skip


def entry(lease: str = "lease-1", uj: int = 8, **fields: Any) -> EnergyEntry:
    defaults: dict[str, Any] = {
        "job": JOB,
        "ballot": BallotId("ballot-1"),
        "provider": ProviderId("provider-1"),
        "owner": OwnerId("alice"),
        "purpose": "vote",
        "energy": figures(uj),
        "at_s": 1.7e9,
    }
    return EnergyEntry(lease, **(defaults | fields))


def own_work(uj: int, name: str = "gateway/own/job-1") -> EnergyEntry:
    return entry(
        name, uj, ballot=BallotId(""), provider=ProviderId(""), owner=OwnerId(""),
        purpose="coordination",
    )  # fmt: skip


def test_what_goes_in_comes_out(ledger: Ledger) -> None:
    known, unknown = figures(9, Tier.MODELLED, "load-model"), Unavailable("gateway", "too much")
    ledger.take_energy([entry("a", energy=known), entry("b", energy=unknown)])
    found = ledger.energy_of([LeaseId(it) for it in "abc"])
    assert found["a"] == known
    assert isinstance(found["b"], Unavailable)
    assert found["b"].reason == "too much"
    assert "c" not in found


def test_of_a_run_the_first_word_stays_and_own_work_grows(ledger: Ledger) -> None:
    ledger.take_energy([entry(uj=8), entry(uj=80), own_work(10)])
    ledger.take_energy([entry(uj=800), own_work(20), own_work(30)])
    job = ledger.job_energy([JOB])[JOB]
    assert job.useful == figures(8)
    assert job.coordination == figures(30)


@pytest.mark.parametrize(
    ("reason", "purpose", "part"),
    [
        (ReceiptReason.AGREED, "vote", "useful"),
        (ReceiptReason.ERROR_AGREED, "vote", "useful"),
        (ReceiptReason.TRUSTED, "vote", "useful"),
        (ReceiptReason.AGREED, "audit", "verification"),
        (ReceiptReason.TRUSTED, "audit", "verification"),
        (ReceiptReason.AGREED, "known", "verification"),
        (ReceiptReason.TRUSTED, "check", "verification"),
        (ReceiptReason.DISSENTED, "vote", "wasted"),
        (ReceiptReason.VALUE_WITHHELD, "vote", "wasted"),
        (ReceiptReason.DISPUTED, "vote", "wasted"),
        (ReceiptReason.EXPIRED, "vote", "wasted"),
        (ReceiptReason.RECALLED, "vote", "wasted"),
        (ReceiptReason.CANCELLED, "vote", "wasted"),
        (ReceiptReason.OWNER_STRUCK, "vote", "wasted"),
    ],
)
def test_energy_belongs_to_what_came_of_the_run(
    ledger: Ledger, reason: ReceiptReason, purpose: Any, part: str
) -> None:
    ledger.take_energy([entry(purpose=purpose)])
    ledger.apply([], [receipt(reason=reason)])
    job = ledger.job_energy([JOB])[JOB]
    assert getattr(job, part) == figures(8)
    assert job.all == figures(8)


def test_of_those_who_agreed_one_was_useful_and_the_others_verified(ledger: Ledger) -> None:
    runs = [
        ("a", ReceiptReason.AGREED),
        ("b", ReceiptReason.AGREED),
        ("c", ReceiptReason.DISSENTED),
    ]
    ledger.take_energy([entry(lease, 10) for lease, _ in runs])
    ledger.apply([], [receipt(lease, reason=reason) for lease, reason in runs])
    job = ledger.job_energy([JOB])[JOB]
    assert (job.useful, job.verification, job.wasted) == (figures(10),) * 3


def test_where_the_first_is_unknown_the_next_counts_as_useful(ledger: Ledger) -> None:
    unknown = Unavailable("gateway", "no meter")
    ledger.take_energy([entry("a", energy=unknown), entry("b", 10)])
    ledger.apply([], [receipt("a"), receipt("b")])
    job = ledger.job_energy([JOB])[JOB]
    assert (job.useful, job.verification) == (figures(10), None)
    assert (job.unknown_runs, job.unknown_reasons) == (1, frozenset({"no meter"}))


def test_what_is_not_settled_counts_as_useful_and_what_did_not_run_not_at_all(
    ledger: Ledger,
) -> None:
    ledger.take_energy([entry("open", 10)])
    ledger.apply([], [receipt("never-ran", cpu_s=None, reason=ReceiptReason.EXPIRED)])
    job = ledger.job_energy([JOB])[JOB]
    assert (job.useful, job.unknown_runs) == (figures(10), 0)


def test_a_run_of_which_nothing_was_reported_is_unknown(ledger: Ledger) -> None:
    ledger.apply([], [receipt("a")])
    job = ledger.job_energy([JOB])[JOB]
    assert (job.all, job.unknown_runs, job.unknown_reasons) == (None, 1, frozenset({NOT_REPORTED}))
    for by, name in (("provider", "provider-1"), ("owner", "alice"), ("network", NETWORK)):
        totals = ledger.energy_totals(by)[name]
        assert (totals.figures, totals.runs, totals.unknown_reasons) == (None, 0, {NOT_REPORTED: 1})


def test_every_way_to_sum_gives_the_same_microjoules(ledger: Ledger) -> None:
    entries = [
        entry(
            f"lease-{n}", 7 * n + 1,
            job=JobId(f"job-{n % 3}"), provider=ProviderId(f"p{n % 4}"), owner=OwnerId(f"o{n % 2}"),
            energy=figures(7 * n + 1, *((Tier.MODELLED, "load-model") if n % 5 else ())),
        )
        for n in range(40)
    ]  # fmt: skip
    ledger.take_energy(entries)
    everything = total(it.energy for it in entries if isinstance(it.energy, EnergyFigures))
    jobs = ledger.job_energy([JobId(f"job-{n}") for n in range(3)]).values()
    assert total(it.all for it in jobs if it.all is not None) == everything
    for by in ("provider", "owner", "network"):
        sums = ledger.energy_totals(by).values()
        assert total(it.figures for it in sums if it.figures is not None) == everything
        assert sum(it.runs for it in sums) == 40


def test_the_networks_energy_by_purpose_is_the_sum_over_its_jobs(ledger: Ledger) -> None:
    runs = [("a", ReceiptReason.AGREED), ("b", ReceiptReason.AGREED), ("c", ReceiptReason.EXPIRED)]
    for job in ("job-1", "job-2"):
        named = [(f"{job}/{lease}", reason) for lease, reason in runs]
        ledger.take_energy([entry(lease, 10, job=JobId(job)) for lease, _ in named])
        ledger.take_energy([own_work(5, f"gateway/own/{job}")])
        ballot = BallotId(job)
        ledger.apply([], [receipt(lease, ballot=ballot, reason=it) for lease, it in named])
    assert ledger.energy_by_purpose() == {
        Purpose.USEFUL: 20, Purpose.VERIFICATION: 20, Purpose.WASTED: 20, Purpose.COORDINATION: 10,
    }  # fmt: skip


def test_a_coordinators_own_work_counts_for_the_network_and_no_owner(ledger: Ledger) -> None:
    ledger.take_energy([entry(uj=10), own_work(5)])
    assert ledger.energy_totals("network")[NETWORK].figures == figures(10) + figures(5)
    assert ledger.energy_totals("network")[NETWORK].runs == 1
    assert {k: v.figures for k, v in ledger.energy_totals("owner").items()} == {
        "alice": figures(10)
    }


def test_a_period_leaves_out_what_was_before(ledger: Ledger) -> None:
    ledger.take_energy([entry("a", 10, at_s=100.0), entry("b", 20, at_s=86_500.0)])
    ledger.apply([], [receipt("a", issued_at_s=100.0), receipt("b", issued_at_s=86_500.0)])
    all_time, latest = (ledger.energy_totals("owner", since)["alice"] for since in (None, 200.0))
    assert (all_time.figures, all_time.days) == (figures(10) + figures(20), 1.0)
    assert (latest.figures, latest.days) == (figures(20), 0.0)
    work = ledger.work_done("owner", 200.0)["alice"]
    assert (work.wall_s, work.work_units, work.posted_mpt) == (2.0, 1.25, 100)


def test_the_size_of_a_job_counts_each_accepted_task_once(ledger: Ledger) -> None:
    ledger.apply(
        [],
        [
            receipt("a", work_units=2.0),
            receipt("b", work_units=2.0),
            receipt("c", ballot=BallotId("other"), work_units=None, cpu_s=3.0),
            receipt("d", ballot=BallotId("bad"), reason=ReceiptReason.DISSENTED),
        ],
    )
    work = ledger.job_work(JOB)
    assert (work.units, work.tasks, work.tasks_by_cpu) == (5.0, 2, 1)


def test_an_empty_ledger_knows_of_no_energy(ledger: Ledger) -> None:
    assert ledger.job_energy([JOB])[JOB].all is None
    assert ledger.energy_totals("network") == {}
    assert ledger.energy_by_purpose() == {}
    assert ledger.job_work(JOB).tasks == 0


def test_figures_that_would_break_sums_are_refused() -> None:
    huge = replace(figures(8), reserved_uj=FIGURE_MAX + 1)
    with pytest.raises(ValueError, match="figures are <="):
        entry(energy=huge)
    with pytest.raises(ValueError, match="no such purpose"):
        entry(purpose="fun")
