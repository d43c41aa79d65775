"""What a recruiter reads after a job: tasks, attempts, points, how sure it is, and who was caught.

eco_job's plain values ──JobReport.from_plain──► fields, and text by str()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eco_dask.display.show import card_html
from eco_dask.energy.accounts import JobEnergy, Purpose
from eco_dask.energy.cloud import CloudComparison, compare_work
from eco_dask.energy.equivalents import equivalent
from eco_dask.energy.figures import EnergyFigures, in_unit
from eco_dask.energy.reading import Unavailable
from eco_dask.jobs import JobSpec
from eco_dask.ledger.energy_totals import NOT_REPORTED
from eco_dask.types import JobId

#: How long after a job's end its runs may still tell what they took, seconds.
ENERGY_WAIT_S = 6.0
_MEANS = {
    "audit": "results audited",
    "known": "known answers asked",
    "check": "answers put to the recruiter's own checks",
}


@dataclass(frozen=True, slots=True, repr=False)
class JobReport:
    """What became of a job."""

    name: str
    id: JobId
    #: Dask tasks of the job, those done and those that failed.
    tasks: int
    done: int
    erred: int
    #: Tasks that went to providers and were accepted; the others only moved data.
    accepted: int
    #: Answers bought from providers.
    attempts: int
    spent_mpt: int
    #: Attempts by the reason on their receipt.
    reasons: Mapping[str, int]
    elapsed_s: float | None
    #: Estimated probability that an accepted result is wrong: the highest of any, and the mean;
    #: None where a quorum decided, which estimates nothing.
    error_worst: float | None = None
    error_mean: float | None = None
    #: Leases by what they were for: ``vote`` to decide a task, ``audit`` to look at an accepted
    #: result again, ``known`` to ask a provider what is known, ``check`` to have a trusted worker
    #: run a check of the recruiter's own.
    leases: Mapping[str, int] = field(default_factory=dict)
    #: Leases to look again at accepted results, as somebody was caught or certainty was missing.
    backtracked: int = 0
    #: Accepted results that were wrong, or rested on wrong ones, and were computed again.
    recomputed: int = 0
    #: Whose answers were wrong, or not served as committed to: owner, provider, reason on the
    #: receipts, times.
    caught: Sequence[tuple[str, str, str, int]] = ()
    #: What the job took, by what it was for; None from a scheduler that does not tell.
    energy: JobEnergy | None = None
    #: The same work in a cloud, or why that cannot be said.
    cloud: CloudComparison | Unavailable | None = None

    @property
    def attempts_per_task(self) -> float | None:
        """Attempts for each accepted task; None before the first."""
        return self.attempts / self.accepted if self.accepted else None

    @property
    def spent_points(self) -> float:
        """Points paid."""
        return self.spent_mpt / 1000

    @classmethod
    def from_plain(
        cls, found: Mapping[str, Any], spec: JobSpec, elapsed_s: float | None
    ) -> JobReport:
        """Make a report of what the scheduler says of a job."""
        progress, totals, tally = found["progress"] or {}, found["totals"], found["tally"]
        known = tally["estimated"]
        return cls(
            name=spec.name,
            id=spec.id,
            tasks=progress.get("tasks", 0),
            done=progress.get("done", 0),
            erred=progress.get("erred", 0),
            accepted=totals["ballots_accepted"],
            attempts=totals["attempts"],
            spent_mpt=totals["spent_mpt"],
            reasons=dict(totals["by_reason"]),
            elapsed_s=elapsed_s,
            error_worst=tally["doubt_worst"] if known else None,
            error_mean=tally["doubt_sum"] / known if known else None,
            leases=dict(tally["attempts"]),
            backtracked=tally["backtracked"],
            recomputed=tally["recomputed"],
            caught=tuple((*who, times) for *who, times in found["faults"]),
            **_energy(found),
        )

    def facts(self) -> list[tuple[str, str]]:
        """Return what is worth telling, as pairs of a label and a text."""
        ratio = self.attempts_per_task
        per_task = f" ({ratio:.2f} per task)" if ratio is not None else ""
        facts = [
            ("tasks", f"{self.done} of {self.tasks} done, {self.erred} failed"),
            ("verified", f"{self.accepted} tasks by {self.attempts} attempts{per_task}"),
            ("paid", f"{self.spent_points:,.3f} points"),
        ]
        if self.reasons:
            receipts = ", ".join(f"{n} {reason}" for reason, n in self.reasons.items())
            facts.append(("receipts", receipts))
        if self.error_worst is not None and self.error_mean is not None:
            worst = f"at most {self.error_worst:.1e} per task by estimate"
            facts.append(("error", f"{worst}, {self.error_mean:.1e} on average"))
        elif self.accepted:
            facts.append(("error", "not estimated: a quorum of owners decided"))
        means = {name: n for name, n in self.leases.items() if name != "vote" and n}
        if means:
            facts.append(("checked", ", ".join(f"{n} {_MEANS[m]}" for m, n in means.items())))
        if self.backtracked or self.recomputed:
            attempts = f"{self.backtracked} attempts on results accepted before"
            facts.append(("again", f"{attempts}, {self.recomputed} results computed again"))
        if self.energy is not None:
            facts += energy_facts(self.energy, self.cloud)
        for owner, provider, reason, times in self.caught:
            facts.append(("caught", f"{owner}, provider {provider[:12]}: {times} x {reason}"))
        if self.elapsed_s is not None:
            facts.append(("time", f"{self.elapsed_s:.1f} s"))
        return facts

    def as_much_as(self, name: str) -> str:
        """Say what the job's energy is as much as, such as ``"led-hour"``.

        Raises
        ------
        ValueError
            There is no such equivalent, and the message lists them; or nothing is known.
        """
        whole = self.energy.all if self.energy is not None else None
        if whole is None:
            raise ValueError("no run's energy is known yet, so there is nothing to liken")
        return equivalent(whole, name).text

    def __str__(self) -> str:
        lines = [f"Job {self.name!r} ({self.id})"]
        return "\n".join(lines + [f"  {label:<9} {text}" for label, text in self.facts()])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        facts = self.facts()
        caught = tuple(f"Caught: {text}" for label, text in facts if label == "caught")
        rows = {label.capitalize(): text for label, text in facts if label != "caught"}
        return card_html("JobReport", f"{self.name} ({self.id})", rows, caught)


def awaits_energy(found: Mapping[str, Any], left_at_s: float | None, now_s: float) -> bool:
    """Whether a job's last runs, which ended a moment ago, may soon tell what they took."""
    told = found.get("energy")
    if told is None or left_at_s is None or now_s - left_at_s > ENERGY_WAIT_S:
        return False
    return NOT_REPORTED in told["unknown"]["reasons"]


