"""``eco-dask invite`` and ``eco-dask providers``: who may provide, and who does.

registry, ledger, coordinator ──► a join link, a table of providers, a revocation
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import click
from dask.utils import format_bytes, parse_timedelta

from eco_dask.cli.books import (
    Books,
    Place,
    ask,
    books_options,
    find_place,
    live_options,
    open_books,
)
from eco_dask.cli.group import EcoCommand, EcoGroup
from eco_dask.cli.recruiters import Target, invite_recruiter
from eco_dask.cli.tables import Points, ago, show_json, show_table
from eco_dask.errors import ConfigurationError
from eco_dask.providers.capability import Capability, Gpu
from eco_dask.providers.certificates import CERTIFICATE_FILE, load_or_create_certificate
from eco_dask.providers.link import LINK_VARIABLE, JoinLink
from eco_dask.providers.records import ProviderRecord, Role
from eco_dask.recruiters.link import LINK_VARIABLE as RECRUITER_VARIABLE
from eco_dask.types import ProviderId

_COLUMNS = (
    "id", "owner", "role", "seen", "score", "cores", "memory", "GPU", "numerics", "tasks",
    "agreed", "dissented", "points", "strikes",
)  # fmt: skip


@click.command(cls=EcoCommand)
@click.option("--owner", default=None, help="Account that earns the points of these machines.")
@click.option(
    "--recruiter",
    default=None,
    help="Instead of --owner: name of somebody who may submit work; for eco_dask.connect(LINK).",
)
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True, max=3650),
    default=90,
    show_default=True,
    help="With --recruiter: how long the certificate is valid that the link is turned into.",
)
@click.option(
    "--scheduler-address",
    default=None,
    help="With --recruiter: what the client dials, if not what the coordinator says.",
)
@click.option(
    "--uses",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="Machines that may join with the link.",
)
@click.option(
    "--expires",
    default="7 days",
    show_default=True,
    help='How long the link is valid, such as "2 hours".',
)
@click.option(
    "--role",
    type=click.Choice(["provider", "trusted"]),
    default="provider",
    show_default=True,
    help="What the machines will be; trusted ones decide disputes and touch storage.",
)
@click.option(
    "--address",
    default=None,
    help="What the machines dial, if not what the coordinator says: wss://HOST:PORT, or "
    "ws://HOST:PORT on this machine.",
)
@books_options
def invite(
    owner: str | None,
    recruiter: str | None,
    uses: int,
    expires: str,
    role: Role,
    address: str | None,
    days: float,
    scheduler_address: str | None,
    **place: Any,
) -> None:
    """Print a join link for the machines of one owner, or a link for a recruiter.

    The link alone goes to standard output, so that it can be piped; it is a secret, and it cannot
    be shown again.
    """
    found = find_place(**place)
    now_s = time.time()
    expires_at_s = now_s + _duration_s(expires)
    dialled, fingerprint = _destination(found, address)
    if recruiter is not None and owner is None:
        target = Target(dialled, fingerprint, scheduler_address)
        click.echo(str(invite_recruiter(found, target, recruiter, days, expires_at_s)))
        click.echo(
            f"Enrols recruiter {recruiter} once, within {expires}; then valid for {days:g} days. "
            f"In Python: eco_dask.connect(LINK); a file or {RECRUITER_VARIABLE} may hold the link.",
            err=True,
        )
        return
    if owner is None or recruiter is not None:
        raise ConfigurationError("give either --owner NAME or --recruiter NAME")
    with open_books(found) as books:
        word = books.registry.invite(
            owner, role=role, uses_max=uses, expires_at_s=expires_at_s, at_s=now_s
        )
    click.echo(str(JoinLink(dialled, word, fingerprint)))
    machines = "one machine" if uses == 1 else f"{uses} machines"
    end = f", valid for {expires}"
    click.echo(
        f"Lets in {machines} of {owner} as {role}{end}. On each: eco-dask-worker LINK, or with the "
        f"link in a file: eco-dask-worker --link-file FILE, or in the variable {LINK_VARIABLE}, "
        "which other users of the machine cannot see.",
        err=True,
    )


@click.group(cls=EcoGroup, invoke_without_command=True)
@click.option("--owner", default=None, help="Show the machines of this owner only.")
@click.option("--tags", is_flag=True, help="Show the tags by which jobs can ask for a machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@live_options
@click.pass_context
def providers(
    context: click.Context, /, owner: str | None, tags: bool, as_json: bool, **place: Any
) -> None:
    """Show the machines of the network, and what each did and earned."""
    if context.invoked_subcommand is not None:
        context.obj = place
        return
    found = find_place(**place)
    rows = _provider_rows(found, owner)
    if as_json:
        show_json(rows)
    elif not rows:
        click.echo("No providers yet. Invite one with: eco-dask invite --owner NAME")
    elif tags:
        show_table(("id", "owner", "tags"), ((r["id"], r["owner"], _tags(r)) for r in rows))
    else:
        now_s = time.time()
        show_table(_COLUMNS, (_line(row, now_s) for row in rows))


@providers.command(cls=EcoCommand)
@click.argument("provider", metavar="ID")
@click.option("--reason", required=True, help="Why; the provider gets to read it.")
@books_options
@click.pass_obj
def revoke(outer: dict[str, Any], /, provider: str, reason: str, **place: Any) -> None:
    """Shut the machine ID out, from its next connection on; its points stay its owner's."""
    given = {name: value for name, value in place.items() if value is not None}
    with open_books(find_place(**outer | given)) as books:
        books.registry.revoke(ProviderId(provider), reason, time.time())
        record = books.registry.provider(ProviderId(provider))
    click.echo(f"Provider {provider} of {record.owner} is revoked: {record.revoked_reason}")


