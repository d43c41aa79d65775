"""What verification did for each job, in figures: what a recruiter's report is made of.

attempts, doubts, what was done again ──► JobTally ──► eco_job ──► JobReport

Only figures of what is over leave the gateway: nothing here tells a provider whether it is trusted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from eco_dask.types import BallotId, JobId

#: Jobs whose figures are remembered.
JOBS_KEPT = 1000


@dataclass(slots=True)
class JobTally:
    """Figures of one job at one gateway."""

    #: Leases by what they were for.
    attempts: Counter[str] = field(default_factory=Counter)
    #: Final results with an estimate of their error, its sum and the worst.
    estimated: int = 0
    doubt_sum: float = 0.0
    doubt_worst: float = 0.0
    #: Estimates of accepted results that are not final.
    open: dict[BallotId, float] = field(default_factory=dict)
    #: Leases to look again at results that had been accepted.
    backtracked: int = 0
    #: Accepted results that were wrong, or rested on wrong ones, and were computed again.
    recomputed: int = 0

    def accepted(self, ballot: BallotId, doubt: float | None) -> None:
        """Count a result that Dask gets; None where a quorum decided, which estimates nothing."""
        if doubt is not None:
            self.open[ballot] = doubt

    def settled(self, ballot: BallotId, doubt: float | None, *, unused: bool = False) -> None:
        """A result is final; None if its estimate is the one that it was accepted with.

        One that nothing delivered rests on may have flowed at less than the job's error.
        """
        first = self.open.pop(ballot, None)
        if unused:
            return
        final = doubt if doubt is not None else first
        if final is not None:
            self.estimated += 1
            self.doubt_sum += final
            self.doubt_worst = max(self.doubt_worst, final)

    def revoked(self, ballot: BallotId) -> None:
        """A result was wrong, or rested on a wrong one."""
        self.open.pop(ballot, None)
        self.recomputed += 1

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain values, for the way to the scheduler."""
        return {
            "attempts": dict(self.attempts),
            "estimated": self.estimated + len(self.open),
            "doubt_sum": self.doubt_sum + sum(self.open.values()),
            "doubt_worst": max(self.doubt_worst, *self.open.values(), 0.0),
            "backtracked": self.backtracked,
            "recomputed": self.recomputed,
        }


class Tallies:
    """The figures of all jobs of a gateway, the latest jobs only."""

    def __init__(self) -> None:
        self._jobs: dict[JobId, JobTally] = {}
        #: Of the jobs that are remembered no longer.
        self._past = JobTally().to_plain()

    def of(self, job: JobId) -> JobTally:
        """Return a job's figures, new ones for a job not heard of."""
        tally = self._jobs.get(job)
        if tally is None:
            tally = self._jobs[job] = JobTally()
            if len(self._jobs) > JOBS_KEPT:
                oldest = self._jobs.pop(next(iter(self._jobs)))
                self._past = summed([self._past, oldest.to_plain()])
        return tally

    def total(self) -> dict[str, Any]:
        """Return the figures of all jobs together, as plain values."""
        return summed([self._past, *(tally.to_plain() for tally in self._jobs.values())])

    def find(self, job: JobId) -> JobTally | None:
        """Return a job's figures if there are any."""
        return self._jobs.get(job)


def summed(tallies: list[dict[str, Any]]) -> dict[str, Any]:
    """Add up what several gateways say of one job."""
    total = JobTally()
    for plain in tallies:
        total.attempts.update(plain["attempts"])
        for name in ("estimated", "doubt_sum", "backtracked", "recomputed"):
            setattr(total, name, getattr(total, name) + plain[name])
        total.doubt_worst = max(total.doubt_worst, plain["doubt_worst"])
    return total.to_plain()
