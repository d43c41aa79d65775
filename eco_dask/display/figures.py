"""What is shown of a snapshot: figures in sections, the same for HTML and text.

snapshot (plain) ──sections──► Section ──► Figure(path, label, value, text)     ──jobs──► JobLine

A snapshot is what the scheduler answers to ``eco_snapshot``. A missing key is unknown, not 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eco_dask.display import words
from eco_dask.energy.reading import Tier
from eco_dask.text import clean

Plain = Mapping[str, Any]
#: Jobs and strikes that are shown; how many more there are is said.
JOBS_MAX, STRIKES_MAX, WARNINGS_MAX = 8, 3, 3
_NAME_CHARS_MAX, _NOTE_CHARS_MAX = 80, 240
_RUNNING = "running"
#: What the classes of energy figures mean.
_TIERS = {tier.value: tier.label for tier in Tier}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its label and unit."""

    #: Where it stands in the snapshot, such as ``points.spent_mpt``.
    path: str
    label: str
    #: As the snapshot has it; None if unknown.
    value: float | None
    text: str
    #: What it means, for a tooltip.
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Figures that belong together."""

    title: str
    figures: tuple[Figure, ...]
    #: Sentences below them.
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobLine:
    """One job in a list."""

    id: str
    name: str
    state: str
    #: 0 to 1, None before the first task is known.
    progress: float | None
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()


def sections(snapshot: Plain) -> tuple[Section, ...]:
    """Return the sections of a snapshot: network, verification, points, energy."""
    return (
        _network(_part(snapshot, "network")),
        _verification(_part(snapshot, "verification")),
        _points(_part(snapshot, "points")),
        _energy(_part(snapshot, "energy")),
    )


def jobs(snapshot: Plain) -> tuple[JobLine, ...]:
    """Return the jobs of a snapshot, running ones first, then the latest."""
    found = [job for job in snapshot.get("jobs") or () if isinstance(job, Mapping)]
    found.sort(key=lambda j: (j.get("state") != _RUNNING, -(j.get("started_at_s") or 0.0)))
    return tuple(map(_job, found))


def name(text: object) -> str:
    """Return a name that strangers chose, fit to show."""
    return " ".join(clean(str(text), _NAME_CHARS_MAX).split())


def _part(snapshot: Plain, key: str) -> Plain:
    part = snapshot.get(key)
    return part if isinstance(part, Mapping) else {}


def _of(part: Plain, within: str) -> Any:
    """Return a function that makes figures of a part's numbers."""

    def figure(key: str, label: str, say: Any = words.count, hint: str = "") -> Figure:
        value = part.get(key)
        return Figure(f"{within}.{key}", label, value, say(value), hint)

    return figure


def _network(part: Plain) -> Section:
    figure = _of(part, "network")
    shown = [
        figure("providers_connected", "providers connected"),
        figure("providers_known", "providers known"),
        figure("slots_busy", "slots busy", hint="a slot runs one task at a time"),
        figure("slots", "slots"),
        figure("tasks_waiting", "tasks waiting"),
    ]
    shown += [
        figure(key, label)
        for key, label in (("providers_paused", "paused"), ("providers_revoked", "revoked"))
        if part.get(key)
    ]
    notes = (
        ()
        if part.get("providers_connected") != 0
        else ("No provider is connected. Invite an owner: eco-dask invite --owner NAME",)
    )
    return Section("Network", tuple(shown), notes)


def _verification(part: Plain) -> Section:
    figure = _of(part, "verification")
    shown = [
        figure("accepted", "tasks verified", hint="accepted results of tasks that providers did"),
        figure("attempts_per_task", "attempts per task", words.ratio, "answers bought for each"),
        figure("agreed", "answers agreed"),
        figure("dissented", "dissented", hint="answers that were not the accepted one"),
        figure("disputed", "disputed", hint="tasks whose answers contradict each other for good"),
        figure("audits", "audits", hint="accepted results that were looked at again"),
    ]
    shown += [
        figure(key, label)
        for key, label in (
            ("known_answers", "known answers asked"),
            ("own_checks", "checked by algebra or your checks"),
            ("recomputed", "computed again"),
        )
        if part.get(key)
    ]
    if part.get("error_worst") is not None:
        hint = "estimated probability that an accepted result is wrong: the highest of any"
        shown.append(figure("error_worst", "highest estimated error", words.chance, hint))
    strikes = [s for s in part.get("strikes") or () if isinstance(s, Mapping)]
    return Section("Verification", tuple(shown), _caught(strikes))


