"""What a job's energy went into: its answers, the checking of them, and what was in vain.

runs with their ends ─► account ─► JobEnergy(useful, verification, wasted, coordination)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from eco_dask.energy.figures import EnergyFigures, total
from eco_dask.energy.reading import Unavailable


class Purpose(Enum):
    """What energy was spent on."""

    USEFUL = "useful"
    #: Further attempts and audits: the price of not having to trust.
    VERIFICATION = "verification"
    WASTED = "wasted"
    #: Coordinator and gateways.
    COORDINATION = "coordination"


class RunEnd(Enum):
    """How one run of a task ended."""

    #: Its value is the one that was used.
    ACCEPTED = "accepted"
    #: It gave the accepted answer as well.
    AGREED = "agreed"
    #: A trusted worker ran it again, or its answer was known beforehand.
    AUDIT = "audit"
    #: It was found wrong.
    DISSENTED = "dissented"
    #: It raised where the accepted answer did not, timed out, or its provider vanished.
    FAILED = "failed"
    #: Nobody needed it any more.
    RECALLED = "recalled"
    #: It was the coordinator's or a gateway's own work for the job.
    COORDINATION = "coordination"

    @property
    def purpose(self) -> Purpose:
        """What its energy was spent on."""
        return _PURPOSES[self]


_PURPOSES = {
    RunEnd.ACCEPTED: Purpose.USEFUL,
    RunEnd.AGREED: Purpose.VERIFICATION,
    RunEnd.AUDIT: Purpose.VERIFICATION,
    RunEnd.DISSENTED: Purpose.WASTED,
    RunEnd.FAILED: Purpose.WASTED,
    RunEnd.RECALLED: Purpose.WASTED,
    RunEnd.COORDINATION: Purpose.COORDINATION,
}


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a task and its energy, or the reason why that is unknown."""

    end: RunEnd
    energy: EnergyFigures | Unavailable


@dataclass(frozen=True, slots=True)
class JobEnergy:
    """A job's energy by purpose; a part is None if nothing of it was measured."""

    useful: EnergyFigures | None
    verification: EnergyFigures | None
    wasted: EnergyFigures | None
    coordination: EnergyFigures | None
    #: Runs of unknown energy, which are in no figure.
    unknown_runs: int = 0
    unknown_reasons: frozenset[str] = frozenset()

    @property
    def all(self) -> EnergyFigures | None:
        """The whole, to the microjoule the sum of its parts."""
        parts = (self.useful, self.verification, self.wasted, self.coordination)
        return total(it for it in parts if it is not None)

    def share(self, purpose: Purpose) -> float | None:
        """Part of the reserved energy spent on a purpose, 0 to 1; None if there is none."""
        whole = self.all
        if whole is None or not whole.reserved_uj:
            return None
        part: EnergyFigures | None = getattr(self, purpose.value)
        return part.reserved_uj / whole.reserved_uj if part is not None else 0.0

    @property
    def overhead_share(self) -> float | None:
        """Part of the reserved energy that is not of the results themselves, 0 to 1."""
        useful = self.share(Purpose.USEFUL)
        return None if useful is None else 1.0 - useful

    def as_record(self) -> dict[str, Any]:
        """Plain values, for the way to a recruiter's client."""
        parts = {it.value: getattr(self, it.value) for it in Purpose}
        record: dict[str, Any] = {k: it.as_record() if it else None for k, it in parts.items()}
        unknown = {"runs": self.unknown_runs, "reasons": sorted(self.unknown_reasons)}
        return record | {"unknown": unknown}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> JobEnergy:
        """Read what :meth:`as_record` wrote.

        Raises
        ------
        ValueError
            It is no such record.
        """
        try:
            parts = {it.value: record[it.value] for it in Purpose}
            unknown = record["unknown"]
            return cls(
                **{k: it and EnergyFigures.from_record(it) for k, it in parts.items()},
                unknown_runs=unknown["runs"],
                unknown_reasons=frozenset(unknown["reasons"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"no record of a job's energy ({error}): {record!r:.300}") from error


@dataclass(frozen=True, slots=True)
class OwnSum:
    """What one job has taken of a coordinator's process so far."""

    #: Names the sum: a job that was forgotten and goes on begins another.
    number: int
    figures: EnergyFigures


def account(runs: Iterable[Run]) -> JobEnergy:
    """Sort a job's runs by what their energy was spent on. Their order does not matter."""
    parts: dict[Purpose, list[EnergyFigures]] = {purpose: [] for purpose in Purpose}
    unknown = 0
    reasons: set[str] = set()
    for run in runs:
        if isinstance(run.energy, Unavailable):
            unknown += 1
            reasons.add(run.energy.reason)
        else:
            parts[run.end.purpose].append(run.energy)
    sums = {purpose.value: total(figures) for purpose, figures in parts.items()}
    return JobEnergy(**sums, unknown_runs=unknown, unknown_reasons=frozenset(reasons))
