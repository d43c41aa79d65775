"""``eco-dask energy``: what the network, an owner or a job used, and badges that state it.

ledger ──► totals | statement net of electricity | job by purpose | badge as SVG, JSON or text
"""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from eco_dask.cli.books import Books, books_options, find_place, open_books
from eco_dask.cli.group import EcoCommand, EcoGroup
from eco_dask.cli.tables import show_json, show_table
from eco_dask.energy import badges
from eco_dask.energy.badges import Badge, Withheld
from eco_dask.energy.cloud import CloudComparison, compare_work
from eco_dask.energy.equivalents import equivalent
from eco_dask.energy.equivalents import names as equivalent_names
from eco_dask.energy.figures import EnergyFigures, in_unit
from eco_dask.energy.intensity import static_table
from eco_dask.energy.reading import Tier
from eco_dask.energy_config import energy_rule
from eco_dask.errors import ConfigurationError
from eco_dask.ledger.declarations import Declarations
from eco_dask.ledger.energy_totals import NETWORK, EnergyTotals
from eco_dask.ledger.statements import Statement, efficiency_of, statements
from eco_dask.report import energy_facts
from eco_dask.types import JobId

_DAY_S = 86_400.0
NOTHING = (
    "No run's energy is in the books yet. Providers report it with their first tasks; see "
    "eco-dask.worker.energy for what owners may say."
)

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_days = click.option(
    "--days",
    type=click.FloatRange(0.01, 36_500),
    default=30.0,
    show_default=True,
    help="The latest days to count.",
)


@click.group(cls=EcoGroup, invoke_without_command=True)
@_days
@_json
@books_options
@click.pass_context
def energy(context: click.Context, /, days: float, as_json: bool, **place: Any) -> None:
    """Show what the network used: energy and CO2e with their class, by owner and in all."""
    if context.invoked_subcommand is not None:
        return
    since_s = time.time() - days * _DAY_S
    with open_books(find_place(**place)) as books:
        owners = books.ledger.energy_totals("owner", since_s)
        whole = books.ledger.energy_totals(NETWORK, since_s).get(NETWORK, EnergyTotals())
    if as_json:
        show_json([_plain(name, it) for name, it in [*owners.items(), (NETWORK, whole)]])
    elif whole.figures is None and not whole.unknown_runs:
        click.echo(NOTHING)
    else:
        rows = [*owners.items(), ("all, with coordinators", whole)]
        names = ("owner", "runs", "marginal", "reserved", "Wh", "CO2e", "class", "unknown runs")
        show_table(names, (_line(name, it) for name, it in rows))
        _show_unknown(whole)


@energy.command(cls=EcoCommand)
@click.argument("owner")
@_days
@click.option(
    "--point-value",
    type=click.FloatRange(min=0, min_open=True),
    default=None,
    help="What a point is worth, to show earnings net of electricity.  "
    "[default: eco-dask.energy.point-value]",
)
@_json
@books_options
def statement(
    owner: str, days: float, point_value: float | None, as_json: bool, **place: Any
) -> None:
    """Show what the machines of OWNER used beside what they earned, net of electricity."""
    worth = point_value if point_value is not None else energy_rule().point_value
    value = None if worth is None else Decimal(repr(worth))
    with open_books(find_place(**place)) as books:
        found = _statements(books, days, owner)
    if as_json:
        show_json([_plain_statement(it, value) for it in found])
        return
    names = (
        "provider", "runs", "marginal", "reserved", "CO2e", "class", "electricity", "points", "net",
    )  # fmt: skip
    show_table(names, (_statement_line(it, value) for it in found))
    for it in found:
        click.echo(f"{it.provider}: {_said(it.comparison)}")
    if value is None:
        click.echo(
            "No net earnings: nobody said what a point is worth (--point-value, or "
            "eco-dask.energy.point-value)."
        )
    if any(it.declared.price is None for it in found):
        click.echo(
            "No electricity cost where the owner stated no price (eco-dask.worker.energy.price)."
        )


@energy.command(cls=EcoCommand)
@click.argument("job")
@click.option(
    "--equivalent",
    "likened",
    type=click.Choice(equivalent_names()),
    default=None,
    help="Also say what it is as much as.",
)
@_json
@books_options
def job(job: str, likened: str | None, as_json: bool, **place: Any) -> None:
    """Show what JOB used, by what it was for, beside the same work in a cloud."""
    name = JobId(job)
    with open_books(find_place(**place)) as books:
        found = books.ledger.job_energy([name])[name]
        work = books.ledger.job_work(name)
        attempts = books.ledger.job_totals(name).attempts
    if as_json:
        show_json([found.as_record() | {"job": job, "work_units": work.units}])
        return
    if found.all is None and not found.unknown_runs:
        raise ConfigurationError(
            f"no run of a job {job!r} is in the books; `eco-dask jobs` lists those that are"
        )
    unknown_share = found.unknown_runs / max(1, attempts)
    compared = compare_work(work.units, found.all, unknown_share=unknown_share)
    for label, text in energy_facts(found, compared):
        click.echo(f"{label:<9} {text}")
    if likened is not None and found.all is not None:
        like = equivalent(found.all, likened)
        click.echo(f"that is   {like.text} ({like.source})")


