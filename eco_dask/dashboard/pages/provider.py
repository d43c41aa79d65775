"""The page *Provider*: an owner's own machines, work, points, energy and receipts.

Snapshot, receipts of one owner ──provider_data──► tiles, lines, bars, tables
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from eco_dask.dashboard.model import EnergyFigures, Owner, Snapshot
from eco_dask.dashboard.pages.bars import Bars
from eco_dask.dashboard.pages.charts import Series
from eco_dask.dashboard.pages.colours import GREEN, ORANGE, PURPLE
from eco_dask.dashboard.pages.columns import PageData, Tile, columns, tiles
from eco_dask.dashboard.pages.energy import carbon_range, tier_label
from eco_dask.dashboard.pages.formats import (
    clock,
    count,
    grams,
    in_points,
    in_watt_hours,
    label,
    points,
    share,
    unique,
    watt_hours,
)
from eco_dask.dashboard.pages.history import History
from eco_dask.dashboard.pages.network import machine, state_of
from eco_dask.dashboard.pages.page import Page
from eco_dask.dashboard.pages.parts import Card, Part, Tiles
from eco_dask.dashboard.pages.tables import Field, Table
from eco_dask.dashboard.pages.verification import reason_columns
from eco_dask.ledger.receipts import Receipt, explain

_NO_MACHINES = "No machine has joined yet. The operator's `eco-dask invite` prints a link for it."
_NO_RECEIPTS = "No receipt yet: every attempt of your machines will have one."
_MACHINES_DRAWN = 12


def provider_data(
    snapshot: Snapshot,
    history: History,  # noqa: ARG001  as all pages
    owner: str,
    receipts: Sequence[Receipt] = (),
) -> PageData:
    """Return the columns of every part of the page, which hold nothing of other owners."""
    mine = [one for one in snapshot.providers if one.owner == owner]
    ordered = sorted(mine, key=lambda one: (not one.connected, one.id))
    names = unique([label(one.id, 16) for one in ordered])
    known = {one.name: one for one in snapshot.owners}
    by_reason: dict[str, int] = {}
    for receipt in receipts:
        by_reason[receipt.reason] = by_reason.get(receipt.reason, 0) + 1
    return {
        "tiles": tiles(_tiles(known.get(owner, Owner(owner)))),
        "earnings": columns(
            ("label", "posted", "pending"),
            (
                (name, in_points(one.posted_mpt), in_points(one.pending_mpt))
                for name, one in list(zip(names, ordered, strict=True))[:_MACHINES_DRAWN]
            ),
        ),
        "reasons": reason_columns(by_reason),
        "machines": columns(
            _MACHINE_NAMES,
            (_machine_row(name, one) for name, one in zip(names, ordered, strict=True)),
        ),
        "receipts": columns(
            ("at", "provider", "kind", "reason", "points", "cpu_s", "work_units", "explanation"),
            map(_receipt_row, receipts),
        ),
    }


def _tiles(found: Owner) -> Iterable[Tile]:
    energy = found.energy or EnergyFigures()
    yield Tile("Paid", points(found.posted_mpt), "points, yours for good")
    yield Tile("Pending", points(found.pending_mpt), "points, paid when results stand for good")
    yield Tile(
        "Machines", count(found.providers_connected), f"connected, of {found.providers_known} known"
    )
    yield Tile("Attempts", count(found.tasks), "that ended, whatever came of them")
    answers = found.agreed + found.dissented
    yield Tile("Agreement", share(found.agreed, answers), f"{count(found.agreed)} accepted answers")
    yield Tile(
        "Strikes", count(found.strikes), "for wrong answers, see below", alarming=found.strikes > 0
    )
    yield Tile("Energy", watt_hours(energy.marginal_uj), "what your bill rose by, see class")
    yield Tile("CO2e", grams(energy.gco2e_central), carbon_range(energy))
    yield Tile("Metered", share(energy.metered_uj, energy.reserved_uj), tier_label(energy.tier))


_MACHINE_NAMES = (
    "id", "state", "slots", "leases", "score", "tasks", "agreed", "dissented", "posted", "pending",
    "strikes", "reasons", "wh", "machine",
)  # fmt: skip


def _machine_row(name: str, one: Any) -> tuple[Any, ...]:
    return (
        name,
        state_of(one),
        one.slots,
        one.leases_live,
        one.score,
        one.tasks,
        one.agreed,
        one.dissented,
        in_points(one.posted_mpt),
        in_points(one.pending_mpt),
        one.strikes,
        ", ".join(f"{n} {label(why)}" for why, n in one.strike_reasons.items()),
        in_watt_hours(one.energy.marginal_uj) if one.energy else None,
        label(machine(one.capability), 60),
    )


def _receipt_row(one: Receipt) -> tuple[Any, ...]:
    return (
        clock(one.issued_at_s),
        label(one.provider, 16),
        label(one.kind, 30),
        str(one.reason),
        in_points(one.amount_mpt),
        one.cpu_s,
        one.work_units,
        explain(one.reason),
    )


_MACHINES_FIELDS = (
    Field("id", "Machine", width_px=130),
    Field("state", "State", width_px=70),
    Field("slots", "Slots", "count", 60),
    Field("leases", "Leases", "count", 65),
    Field("score", "Speed (ref. cores)", "number", 85),
    Field("tasks", "Attempts", "count", 75),
    Field("agreed", "Agreed", "count", 70),
    Field("dissented", "Dissented", "count", 85),
    Field("posted", "Paid (points)", "points", 85),
    Field("pending", "Pending (points)", "points", 85),
    Field("strikes", "Strikes", "count", 65),
    Field("reasons", "Struck for", width_px=150),
    Field("wh", "Energy (Wh)", "wh", 80),
    Field("machine", "What it is", width_px=170),
)

_RECEIPTS_FIELDS = (
    Field("at", "Time (UTC)", width_px=140),
    Field("provider", "Machine", width_px=120),
    Field("kind", "Kind of task", width_px=130),
    Field("reason", "Reason", width_px=105),
    Field("points", "Points", "points", 75),
    Field("cpu_s", "CPU (s)", "points", 75),
    Field("work_units", "Work (ref.-core-s)", "points", 100),
    Field("explanation", "What it means", width_px=420),
)


def provider_parts() -> list[Part]:
    """Return the page's parts."""
    return [
        Tiles(Card("tiles", "Your machines", wide=True)),
        Bars(
            Card("earnings", "Points by machine", "Paid and pending.", _NO_MACHINES),
            [Series("posted", "paid", GREEN), Series("pending", "pending", ORANGE)],
            "points",
        ),
        Bars(
            Card("reasons", "Latest receipts by reason", "Each attempt has one.", _NO_RECEIPTS),
            [Series("attempts", "attempts", PURPLE)],
            "attempts in all",
        ),
        Table(
            Card("machines", "Machines", "Click a heading to sort.", _NO_MACHINES, wide=True),
            _MACHINES_FIELDS,
        ),
        Table(
            Card("receipts", "Latest receipts", "Also for what paid nothing, and why.",
                 _NO_RECEIPTS, wide=True),
            _RECEIPTS_FIELDS,
        ),
    ]  # fmt: skip


def provider_page(owner: str, receipts: Callable[[], Sequence[Receipt]]) -> Page:
    """Return the page of one owner, with the receipts that there are when it is computed."""

    def data(snapshot: Snapshot, history: History) -> PageData:
        return provider_data(snapshot, history, owner, receipts())

    return Page("provider", "Provider", data, provider_parts)