def energy_facts(
    energy: JobEnergy, cloud: CloudComparison | Unavailable | None
) -> list[tuple[str, str]]:
    """Return what is worth telling of a job's energy, as pairs of a label and a text."""
    facts = []
    whole = energy.all
    if whole is not None:
        _, central, _ = whole.gco2e
        low, high = (in_unit(it, "g") for it in (whole.carbon.low_g, whole.carbon.high_g))
        wh = in_unit(whole.wh, "Wh")
        marginal, reserved = in_unit(whole.marginal_j, "J"), in_unit(whole.reserved_j, "J")
        facts.append(("energy", f"{marginal} marginal, {reserved} ({wh}) reserved, {whole.label}"))
        grids = ", ".join(sorted(whole.grids))
        facts.append(("carbon", f"{in_unit(central, 'g')} CO2e ({low} to {high}), {grids}"))
        facts.append(("overhead", _overhead(energy)))
        said = cloud.reason if isinstance(cloud, Unavailable) else str(cloud)
        facts.append(
            ("cloud", f"no comparison: {said}" if isinstance(cloud, Unavailable) else said)
        )
    if energy.unknown_runs:
        reasons = "; ".join(sorted(energy.unknown_reasons))
        facts.append(("unknown", f"energy of {energy.unknown_runs} attempts: {reasons}"))
    if whole is not None and whole.warnings:
        facts.append(("notes", "; ".join(sorted(whole.warnings))))
    return facts


def _overhead(energy: JobEnergy) -> str:
    parts = []
    for purpose in (Purpose.VERIFICATION, Purpose.WASTED, Purpose.COORDINATION):
        part: EnergyFigures | None = getattr(energy, purpose.value)
        if part is not None:
            share = energy.share(purpose) or 0.0
            parts.append(f"{purpose.value} {in_unit(part.reserved_j, 'J')} ({share:.0%})")
    return ", ".join(parts) or "none"


def _energy(found: Mapping[str, Any]) -> dict[str, Any]:
    told = found.get("energy")
    if told is None:
        return {}
    energy = JobEnergy.from_record(told)
    unknown_share = energy.unknown_runs / max(1, found["totals"]["attempts"])
    compared = compare_work(found["work_units"], energy.all, unknown_share=unknown_share)
    return {"energy": energy, "cloud": compared}
