"""Figures of a job: an estimate counts once, the last one, and gateways' figures add up."""

from __future__ import annotations

from eco_dask.gateway.tally import JOBS_KEPT, JobTally, Tallies, summed
from eco_dask.types import BallotId


def test_an_accepted_result_counts_with_its_last_estimate():
    tally = JobTally()
    tally.accepted("a", 0.01)
    tally.accepted("b", 0.02)
    tally.accepted("by a quorum", None)
    plain = tally.to_plain()
    assert (plain["estimated"], plain["doubt_worst"]) == (2, 0.02)
    tally.settled("b", 0.001)
    tally.settled("a", None)
    tally.settled("by a quorum", None)
    plain = tally.to_plain()
    assert (plain["estimated"], plain["doubt_worst"], plain["doubt_sum"]) == (2, 0.01, 0.011)


def test_a_wrong_result_has_no_estimate():
    tally = JobTally()
    tally.accepted("a", 0.01)
    tally.revoked("a")
    plain = tally.to_plain()
    assert (plain["estimated"], plain["doubt_worst"], plain["recomputed"]) == (0, 0.0, 1)


def test_what_gateways_say_adds_up():
    one, other = JobTally(), JobTally()
    for tally, doubt in ((one, 0.01), (other, 0.03)):
        tally.attempts["vote"] += 2
        tally.settled("a", doubt)
    other.attempts["audit"] += 1
    other.backtracked = 4
    total = summed([one.to_plain(), other.to_plain()])
    assert total == {
        "attempts": {"vote": 4, "audit": 1},
        "estimated": 2,
        "doubt_sum": 0.04,
        "doubt_worst": 0.03,
        "backtracked": 4,
        "recomputed": 0,
    }
    assert summed([])["estimated"] == 0


def test_only_the_latest_jobs_are_remembered():
    tallies = Tallies()
    for i in range(JOBS_KEPT + 1):
        tallies.of(f"job-{i}").backtracked = i
    assert tallies.find("job-0") is None
    assert tallies.find("job-1").backtracked == 1


def test_what_nothing_delivered_rests_on_is_no_result_of_the_job() -> None:
    tally = JobTally()
    tally.accepted(BallotId("a"), 0.02)
    tally.accepted(BallotId("b"), 1e-4)
    tally.settled(BallotId("a"), 0.02, unused=True)
    tally.settled(BallotId("b"), 1e-4)
    plain = tally.to_plain()
    assert (plain["estimated"], plain["doubt_worst"]) == (1, 1e-4)


def test_the_total_forgets_no_job():
    tallies = Tallies()
    for number in range(JOBS_KEPT + 5):
        tallies.of(f"job-{number}").attempts["vote"] += 1
    assert tallies.find("job-0") is None
    assert tallies.total()["attempts"] == {"vote": JOBS_KEPT + 5}
