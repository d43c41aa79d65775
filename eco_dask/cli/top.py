"""``eco-dask top``: the network in a terminal, live.

coordinator ──eco_snapshot──► Snapshot ──screen──► rich
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import click
from distributed.core import rpc
from distributed.security import Security
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from eco_dask.cli.books import ANSWER_S, Place, find_place, live_options
from eco_dask.cli.circle import operators_security
from eco_dask.cli.group import EcoCommand
from eco_dask.cli.tables import ago, console
from eco_dask.dashboard.model import Job, Provider, Snapshot
from eco_dask.energy.figures import in_unit
from eco_dask.errors import ConfigurationError
from eco_dask.text import clean

_DASH = "-"
#: Columns of a terminal from which on everything is shown, and what else is left out.
_WIDE = 120
_WIDE_ONLY = frozenset({"role", "agreed", "leases", "energy", "failed", "per task", "caught"})


@click.command(cls=EcoCommand)
@click.option("--once", is_flag=True, help="Print once and end, such as into a file.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.5, max=3600),
    default=1.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option(
    "--rows",
    type=click.IntRange(1, 10_000),
    default=15,
    show_default=True,
    help="Jobs and providers to show, each.",
)
@live_options
def top(once: bool, interval: float, rows: int, **place: Any) -> None:
    """Show the network as it is now: jobs, providers, points, energy. Ctrl-C ends it."""
    found = find_place(**place)
    try:
        asyncio.run(_show(found, console(), rows, None if once else interval))
    except KeyboardInterrupt:
        # That is how one leaves.
        return


async def _show(place: Place, terminal: Console, rows: int, interval_s: float | None) -> None:
    address = place.scheduler or (place.facts.address if place.facts is not None else None)
    if address is None:
        raise ConfigurationError(
            f"no coordinator runs in {place.folder}: start eco-dask-scheduler, or name one with "
            "--scheduler tcp://HOST:PORT; `eco-dask jobs` shows what the books say"
        )
    own = operators_security(place.folder) if address.startswith("tls://") else Security()
    arguments = own.get_connection_args("client")
    scheduler = rpc(address, timeout=ANSWER_S, connection_args=arguments)
    try:
        first = await _ask(scheduler, address)
        if interval_s is None:
            terminal.print(screen(first, rows, terminal.width))
            return
        with Live(console=terminal, screen=True, auto_refresh=False) as live:
            live.update(screen(first, rows, terminal.width), refresh=True)
            while True:
                await asyncio.sleep(interval_s)
                found = await _ask(scheduler, address)
                live.update(screen(found, rows, terminal.width), refresh=True)
    finally:
        await scheduler.close_rpc()


async def _ask(scheduler: Any, address: str) -> Snapshot:
    try:
        plain = await asyncio.wait_for(scheduler.eco_snapshot(), ANSWER_S)
        return Snapshot.from_plain(plain)
    except (OSError, TimeoutError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f"no eco_dask coordinator answers at {address} ({str(error) or type(error).__name__}): "
            "check the address, and that the coordinator runs"
        ) from error


def screen(snapshot: Snapshot, rows: int, width: int) -> RenderableType:
    """Return what a terminal of ``width`` columns shows of a snapshot."""
    narrow = width < _WIDE
    parts: list[RenderableType] = [_head(snapshot)]
    if not snapshot.providers:
        parts.append(Text("\nNo providers yet. Invite one with: eco-dask invite --owner NAME"))
    if snapshot.jobs:
        parts += [Text(), _jobs(snapshot, rows, narrow)]
    else:
        parts.append(Text("\nNo jobs yet. Run one with: with eco_dask.job(): collection.compute()"))
    if snapshot.providers:
        parts += [Text(), _providers(snapshot, rows, narrow)]
    return Group(*parts)


def _head(snapshot: Snapshot) -> Table:
    network, points, energy = snapshot.network, snapshot.points, snapshot.energy
    found = snapshot.verification
    per_task = f"{found.attempts_per_task:.2f}" if found.attempts_per_task is not None else _DASH
    watts = energy.watts_by_tier
    lines = {
        "network": f"{network.providers_connected} of {network.providers_known} providers "
        f"connected, {network.slots_busy} of {network.slots} slots busy, "
        f"{network.tasks_waiting} tasks waiting, {network.joined_1h} came and {network.left_1h} "
        "went within the hour",
        "verified": f"{found.accepted} tasks by {found.attempts} attempts ({per_task} per task), "
        f"{found.dissented} wrong, {found.disputed} disputed",
        "points": f"{_points(points.posted_mpt)} paid, {_points(points.pending_mpt)} pending",
        "energy": f"{_energy(energy.reserved_uj)}, {_grams(energy.gco2e_central)} CO2e, "
        + (f"{sum(watts.values()):.3g} W of late" if watts else "power unknown")
        if energy.reserved_uj is not None
        else f"unknown: {energy.unknown}",
        "as of": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(snapshot.at_s)),
    }
    table = Table.grid(padding=(0, 2))
    for name, line in lines.items():
        table.add_row(Text(name, style="bold"), Text(line))
    return table


def _jobs(snapshot: Snapshot, rows: int, narrow: bool) -> Table:
    columns: dict[str, Callable[[Job], str]] = {
        "job": lambda j: _short(j.name, 14 if narrow else 40),
        "state": lambda j: j.state,
        "done": lambda j: f"{j.done} of {j.tasks}" if j.tasks is not None else _DASH,
        "failed": lambda j: _number(j.erred),
        "attempts": lambda j: str(j.attempts),
        "per task": lambda j: _number(j.attempts_per_task),
        "points": lambda j: (
            _points(j.spent_mpt)
            + (f" of {_points(j.budget_mpt)}" if j.budget_mpt is not None else "")
        ),
        "energy": lambda j: _energy(j.energy.reserved_uj),
        "left": lambda j: _span(j.left_s),
        "caught": lambda j: str(sum(each.times for each in j.caught) or _DASH),
    }
    shown = {name: it for name, it in columns.items() if not (narrow and name in _WIDE_ONLY)}
    return _table(shown, snapshot.jobs, rows, "jobs")


def _providers(snapshot: Snapshot, rows: int, narrow: bool) -> Table:
    def presence(provider: Provider) -> str:
        if provider.revoked:
            return "revoked"
        if provider.connected:
            return "paused" if provider.paused else "connected"
        return ago(provider.seen_at_s, snapshot.at_s)

    columns: dict[str, Callable[[Provider], str]] = {
        "provider": lambda p: _short(p.id, 12 if narrow else 20),
        "owner": lambda p: _short(p.owner, 14 if narrow else 40),
        "role": lambda p: p.role,
        "seen": presence,
        "slots": lambda p: str(p.slots),
        "leases": lambda p: str(p.leases_live),
        "tasks": lambda p: str(p.tasks),
        "agreed": lambda p: str(p.agreed),
        "wrong": lambda p: str(p.dissented),
        "strikes": lambda p: str(p.strikes),
        "points": lambda p: _points(p.posted_mpt),
        "energy": lambda p: _energy(p.energy.reserved_uj if p.energy else None),
    }
    ordered = sorted(snapshot.providers, key=lambda p: (not p.connected, -p.tasks, p.id))
    shown = {name: it for name, it in columns.items() if not (narrow and name in _WIDE_ONLY)}
    return _table(shown, ordered, rows, "providers")


def _table(columns: dict[str, Callable[[Any], str]], things: Any, rows: int, what: str) -> Table:
    more = len(things) - rows
    caption = f"{more} more {what}; see --rows" if more > 0 else None
    table = Table(
        box=None, pad_edge=False, header_style="bold", caption=caption, caption_justify="left"
    )
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number < 2 else "right", no_wrap=True)  # noqa: PLR2004  names and states
    for thing in things[:rows]:
        table.add_row(*(Text(show(thing)) for show in columns.values()))
    return table


def _short(text: str, chars_max: int) -> str:
    shown = clean(text)
    return shown if len(shown) <= chars_max else f"{shown[: chars_max - 1]}…"


def _points(amount_mpt: int) -> str:
    return f"{amount_mpt / 1000:,.3f}"


def _energy(amount_uj: int | None) -> str:
    return _DASH if amount_uj is None else in_unit(amount_uj / 1e6, "J")


def _grams(amount_g: float | None) -> str:
    return _DASH if amount_g is None else in_unit(amount_g, "g")


def _number(value: float | None) -> str:
    return _DASH if value is None else f"{value:.3g}"


def _span(duration_s: float | None) -> str:
    if duration_s is None:
        return _DASH
    minutes, seconds = divmod(int(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"
