"""The page *Verification*: how sure results are, what it took, and who was caught.

Snapshot ──verification_data──► tiles, lines, bars, tables
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eco_dask.dashboard.model import Snapshot, Verification
from eco_dask.dashboard.pages.bars import Bars, Distribution
from eco_dask.dashboard.pages.charts import Series
from eco_dask.dashboard.pages.colours import PURPLE
from eco_dask.dashboard.pages.columns import PageData, Tile, columns, tiles
from eco_dask.dashboard.pages.formats import chance, clock, count, label, ratio, share, unique
from eco_dask.dashboard.pages.history import History
from eco_dask.dashboard.pages.lines import Lines
from eco_dask.dashboard.pages.page import Page
from eco_dask.dashboard.pages.parts import Card, Part, Tiles
from eco_dask.dashboard.pages.tables import Field, Table

_NO_ANSWERS = "No answer has been checked yet."


def verification_data(snapshot: Snapshot, history: History) -> PageData:
    """Return the columns of every part of the page."""
    found = snapshot.verification
    return {
        "tiles": tiles(_tiles(found)),
        "attempts": history.pick("attempts_per_task"),
        "reasons": reason_columns(found.by_reason),
        "credibility": columns(
            ("label", "owners"),
            (
                (f"{one.low:.4g} to {one.high:.4g}", one.owners)
                for one in found.credibility_bins or ()
            ),
        ),
        "kinds": _kinds(found),
        "strikes": columns(
            ("at", "provider", "owner", "reason"),
            (
                (clock(one.at_s), label(one.provider, 16), label(one.owner), label(one.reason, 60))
                for one in sorted(found.strikes, key=lambda one: -one.at_s)
            ),
        ),
    }


def _tiles(found: Verification) -> Iterable[Tile]:
    answers = (found.agreed or 0) + (found.dissented or 0)
    yield Tile("Accepted", count(found.accepted), "tasks with a checked result")
    yield Tile(
        "Attempts per task", ratio(found.attempts_per_task), f"{count(found.attempts)} answers"
    )
    yield Tile("Agreement", share(found.agreed, answers), f"{count(found.agreed)} answers agreed")
    yield Tile(
        "Dissent",
        count(found.dissented),
        "answers that differed from the accepted one",
        alarming=bool(found.dissented),
    )
    yield Tile("Disputed", count(found.disputed), "tasks without an accepted answer")
    yield Tile("Audits", count(found.audits), "answers computed again by trusted workers")
    yield Tile("Known answers", count(found.known_answers), "asked again of providers")
    yield Tile("Own checks", count(found.own_checks), "answers put to recruiters' checks")
    yield Tile("Taken back", count(found.recomputed), f"{count(found.backtracked)} checked again")
    yield Tile(
        "Error, worst",
        chance(found.error_worst),
        f"estimated per task; {chance(found.error_mean)} on average",
    )


def _kinds(found: Verification) -> Mapping[str, list[Any]]:
    return columns(
        ("kind", "accepted", "attempts", "per_task", "cpu_s", "work_units", "dissented"),
        (
            (
                label(one.kind, 60),
                one.accepted,
                one.attempts,
                one.attempts / one.accepted if one.accepted else None,
                one.cpu_s,
                one.work_units,
                one.dissented,
            )
            for one in sorted(found.kinds, key=lambda one: -one.attempts)
        ),
    )


def reason_columns(by_reason: Mapping[str, int]) -> Mapping[str, list[Any]]:
    """Return receipts by their reason, the most frequent first."""
    ordered = sorted(by_reason.items(), key=lambda each: (-each[1], each[0]))
    names = unique([label(reason) for reason, _ in ordered])
    return columns(
        ("label", "attempts"), ((name, n) for name, (_, n) in zip(names, ordered, strict=True))
    )


_STRIKES_FIELDS = (
    Field("at", "Time (UTC)", width_px=140),
    Field("owner", "Owner", width_px=110),
    Field("provider", "Provider", width_px=120),
    Field("reason", "Reason", width_px=160),
)

_KINDS_FIELDS = (
    Field("kind", "Kind", width_px=260),
    Field("accepted", "Accepted", "count"),
    Field("attempts", "Attempts", "count"),
    Field("per_task", "Attempts per task", "number", 110),
    Field("cpu_s", "CPU time (s)", "number", 100),
    Field("work_units", "Work paid (ref.-core-s)", "number", 140),
    Field("dissented", "Dissented", "count"),
)


def verification_parts() -> list[Part]:
    """Return the page's parts."""
    return [
        Tiles(Card("tiles", "Verification", wide=True)),
        Lines(
            Card("attempts", "Attempts per task", "What certainty costs; 1 is least.", _NO_ANSWERS),
            [Series("attempts_per_task", "attempts per accepted task", PURPLE)],
            "attempts",
        ),
        Bars(
            Card("reasons", "Attempts by outcome", "As their receipts say.", _NO_ANSWERS),
            [Series("attempts", "attempts", PURPLE)],
            "attempts in all",
        ),
        Distribution(
            Card(
                "credibility",
                "Credibility",
                "Owners by how likely a lone answer of theirs is right.",
                "Nothing is known of any owner yet: it is learned from answers and audits.",
                least="operator",
            ),
            "probability of a right answer",
        ),
        Table(
            Card(
                "strikes",
                "Strikes",
                "Who was caught, latest first; times in UTC.",
                "Nobody.",
                least="recruiter",
            ),
            _STRIKES_FIELDS,
        ),
        Table(
            Card(
                "kinds",
                "Kinds of tasks",
                "As providers measured them.",
                _NO_ANSWERS,
                wide=True,
                least="recruiter",
            ),
            _KINDS_FIELDS,
        ),
    ]


VERIFICATION = Page("verification", "Verification", verification_data, verification_parts)