def _duration_s(text: str) -> float:
    try:
        seconds = float(parse_timedelta(text, default=None))
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f'--expires is a duration such as "7 days" or "2 hours"; got {text!r}'
        ) from error
    if seconds <= 0:
        raise ConfigurationError(f"--expires must be more than nothing; got {text!r}")
    return seconds


def _destination(place: Place, address: str | None) -> tuple[str, str]:
    """Return what providers dial and the fingerprint to expect there."""
    facts = place.facts
    if address is None:
        if facts is None:
            raise ConfigurationError(
                f"no coordinator runs in {place.folder}, so nobody says what providers dial: start "
                "eco-dask-scheduler, or give --address wss://HOST:PORT"
            )
        return facts.provider_address, facts.fingerprint
    if not address.startswith("wss://"):
        return address, ""
    if facts is not None and facts.fingerprint:
        return address, facts.fingerprint
    if not (place.folder / CERTIFICATE_FILE).exists():
        raise ConfigurationError(
            f"{place.folder} holds no certificate of a gateway, which a link to {address} needs: "
            "start eco-dask-scheduler with a --provider-host beyond loopback once"
        )
    certificate = load_or_create_certificate(place.folder, ["localhost"], time.time())
    return address, certificate.fingerprint


def _provider_rows(place: Place, owner: str | None) -> list[dict[str, Any]]:
    """One row per provider: from the coordinator named by ``--scheduler``, else from the books."""
    network = ask(place, "eco_network")
    live = {p["id"]: p for p in network["providers"]} if network is not None else None
    if place.scheduler is not None and live is not None:
        rows = [dict(p, seen_at_s=None) for p in live.values()]
        _require_owner(owner, {row["owner"] for row in rows})
        return [row for row in rows if owner in (None, row["owner"])]
    with open_books(place) as books:
        _require_owner(owner, books.registry.owners())
        rows = _book_rows(books, owner)
    for row in rows:
        known = live.get(row["id"], {}) if live is not None else None
        row["connected"] = known.get("connected", False) if known is not None else None
    return rows


def _require_owner(owner: str | None, known: Iterable[str]) -> None:
    if owner is not None and owner not in known:
        raise ConfigurationError(
            f"there is no owner {owner!r}; known are: {', '.join(sorted(known)) or 'none yet'}"
        )


def _book_rows(books: Books, owner: str | None) -> list[dict[str, Any]]:
    done = {total.provider: total for total in books.ledger.provider_totals()}
    rows = []
    for record in books.registry.providers(owner):
        total = done.get(record.id)
        rows.append(
            _identity(record)
            | {
                "tasks": total.tasks if total else 0,
                "agreed": total.agreed if total else 0,
                "dissented": total.dissented if total else 0,
                "posted_mpt": total.posted_mpt if total else 0,
            }
        )
    return rows


def _identity(record: ProviderRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "owner": record.owner,
        "role": record.role,
        "revoked": record.revoked,
        "seen_at_s": record.seen_at_s,
        "score": record.score,
        "strikes": record.strikes,
        "capability": dict(record.capability),
    }


def _line(row: dict[str, Any], now_s: float) -> tuple[object, ...]:
    capability = row["capability"]
    memory_bytes = capability.get("memory_bytes")
    return (
        row["id"],
        row["owner"],
        row["role"],
        _presence(row, now_s),
        row["score"],
        capability.get("cores"),
        format_bytes(memory_bytes) if memory_bytes is not None else None,
        ", ".join(Gpu.parse(gpu).model for gpu in capability.get("gpus", ())) or None,
        capability.get("numerics"),
        row["tasks"],
        row["agreed"],
        row["dissented"],
        Points(row["posted_mpt"]),
        row["strikes"],
    )


def _presence(row: dict[str, Any], now_s: float) -> str:
    if row["revoked"]:
        return "revoked"
    if row["connected"]:
        return "connected"
    if row["seen_at_s"] is None and row["connected"] is False:
        return "not connected"
    return ago(row["seen_at_s"], now_s)


def _tags(row: dict[str, Any]) -> str | None:
    if not row["capability"]:
        return None
    return ", ".join(sorted(Capability.from_map(row["capability"]).tags()))