def _caught(strikes: Sequence[Plain]) -> tuple[str, ...]:
    """Say who was caught at what, how often, and when last; the latest first."""
    grouped: dict[tuple[str, ...], list[float]] = {}
    for strike in sorted(strikes, key=lambda s: -(s.get("at_s") or 0.0)):
        who = tuple(name(strike.get(key)) for key in ("owner", "provider", "reason"))
        grouped.setdefault(who, []).append(strike.get("at_s") or 0.0)
    lines = [
        f"caught: {owner} ({provider[:12]}), {len(times)} x {reason}, last at "
        f"{words.clock(times[0])}"
        for (owner, provider, reason), times in list(grouped.items())[:STRIKES_MAX]
    ]
    more = len(grouped) - STRIKES_MAX
    return (*lines, f"and {more} more were caught") if more > 0 else tuple(lines)


def _points(part: Plain) -> Section:
    figure = _of(part, "points")
    hint = "paid for accepted work"
    return Section(
        "Points",
        (
            figure("spent_mpt", "points spent", words.points, hint),
            figure("reserved_mpt", "reserved", words.points, "held for work under way"),
            figure("posted_mpt", "paid to owners", words.points),
            figure("pending_mpt", "pending", words.points, "earned, and not paid out yet"),
            figure("pay_per_unit_mpt", "per unit of work", words.points, "reference-core-second"),
        ),
    )


def _energy(part: Plain) -> Section:
    figure = _of(part, "energy")
    shown = (
        figure("reserved_uj", "energy", words.energy, "at the wall, with the share of idle power"),
        figure("marginal_uj", "of it marginal", words.energy, "what owners' bills rise by"),
        figure("gco2e_central", "CO2e", words.grams, "greenhouse gases, central estimate"),
        Figure(
            "energy.metered_uj", "metered", part.get("metered_uj"),
            words.share(part.get("metered_uj"), part.get("reserved_uj")),
            "the part that meters counted; the rest is modelled",
        ),
    )  # fmt: skip
    notes = []
    if (tier := part.get("tier")) is not None:
        sources = ", ".join(map(name, part.get("sources") or ())) or "unknown means"
        notes.append(f"{_TIERS.get(tier, name(tier))} at worst (class {name(tier)}), by {sources}")
    low, high = words.grams(part.get("gco2e_low")), words.grams(part.get("gco2e_high"))
    if words.UNKNOWN not in (low, high):
        notes.append(f"CO2e is likely between {low} and {high}")
    notes += [clean(str(w), _NOTE_CHARS_MAX) for w in (part.get("warnings") or ())[:WARNINGS_MAX]]
    if part.get("unknown_runs"):
        notes.append(f"{words.count(part['unknown_runs'])} runs of unknown energy are not in it")
    if part.get("unknown"):
        notes.append(f"Unknown: {name(part['unknown'])}.")
    notes += _against(_part(part, "baseline"))
    return Section("Energy", shown, tuple(notes))


def _against(baseline: Plain) -> list[str]:
    """Compare with what the same work would have taken elsewhere, also where that was less."""
    saved, low, high = (baseline.get(f"saved_{which}uj") for which in ("", "low_", "high_"))
    if saved is None:
        return []
    word = "saved" if saved >= 0 else "lost"
    ends = f"{words.energy(low)} to {words.energy(high)} saved"
    return [f"{words.energy(abs(saved))} {word} against {name(baseline.get('name'))} ({ends})"]


def _job(job: Plain) -> JobLine:
    figure = _of(job, f"jobs.{name(job.get('id'))}")
    energy = _of(_part(job, "energy"), f"jobs.{name(job.get('id'))}.energy")
    tasks, done = job.get("tasks"), job.get("done")
    budget_mpt = job.get("budget_mpt")
    spent = figure("spent_mpt", "points", words.points)
    if budget_mpt is not None:
        text = f"{spent.text} of {words.points(budget_mpt)}"
        spent = Figure(spent.path, spent.label, spent.value, text)
    shown = (
        figure("done", "done"),
        figure("tasks", "tasks"),
        figure("erred", "failed"),
        figure("attempts_per_task", "attempts per task", words.ratio),
        spent,
        energy("reserved_uj", "energy", words.energy),
        figure("left_s", "time left", words.span),
    )
    return JobLine(
        id=name(job.get("id")),
        name=name(job.get("name")),
        state=name(job.get("state")),
        progress=min(1.0, done / tasks) if tasks and done is not None else None,
        figures=shown,
        notes=_asked(job),
    )


def _asked(job: Plain) -> tuple[str, ...]:
    """Say how sure a job's results were to be, and are."""
    if job.get("error") is not None:
        worst = words.chance(job.get("error_worst"))
        return (f"error asked {words.chance(job['error'])}, at most {worst} by estimate",)
    if job.get("quorum") is not None:
        return (f"quorum of {words.count(job['quorum'])} owners",)
    return ()
