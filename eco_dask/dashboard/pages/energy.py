"""The page *Energy*: watts, watt-hours and grams of CO2e, measured or estimated, with ranges.

Snapshot ──energy_data──► tiles, lines, ranges, tables
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eco_dask.dashboard.model import Baseline, Energy, EnergyFigures, Job, Snapshot
from eco_dask.dashboard.pages.bars import Bars, Ranges
from eco_dask.dashboard.pages.charts import Series
from eco_dask.dashboard.pages.colours import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY
from eco_dask.dashboard.pages.columns import PageData, Tile, columns, tiles
from eco_dask.dashboard.pages.formats import (
    UNKNOWN,
    count,
    grams,
    in_watt_hours,
    label,
    share,
    unique,
    watt_hours,
)
from eco_dask.dashboard.pages.history import TIERS, History
from eco_dask.dashboard.pages.lines import Lines
from eco_dask.dashboard.pages.page import Page
from eco_dask.dashboard.pages.parts import Card, Part, Tiles
from eco_dask.dashboard.pages.tables import Field, Table
from eco_dask.energy.figures import in_unit
from eco_dask.energy.reading import Tier

_NOTHING = "No energy has been reported yet: it comes with the answers of providers that meter it."
_NOT_SPLIT = "It is not known yet what the energy was for."
_JOBS_DRAWN = 12
_TIER_COLOURS = (GREEN, SKY, BLUE, ORANGE, GREY)


def energy_data(snapshot: Snapshot, history: History) -> PageData:
    """Return the columns of every part of the page."""
    found = snapshot.energy
    notes = [*found.warnings, *(found.baseline.assumptions if found.baseline else ())]
    if found.unknown_runs:
        notes.append(f"{count(found.unknown_runs)} attempts reported no energy: totals are too low")
    return {
        "tiles": tiles(_tiles(found)),
        "watts": history.pick(*(f"watts_{tier}" for tier in TIERS)),
        "uses": _uses(found),
        "baseline": _against(found),
        "sources": _by_tier(snapshot),
        "jobs": _drawn_jobs(snapshot),
        "table": columns(_JOB_NAMES, map(_job_row, snapshot.jobs)),
        "notes": columns(("note",), ((label(each, 300),) for each in notes)),
    }


def _tiles(found: Energy) -> Iterable[Tile]:
    watts = found.watts_by_tier
    base = found.baseline
    yield Tile(
        "Power",
        UNKNOWN if watts is None else in_unit(sum(watts.values()), "W"),
        "of late, at the wall, for the network's work",
    )
    yield Tile(
        "Energy",
        watt_hours(found.reserved_uj),
        found.unknown or "in all, with the idle power kept for the work",
    )
    yield Tile("Marginal", watt_hours(found.marginal_uj), "what owners' bills rose by")
    yield Tile("CO2e", grams(found.gco2e_central), carbon_range(found))
    yield Tile("Metered", share(found.metered_uj, found.reserved_uj), tier_label(found.tier))
    yield Tile(
        "Against the baseline",
        watt_hours(base.saved_uj if base else None),
        found.baseline_unknown or "no baseline" if base is None else saved_range(base),
        alarming=base is not None and base.saved_uj < 0,
    )
    yield Tile(
        "Not measured",
        count(found.unknown_runs),
        "attempts without a figure, in no total",
        alarming=bool(found.unknown_runs),
    )


def saved_range(base: Baseline) -> str:
    """Say what the network saves against a baseline, or loses, at best and at worst."""
    low, high = watt_hours(base.saved_low_uj), watt_hours(base.saved_high_uj)
    word = "saved" if base.saved_uj >= 0 else "lost: less than nothing saved"
    return f"{word}, {low} to {high}, against {label(base.name)}"


def _uses(found: Energy) -> Mapping[str, list[Any]]:
    """Return what the energy was for."""
    named = (
        ("useful work", found.useful_uj),
        ("verification", found.verification_uj),
        ("wasted", found.wasted_uj),
        ("coordination", found.coordination_uj),
    )
    rows = [
        (name, in_watt_hours(energy_uj), share(energy_uj, found.reserved_uj))
        for name, energy_uj in named
        if energy_uj is not None
    ]
    return columns(("label", "wh", "share"), rows)


def carbon_range(found: EnergyFigures) -> str:
    """Return the bounds of a mass of CO2e."""
    if found.gco2e_low is None or found.gco2e_high is None:
        return "no range is known"
    return f"{grams(found.gco2e_low)} to {grams(found.gco2e_high)}"


def tier_label(tier: str | None) -> str:
    """Say what a source class means."""
    try:
        return f"worst source: {Tier(tier).label} (class {tier})"
    except ValueError:
        return "source unknown"


def _against(found: Energy) -> Mapping[str, list[Any]]:
    """Return this network's CO2e and that of the baseline."""
    rows = [("this network", found.gco2e_low, found.gco2e_central, found.gco2e_high)]
    if found.baseline is not None:
        base = found.baseline
        rows.append(
            (label(f"baseline: {base.name}"), base.gco2e_low, base.gco2e_central, base.gco2e_high)
        )
    known = (row for row in rows if None not in row)
    return columns(("label", "low", "central", "high"), known)


