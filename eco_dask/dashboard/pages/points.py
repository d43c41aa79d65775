"""The page *Points*: what is held, paid and pending, for what, and why some answers earn nothing.

Snapshot ──points_data──► tiles, lines, bars, tables
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eco_dask.dashboard.model import Points, Snapshot
from eco_dask.dashboard.pages.bars import Bars
from eco_dask.dashboard.pages.charts import Series
from eco_dask.dashboard.pages.colours import BLUE, GREEN, GREY, ORANGE
from eco_dask.dashboard.pages.columns import PageData, Tile, columns, tiles
from eco_dask.dashboard.pages.formats import (
    UNKNOWN,
    count,
    in_points,
    label,
    points,
    unique,
)
from eco_dask.dashboard.pages.history import History
from eco_dask.dashboard.pages.lines import Lines
from eco_dask.dashboard.pages.page import Page
from eco_dask.dashboard.pages.parts import Card, Part, Tiles
from eco_dask.dashboard.pages.tables import Field, Table

_NOTHING_PAID = "Nothing has been paid yet: points are paid when a result is accepted."
_OWNERS_DRAWN = 15


def points_data(snapshot: Snapshot, history: History) -> PageData:
    """Return the columns of every part of the page."""
    return {
        "tiles": tiles(_tiles(snapshot.points)),
        "flow": history.pick("posted_points", "pending_points", "reserved_points"),
        "market": history.pick("slots", "demand_tasks"),
        "earners": _earners(snapshot),
        "zeros": _zeros(snapshot.points),
        "owners": columns(
            ("owner", "connected", "known", "tasks", "agreed", "dissented", "posted", "pending"),
            (
                (
                    label(one.name),
                    one.providers_connected,
                    one.providers_known,
                    one.tasks,
                    one.agreed,
                    one.dissented,
                    in_points(one.posted_mpt),
                    in_points(one.pending_mpt),
                )
                for one in sorted(snapshot.owners, key=lambda one: one.name)
            ),
        ),
    }


def _tiles(found: Points) -> Iterable[Tile]:
    yield Tile("Paid", points(found.posted_mpt), "points, to owners whose answers agreed")
    yield Tile("Pending", points(found.pending_mpt), "points, until results stand for good")
    yield Tile("Held", points(found.reserved_mpt), "points, for attempts under way")
    yield Tile("Spent", points(found.spent_mpt), "points, by recruiters")
    yield Tile(
        "Pay", points(found.pay_per_unit_mpt), "points per unit of work (reference-core-second)"
    )
    yield Tile("Demand", count(found.demand_tasks), "tasks that wait or run")
    yield Tile("Supply", count(found.supply_slots), "slots that providers offer")
    yield Tile(
        "Unpaid", count(sum(found.zero_reasons.values())), "attempts that earned nothing, see why"
    )


def _earners(snapshot: Snapshot) -> Mapping[str, list[Any]]:
    ordered = sorted(
        snapshot.owners, key=lambda one: (-(one.posted_mpt or 0), -(one.pending_mpt or 0), one.name)
    )
    paid = [one for one in ordered if one.posted_mpt or one.pending_mpt][:_OWNERS_DRAWN]
    names = unique([label(one.name, 28) for one in paid])
    return columns(
        ("label", "posted", "pending"),
        (
            (name, in_points(one.posted_mpt), in_points(one.pending_mpt))
            for name, one in zip(names, paid, strict=True)
        ),
    )


def _zeros(found: Points) -> Mapping[str, list[Any]]:
    ordered = sorted(found.zero_reasons.items(), key=lambda each: (-each[1], each[0]))
    return columns(
        ("reason", "attempts", "explanation"),
        (
            (label(reason), number, label(found.explanations.get(reason, UNKNOWN), 300))
            for reason, number in ordered
        ),
    )


_ZEROS_FIELDS = (
    Field("reason", "Reason", width_px=110),
    Field("attempts", "Attempts", "count", 70),
    Field("explanation", "What it means", width_px=420),
)

_OWNERS_FIELDS = (
    Field("owner", "Owner", width_px=180),
    Field("connected", "Providers connected", "count", 120),
    Field("known", "known", "count", 70),
    Field("tasks", "Tasks", "count"),
    Field("agreed", "Agreed", "count"),
    Field("dissented", "Dissented", "count"),
    Field("posted", "Paid (points)", "points", 110),
    Field("pending", "Pending (points)", "points", 110),
)


def points_parts() -> list[Part]:
    """Return the page's parts."""
    return [
        Tiles(Card("tiles", "Points", wide=True)),
        Lines(
            Card("flow", "Flow", "Points paid in total, pending, and held for attempts."),
            [
                Series("posted_points", "paid", GREEN),
                Series("pending_points", "pending", ORANGE),
                Series("reserved_points", "held", GREY, "dashed"),
            ],
            "points",
        ),
        Lines(
            Card("market", "Demand and supply", "Tasks that wait or run, and slots for them."),
            [Series("demand_tasks", "tasks", BLUE), Series("slots", "slots", GREY, "dashed")],
            "tasks, slots",
        ),
        Bars(
            Card(
                "earners",
                "Owners",
                "Those who earned most, in points.",
                _NOTHING_PAID,
                least="operator",
            ),
            [Series("posted", "paid", GREEN), Series("pending", "pending", ORANGE)],
            "points",
        ),
        Table(
            Card(
                "zeros",
                "Why attempts earned nothing",
                "Every attempt has a receipt with a reason.",
                "Every attempt so far was paid.",
            ),
            _ZEROS_FIELDS,
        ),
        Table(
            Card(
                "owners",
                "All owners",
                "Click a heading to sort.",
                _NOTHING_PAID,
                wide=True,
                least="operator",
            ),
            _OWNERS_FIELDS,
        ),
    ]


POINTS = Page("points", "Points", points_data, points_parts)
