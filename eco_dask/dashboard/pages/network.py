"""The page *Network*: who is there, with what, and how busy.

Snapshot ──network_data──► tiles, lines, bars, tables
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from eco_dask.dashboard.model import Provider, Snapshot
from eco_dask.dashboard.pages.bars import Bars
from eco_dask.dashboard.pages.charts import Series
from eco_dask.dashboard.pages.colours import BLUE, GREEN, GREY, ORANGE, RED, SKY
from eco_dask.dashboard.pages.columns import PageData, Tile, columns, tiles
from eco_dask.dashboard.pages.formats import count, in_points, label, share, unique
from eco_dask.dashboard.pages.history import History
from eco_dask.dashboard.pages.lines import Lines
from eco_dask.dashboard.pages.page import Page
from eco_dask.dashboard.pages.parts import Card, Part, Tiles
from eco_dask.dashboard.pages.tables import Field, Table

_INVITE = "No provider has joined yet. Invite an owner's machine with `eco-dask invite --owner ada`"
#: States in the order in which they are shown.
STATES = {"busy": GREEN, "idle": SKY, "paused": ORANGE, "away": GREY, "revoked": RED}
_KINDS_SHOWN = 12


def network_data(snapshot: Snapshot, history: History) -> PageData:
    """Return the columns of every part of the page."""
    return {
        "tiles": tiles(_tiles(snapshot)),
        "load": history.pick("slots", "slots_busy", "tasks_waiting"),
        "presence": history.pick("connected"),
        "states": _states(snapshot.providers),
        "capability": _capability(snapshot.providers),
        "providers": columns(_PROVIDER_NAMES, map(_row, sorted(snapshot.providers, key=_order))),
        "gateways": columns(
            ("name", "address", "slots", "providers"),
            (
                (label(g.name), label(g.address, 80), g.slots, g.providers)
                for g in snapshot.network.gateways
            ),
        ),
    }


def state_of(provider: Provider) -> str:
    """Return the one word for how a provider is."""
    if provider.revoked:
        return "revoked"
    if not provider.connected:
        return "away"
    if provider.paused:
        return "paused"
    return "busy" if provider.leases_live else "idle"


def _tiles(snapshot: Snapshot) -> Iterable[Tile]:
    network = snapshot.network
    yield Tile(
        "Providers",
        count(network.providers_connected),
        f"connected, of {count(network.providers_known)} known",
        alarming=network.providers_connected == 0,
    )
    yield Tile(
        "Slots busy",
        share(network.slots_busy, network.slots),
        f"{count(network.slots_busy)} of {count(network.slots)} slots",
    )
    yield Tile("Live leases", count(network.leases_live), "tasks given to providers, unanswered")
    yield Tile("Waiting", count(network.tasks_waiting), "tasks without a provider so far")
    yield Tile("Joined", count(network.joined_1h), "connections in the last hour")
    yield Tile("Left", count(network.left_1h), "connections lost or ended in the last hour")
    yield Tile("Paused", count(network.providers_paused), "by their owners")
    yield Tile("Revoked", count(network.providers_revoked), "may not come back")


def _states(providers: Iterable[Provider]) -> Mapping[str, list[Any]]:
    found = Counter(state_of(provider) for provider in providers)
    return columns(
        ("label", "providers", "colour"),
        ((state, found[state], colour) for state, colour in STATES.items() if found[state]),
    )


def _capability(providers: Iterable[Provider]) -> Mapping[str, list[Any]]:
    """Return connected machines by what they are, the most frequent first."""
    here = [p for p in providers if p.connected and not p.revoked]
    machines = Counter(machine(p.capability) for p in here).most_common(_KINDS_SHOWN)
    slots: Counter[str] = Counter()
    for provider in here:
        slots[machine(provider.capability)] += provider.slots or 0
    names = unique([label(kind, 48) for kind, _ in machines])
    return columns(
        ("label", "providers", "slots"),
        ((name, n, slots[kind]) for name, (kind, n) in zip(names, machines, strict=True)),
    )


def machine(capability: Mapping[str, Any]) -> str:
    """Return what a machine is, in a few words."""
    parts = [str(capability.get(key) or "") for key in ("os", "machine")]
    if cores := capability.get("cores"):
        parts.append(f"{cores} core{'s' if cores != 1 else ''}")
    gpus = capability.get("gpus") or []
    if isinstance(gpus, list | tuple) and gpus:
        # "85899345920 NVIDIA H100 PCIe": memory in bytes, a blank, the model.
        parts.append(f"{len(gpus)} x {str(gpus[0]).partition(' ')[2] or gpus[0]}")
    return " ".join(filter(None, parts)) or "unknown"


def _order(provider: Provider) -> tuple[int, str, str]:
    # Not by load: rows that jump about cannot be read, and would all have to be sent again.
    away = 2 if provider.revoked else 0 if provider.connected else 1
    return (away, str(provider.owner), str(provider.id))


_PROVIDER_NAMES = (
    "id", "owner", "role", "state", "slots", "leases", "score", "tasks", "agreed", "dissented",
    "posted_points", "strikes", "reasons", "machine",
)  # fmt: skip


def _row(provider: Provider) -> tuple[Any, ...]:
    reasons = ", ".join(f"{n} {label(why)}" for why, n in provider.strike_reasons.items())
    return (
        label(provider.id, 16),
        label(provider.owner),
        provider.role,
        state_of(provider),
        provider.slots,
        provider.leases_live,
        provider.score,
        provider.tasks,
        provider.agreed,
        provider.dissented,
        in_points(provider.posted_mpt),
        provider.strikes,
        reasons,
        label(machine(provider.capability), 60),
    )


_PROVIDERS_FIELDS = (
    Field("id", "Provider", width_px=130),
    Field("owner", "Owner", width_px=130),
    Field("role", "Role", width_px=85),
    Field("state", "State", width_px=70),
    Field("slots", "Slots", "count", 60),
    Field("leases", "Leases", "count", 60),
    Field("score", "Speed (ref. cores)", "number", 110),
    Field("tasks", "Tasks", "count", 70),
    Field("agreed", "Agreed", "count", 70),
    Field("dissented", "Dissented", "count", 95),
    Field("posted_points", "Paid (points)", "points", 100),
    Field("strikes", "Strikes", "count", 60),
    Field("reasons", "Struck for", width_px=150),
    Field("machine", "Machine", width_px=160),
)

_GATEWAYS_FIELDS = (
    Field("name", "Name", width_px=160),
    Field("address", "Address", width_px=260),
    Field("slots", "Slots offered to Dask", "count"),
    Field("providers", "Providers", "count"),
)


def network_parts() -> list[Part]:
    """Return the page's parts."""
    return [
        Tiles(Card("tiles", "Network", wide=True)),
        Lines(
            Card("load", "Load", "Slots that providers offer, those at work, and tasks waiting."),
            [
                Series("slots", "slots", GREY, "dashed"),
                Series("slots_busy", "busy", BLUE),
                Series("tasks_waiting", "tasks waiting", ORANGE),
            ],
            "slots, tasks",
        ),
        Lines(
            Card("presence", "Presence", "Providers connected at a time."),
            [Series("connected", "connected", GREEN)],
            "providers",
        ),
        Bars(
            Card("states", "Providers by state", "Busy ones hold a lease.", _INVITE),
            [Series("providers", "providers", "colour")],
            "providers",
        ),
        Bars(
            Card("capability", "Machines", "Connected ones, the most frequent kinds.", _INVITE),
            [Series("providers", "providers", BLUE)],
            "providers",
            [("slots", "slots")],
        ),
        Table(
            Card(
                "providers",
                "Providers",
                "Click a heading to sort.",
                _INVITE,
                wide=True,
                least="recruiter",
            ),
            _PROVIDERS_FIELDS,
        ),
        Table(
            Card(
                "gateways",
                "Gateways",
                "Where providers dial in.",
                "No gateway runs.",
                wide=True,
                least="recruiter",
            ),
            _GATEWAYS_FIELDS,
        ),
    ]


NETWORK = Page("network", "Network", network_data, network_parts)