def _by_tier(snapshot: Snapshot) -> Mapping[str, list[Any]]:
    """Return energy by the class of its source, and how many providers are in it."""
    sums: dict[str, int] = {}
    members: dict[str, int] = {}
    for one in snapshot.providers:
        if one.energy is not None and one.energy.reserved_uj is not None:
            tier = str(one.energy.tier)
            sums[tier] = sums.get(tier, 0) + one.energy.reserved_uj
            members[tier] = members.get(tier, 0) + 1
    known = [tier.value for tier in Tier if tier.value in sums]
    rows = (
        (f"{Tier(tier).label} ({tier})", in_watt_hours(sums[tier]), members[tier]) for tier in known
    )
    return columns(("label", "wh", "providers"), rows)


def _drawn_jobs(snapshot: Snapshot) -> Mapping[str, list[Any]]:
    known = [job for job in snapshot.jobs if job.energy.reserved_uj is not None][:_JOBS_DRAWN]
    names = unique([label(job.name, 28) for job in known])
    rows = []
    for name, job in zip(names, known, strict=True):
        parts = (job.energy.useful_uj, job.energy.verification_uj, job.energy.wasted_uj)
        rows.append((name, *map(in_watt_hours, parts), carbon_range(job.energy)))
    return columns(("label", "useful", "verification", "wasted", "gco2e"), rows)


_JOB_NAMES = (
    "job", "reserved_wh", "marginal_wh", "verification_wh", "wasted_wh", "low", "central", "high",
    "tier",
)  # fmt: skip


def _job_row(job: Job) -> tuple[Any, ...]:
    found = job.energy
    return (
        label(job.name),
        in_watt_hours(found.reserved_uj),
        in_watt_hours(found.marginal_uj),
        in_watt_hours(found.verification_uj),
        in_watt_hours(found.wasted_uj),
        found.gco2e_low,
        found.gco2e_central,
        found.gco2e_high,
        found.tier or UNKNOWN,
    )


_POWERS = tuple(
    Series(f"watts_{tier.value}", f"{tier.label} ({tier.value})", colour)
    for tier, colour in zip(Tier, _TIER_COLOURS, strict=True)
)
_USES = (
    Series("useful", "useful", GREEN),
    Series("verification", "verification", PURPLE),
    Series("wasted", "wasted", RED),
)
_TABLE_FIELDS = (
    Field("job", "Job", width_px=200),
    Field("reserved_wh", "Energy (Wh)", "wh", 100),
    Field("marginal_wh", "Marginal (Wh)", "wh", 100),
    Field("verification_wh", "Verification (Wh)", "wh", 110),
    Field("wasted_wh", "Wasted (Wh)", "wh", 100),
    Field("low", "CO2e, low (g)", "grams", 100),
    Field("central", "likely (g)", "grams", 90),
    Field("high", "high (g)", "grams", 90),
    Field("tier", "Class", width_px=60),
)


def energy_parts() -> list[Part]:
    """Return the page's parts."""
    return [
        Tiles(Card("tiles", "Energy", wide=True)),
        Lines(
            Card("watts", "Power", "At the wall, by the class of its meters.", _NOTHING, wide=True),
            _POWERS,
            "watts",
        ),
        Bars(
            Card("uses", "What it was for", "Energy with reserved idle power.", _NOT_SPLIT),
            [Series("wh", "energy", GREEN)],
            "Wh",
            [("share", "share")],
        ),
        Ranges(
            Card("baseline", "CO2e against the baseline", "Likely values and ranges.", _NOTHING),
            "grams CO2e",
        ),
        Bars(
            Card("sources", "By source class", "From metered to assumed.", _NOTHING),
            [Series("wh", "energy", BLUE)],
            "Wh",
            [("providers", "providers")],
        ),
        Bars(
            Card(
                "jobs",
                "By job",
                "The latest ones: work, checking, waste.",
                _NOTHING,
                least="recruiter",
            ),
            _USES,
            "Wh",
            [("CO2e", "gco2e")],
        ),
        Table(
            Card(
                "table",
                "All jobs",
                "Click a heading to sort.",
                _NOTHING,
                wide=True,
                least="recruiter",
            ),
            _TABLE_FIELDS,
        ),
        Table(
            Card(
                "notes", "To be kept in mind", "What the figures leave out.", "Nothing.", wide=True
            ),
            [Field("note", "Note", width_px=800)],
        ),
    ]


ENERGY = Page("energy", "Energy", energy_data, energy_parts)
