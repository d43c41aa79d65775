"""What a recruiter reads after a job: how sure, what was done for it, who was caught."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from eco_dask.energy.accounts import JobEnergy
from eco_dask.energy.carbon import CarbonRange
from eco_dask.energy.figures import EnergyFigures
from eco_dask.energy.reading import Tier
from eco_dask.jobs import JobSpec
from eco_dask.ledger.energy_totals import NOT_REPORTED
from eco_dask.report import JobReport, awaits_energy

WHY = frozenset({"no meter ran"})

TOTALS = {"ballots_accepted": 4, "attempts": 7, "spent_mpt": 1500, "by_reason": {"agreed": 6}}
TALLY = {
    "attempts": {"vote": 5, "audit": 2},
    "estimated": 4,
    "doubt_sum": 0.002,
    "doubt_worst": 0.001,
    "backtracked": 1,
    "recomputed": 3,
}


CAUGHT = (("eve", "p-0123456789abcdef", "dissented", 1),)


def report(caught: Any = CAUGHT, **changes: Any) -> JobReport:
    found = {
        "progress": {"tasks": 4, "done": 4, "erred": 0},
        "totals": TOTALS,
        "tally": TALLY | changes,
        "faults": [list(each) for each in caught],
    }
    return JobReport.from_plain(found, JobSpec("job-1", "trend"), 2.0)


def test_figures_become_fields() -> None:
    found = report()
    assert (found.error_worst, found.error_mean) == (0.001, 0.0005)
    assert found.leases == {"vote": 5, "audit": 2}
    assert (found.backtracked, found.recomputed) == (1, 3)
    assert found.caught == CAUGHT
    assert (found.spent_points, found.attempts_per_task) == (1.5, 1.75)


def test_it_reads_as_text() -> None:
    text = str(report())
    for line in (
        "verified  4 tasks by 7 attempts (1.75 per task)",
        "error     at most 1.0e-03 per task by estimate, 5.0e-04 on average",
        "checked   2 results audited",
        "again     1 attempts on results accepted before, 3 results computed again",
        "caught    eve, provider p-0123456789: 1 x dissented",
    ):
        assert line in text


def test_a_quorum_estimates_nothing_and_says_so() -> None:
    found = report(estimated=0, doubt_sum=0.0, doubt_worst=0.0)
    assert (found.error_worst, found.error_mean) == (None, None)
    assert "not estimated: a quorum of owners decided" in str(found)


def test_what_did_not_happen_is_not_mentioned() -> None:
    text = str(report(attempts={"vote": 7}, caught=(), backtracked=0, recomputed=0))
    assert not {"checked", "again", "caught"} & set(text.split())


def figures(reserved_j: float, tier: Tier = Tier.METERED) -> EnergyFigures:
    uj = round(reserved_j * 1e6)
    metered_uj = uj if tier is Tier.METERED else 0
    grids = frozenset({"FRA 2023"})
    carbon = CarbonRange(1, 2, 4)
    return EnergyFigures(uj, uj, uj, metered_uj, carbon, tier, frozenset({"rapl"}), grids)


WHOLE = JobEnergy(figures(2.0), figures(1.0), None, figures(1.0, tier=Tier.MODELLED), 1, WHY)
ATTEMPTS = TOTALS | {"attempts": 20}


def with_energy(energy: JobEnergy, work_units: float = 0.1) -> JobReport:
    found = {"energy": energy.as_record(), "work_units": work_units}
    plain = {"progress": None, "totals": ATTEMPTS, "tally": TALLY, "faults": []}
    return JobReport.from_plain(plain | found, JobSpec("job-1", "trend"), 2.0)


def test_energy_is_told_with_its_class_its_overhead_and_a_loss_as_a_loss() -> None:
    found = with_energy(WHOLE)
    assert found.energy == WHOLE
    text = str(found)
    for line in (
        "energy    4 J marginal, 4 J (1.11 mWh) reserved, metered 75 %, rest modelled (class C)",
        "carbon    6 µg CO2e (3 µg to 12 µg), FRA 2023",
        "overhead  verification 1 J (25%), coordination 1 J (25%)",
        "unknown   energy of 1 attempts: no meter ran",
        "more than the cloud",
    ):
        assert line in text


def test_what_cannot_be_compared_says_why() -> None:
    many = with_energy(replace(WHOLE, unknown_runs=4))
    assert "no comparison: the energy of 20% of the runs is unknown" in str(many)
    assert "no comparison: no task's work is known yet" in str(with_energy(WHOLE, 0.0))
    nothing = with_energy(JobEnergy(None, None, None, None, 3, WHY))
    assert "energy of 3 attempts: no meter ran" in str(nothing)
    with pytest.raises(ValueError, match="nothing to liken"):
        nothing.as_much_as("led-hour")
    assert with_energy(WHOLE).as_much_as("led-hour").startswith("about as much as")
    assert report().energy is None


@pytest.mark.parametrize(
    ("reasons", "left_at_s", "waits"),
    [
        ([NOT_REPORTED], 100.0, True),
        ([NOT_REPORTED], 10.0, False),
        ([NOT_REPORTED], None, False),
        (["no meter"], 100.0, False),
        ([], 100.0, False),
    ],
)
def test_a_report_waits_only_for_energy_that_may_still_come(
    reasons: list[str], left_at_s: float | None, waits: bool
) -> None:
    found = {"energy": {"unknown": {"runs": 1, "reasons": reasons}}}
    assert awaits_energy(found, left_at_s, 102.0) is waits
    assert not awaits_energy({}, 100.0, 102.0)