@energy.command(cls=EcoCommand)
@click.argument("owner")
@click.option(
    "--kind",
    type=click.Choice(("facts", "metered", "grid", "efficient", "below-cloud")),
    default="facts",
    show_default=True,
    help="What it states.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "svg", "json")),
    default="text",
    show_default=True,
    help="JSON is shields.io's endpoint schema.",
)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Write a file."
)
@click.option(
    "--provider",
    default=None,
    metavar="ID",
    help="Of this machine.  [default: the owner's that did most]",
)
@_days
@books_options
def badge(
    owner: str,
    kind: str,
    form: str,
    output: Path | None,
    provider: str | None,
    days: float,
    **place: Any,
) -> None:
    """Make a badge of OWNER's machine: a fact from stored receipts, or why it is not given."""
    with open_books(find_place(**place)) as books:
        everybody = _statements(books, days, None)
        mine = [it for it in everybody if it.owner == owner and provider in (None, it.provider)]
        if not mine:
            _require_owner(books, owner)
            raise ConfigurationError(f"owner {owner!r} has no machine {provider or ''}".rstrip())
    # Each machine has figures of its own; the one that did most speaks for its owner.
    chosen = max(mine, key=lambda it: it.totals.runs)
    made = _KINDS[kind](chosen, everybody)
    if isinstance(made, Withheld):
        raise click.ClickException(f"no badge: {made.reason}")
    text = _in_form(made, form)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
        click.echo(f"Wrote {output}")


def _in_form(made: Badge, form: str) -> str:
    if form == "svg":
        return made.svg()
    return made.shields() if form == "json" else f"{made.label}: {made.message}"


def _facts_badge(it: Statement, _: list[Statement]) -> Badge | Withheld:
    return _with_facts(it, lambda facts: badges.summary(facts, it.comparison))


def _metered(it: Statement, _: list[Statement]) -> Badge | Withheld:
    return _with_facts(it, badges.metered)


def _grid(it: Statement, _: list[Statement]) -> Badge | Withheld:
    intensity = static_table().intensity(it.declared.zone)
    return _with_facts(it, lambda facts: badges.low_carbon_grid(facts, intensity))


def _efficient(it: Statement, everybody: list[Statement]) -> Badge | Withheld:
    peers = [(Tier(tier), joules) for tier, joules in efficiency_of(everybody)]
    return _with_facts(it, lambda facts: badges.efficient(facts, it.work.work_units, peers))


def _below_cloud(it: Statement, _: list[Statement]) -> Badge | Withheld:
    comparison = it.comparison
    if not isinstance(comparison, CloudComparison):
        return Withheld(comparison.reason)
    return _with_facts(it, lambda facts: badges.below_cloud(facts, comparison))


_KINDS: dict[str, Callable[[Statement, list[Statement]], Badge | Withheld]] = {
    "facts": _facts_badge,
    "metered": _metered,
    "grid": _grid,
    "efficient": _efficient,
    "below-cloud": _below_cloud,
}


def _with_facts(
    it: Statement, make: Callable[[badges.PeriodFacts], Badge | Withheld]
) -> Badge | Withheld:
    facts = it.facts
    if facts is None:
        reasons = "; ".join(it.totals.unknown_reasons or ())
        return Withheld(reasons or "no run's energy is in the books for the period")
    return make(facts)


def _statements(books: Books, days: float, owner: str | None) -> list[Statement]:
    if owner is not None:
        _require_owner(books, owner)
    owners = {record.id: record.owner for record in books.registry.providers(owner)}
    declarations = Declarations(books.registry.database)
    return statements(books.ledger, declarations, owners, time.time() - days * _DAY_S)


def _require_owner(books: Books, owner: str) -> None:
    known = books.registry.owners()
    if owner not in known:
        raise ConfigurationError(
            f"there is no owner {owner!r}; known are: {', '.join(known) or 'none yet'}"
        )


def _line(name: str, it: EnergyTotals) -> tuple[object, ...]:
    return (name, it.runs, *_shown(it.figures, wh=True), it.unknown_runs)


def _shown(figures: EnergyFigures | None, *, wh: bool = False) -> tuple[object, ...]:
    if figures is None:
        return (None,) * (5 if wh else 4)
    low, central, high = (in_unit(it, "g") for it in figures.gco2e)
    energies = [in_unit(figures.marginal_j, "J"), in_unit(figures.reserved_j, "J")]
    if wh:
        energies.append(in_unit(figures.wh, "Wh"))
    return (*energies, f"{central} ({low} to {high})", figures.label)


def _statement_line(it: Statement, value: Decimal | None) -> tuple[object, ...]:
    cost, currency = it.cost, it.declared.currency
    net = None if value is None else it.net(value)
    return (
        it.provider,
        it.totals.runs,
        *_shown(it.totals.figures),
        None if cost is None else f"{cost:.4f} {currency}",
        f"{it.points:,.3f}",
        None if net is None else f"{net:.4f} {currency}",
    )


def _show_unknown(it: EnergyTotals) -> None:
    for reason, runs in (it.unknown_reasons or {}).items():
        click.echo(f"Energy of {runs} runs is unknown: {reason}")


def _said(comparison: object) -> str:
    reason = getattr(comparison, "reason", None)
    return f"no comparison with a cloud: {reason}" if reason is not None else str(comparison)


def _plain(name: str, it: EnergyTotals) -> dict[str, Any]:
    return {
        "name": name,
        "runs": it.runs,
        "figures": None if it.figures is None else it.figures.as_record(),
        "unknown_runs": it.unknown_runs,
        "unknown_reasons": dict(it.unknown_reasons or {}),
        "days": it.days,
    }


def _plain_statement(it: Statement, value: Decimal | None) -> dict[str, Any]:
    net = None if value is None else it.net(value)
    return _plain(it.provider, it.totals) | {
        "owner": it.owner,
        "posted_mpt": it.work.posted_mpt,
        "work_units": it.work.work_units,
        "cost": None if it.cost is None else str(it.cost),
        "net": None if net is None else str(net),
        "currency": it.declared.currency,
        "declared": it.declared.to_map(),
        "cloud": _said(it.comparison),
    }
