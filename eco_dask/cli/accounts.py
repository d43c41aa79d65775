"""``eco-dask jobs``, ``balance`` and ``receipts``: what was computed, and who was paid for what.

ledger, coordinator ──► tables of jobs, points, receipts with their reasons explained
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from eco_dask.cli.books import Books, ask, books_options, find_place, live_options, open_books
from eco_dask.cli.group import EcoCommand
from eco_dask.cli.tables import Points, show_json, show_table, when
from eco_dask.energy.figures import EnergyFigures, in_unit
from eco_dask.energy.reading import Unavailable
from eco_dask.errors import ConfigurationError
from eco_dask.ledger.accounts import owner_account
from eco_dask.ledger.energy_totals import NOT_REPORTED
from eco_dask.ledger.receipts import Receipt, explain
from eco_dask.types import JobId, LeaseId, OwnerId, ProviderId

_limit = click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=100,
    show_default=True,
    help="Most lines to show, the latest first.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command(cls=EcoCommand)
@_limit
@_json
@live_options
def jobs(limit: int, as_json: bool, **place: Any) -> None:
    """Show the latest jobs: progress, attempts bought, points spent."""
    found = find_place(**place)
    rows = ask(found, "eco_jobs", limit=limit)
    if rows is None:
        with open_books(found) as books:
            rows = [{"progress": None, "totals": asdict(t)} for t in books.ledger.jobs(limit)]
    if as_json:
        show_json(rows)
    elif not rows:
        click.echo("No jobs yet. Run one with: with eco_dask.job(): collection.compute()")
    else:
        names = ("id", "name", "done", "failed", "verified", "attempts", "per task", "points")
        show_table(names, map(_job_line, rows))


@click.command(cls=EcoCommand)
@click.argument("account", required=False)
@click.option("--owner", default=None, help="Show the account of this owner of providers.")
@_json
@books_options
def balance(account: str | None, owner: str | None, as_json: bool, **place: Any) -> None:
    """Show the points of ACCOUNT, such as recruiter:ada, or of all accounts.

    Posted points are paid. Pending ones reach the account, and reserved ones leave it, once the
    answers they are meant for are accepted.
    """
    if account is not None and owner is not None:
        raise click.UsageError("give either ACCOUNT or --owner, not both")
    with open_books(find_place(**place)) as books:
        rows = _balances(books, account, owner)
    if as_json:
        show_json(rows)
    elif not rows:
        click.echo("No points have moved yet.")
    else:
        lines = (
            (r["account"], *(Points(r[f"{n}_mpt"]) for n in ("posted", "pending", "reserved")))
            for r in rows
        )
        show_table(("account", "posted", "pending", "reserved"), lines)


@click.command(cls=EcoCommand)
@click.option("--owner", default=None, help="Only for the machines of this owner.")
@click.option("--provider", default=None, metavar="ID", help="Only for this machine.")
@click.option("--job", default=None, metavar="ID", help="Only for this job.")
@_limit
@_json
@books_options
def receipts(
    owner: str | None,
    provider: str | None,
    job: str | None,
    limit: int,
    as_json: bool,
    **place: Any,
) -> None:
    """Show what came of each attempt, and why it was paid or not."""
    with open_books(find_place(**place)) as books:
        if owner is not None:
            _require_owner(books, owner)
        if provider is not None:
            # Says so if there is none.
            books.registry.provider(ProviderId(provider))
        found = books.ledger.receipts(
            owner=OwnerId(owner) if owner is not None else None,
            provider=ProviderId(provider) if provider is not None else None,
            job=JobId(job) if job is not None else None,
            limit=limit,
        )
        energy = books.ledger.energy_of([receipt.lease for receipt in found])
    if as_json:
        show_json(
            [
                asdict(r) | {"digest": r.digest.hex(), "energy": _plain_energy(energy.get(r.lease))}
                for r in found
            ]
        )
    elif not found:
        click.echo("No receipts fit." if owner or provider or job else "No receipts yet.")
    else:
        _show_receipts(found, energy)


def _job_line(row: dict[str, Any]) -> tuple[object, ...]:
    progress, totals = row["progress"], row["totals"]
    accepted = totals["ballots_accepted"]
    return (
        totals["job"],
        progress["spec"]["name"] if progress else None,
        f"{progress['done']} of {progress['tasks']}" if progress else None,
        progress["erred"] if progress else None,
        accepted,
        totals["attempts"],
        f"{totals['attempts'] / accepted:.2f}" if accepted else None,
        Points(totals["spent_mpt"]),
    )


def _balances(books: Books, account: str | None, owner: str | None) -> list[dict[str, Any]]:
    known = books.ledger.balances()
    if owner is not None:
        _require_owner(books, owner)
        name = owner_account(OwnerId(owner))
        known = {name: books.ledger.balance(name)}
    elif account is not None:
        wanted = {name: found for name, found in known.items() if name == account}
        if not wanted:
            raise ConfigurationError(
                f"no points ever moved for an account {account!r}; known are: "
                f"{', '.join(known) or 'none yet'}"
            )
        known = wanted
    return [{"account": name} | asdict(found) for name, found in known.items()]


def _require_owner(books: Books, owner: str) -> None:
    known = books.registry.owners()
    if owner not in known:
        raise ConfigurationError(
            f"there is no owner {owner!r}; known are: {', '.join(known) or 'none yet'}"
        )


def _plain_energy(it: EnergyFigures | Unavailable | None) -> dict[str, Any]:
    if isinstance(it, EnergyFigures):
        return it.as_record()
    return {"unknown": NOT_REPORTED if it is None else it.reason}


def _energy_cells(it: EnergyFigures | Unavailable | None) -> tuple[str | None, str | None]:
    if not isinstance(it, EnergyFigures):
        return None, None
    return in_unit(it.reserved_j, "J"), it.tier.value


def _show_receipts(
    found: list[Receipt], energy: Mapping[LeaseId, EnergyFigures | Unavailable]
) -> None:
    names = (
        "time", "lease", "kind", "job", "provider", "owner", "cpu s", "energy", "class", "points",
        "reason",
    )  # fmt: skip
    lines = (
        (
            when(r.issued_at_s), r.lease, r.kind, r.job, r.provider, r.owner, r.cpu_s,
            *_energy_cells(energy.get(r.lease)), Points(r.amount_mpt), r.reason.value,
        )
        for r in found
    )  # fmt: skip
    show_table(names, lines)
    click.echo()
    for reason in dict.fromkeys(receipt.reason for receipt in found):
        click.echo(f"{reason.value}: {explain(reason)}")
