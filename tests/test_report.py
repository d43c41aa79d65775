"""What a recruiter reads after a job: how sure, what was done for it, who was caught."""

from __future__ import annotations

from typing import Any

from eco_dask.jobs import JobSpec
from eco_dask.report import JobReport

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
