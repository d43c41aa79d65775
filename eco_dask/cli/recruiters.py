"""``eco-dask recruiters``: who may submit work here, until when, and who may no more.

invite --recruiter NAME ──► a link, turned into a certificate once        revoke ──► none valid
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import click

from eco_dask.cli.books import Place, books_options, find_place, open_books
from eco_dask.cli.group import EcoCommand, EcoGroup
from eco_dask.cli.tables import show_json, show_table, when
from eco_dask.errors import ConfigurationError
from eco_dask.ledger.tokens import Scope, TokenStore
from eco_dask.providers.link import JoinLink
from eco_dask.recruiters.authority import Authority
from eco_dask.recruiters.link import RecruiterLink
from eco_dask.recruiters.roll import Grant, Roll


@dataclass(frozen=True, slots=True)
class Target:
    """Where a recruiter enrols, and what its client dials then."""

    address: str
    fingerprint: str
    #: None for what the coordinator says.
    scheduler: str | None


def invite_recruiter(
    place: Place, target: Target, name: str, days: float, expires_at_s: float
) -> RecruiterLink:
    """Make a recruiter's link.

    Raises
    ------
    ConfigurationError
        Nobody says what clients dial, or the coordinator issues no certificates.
    """
    scheduler = target.scheduler or (place.facts.address if place.facts is not None else None)
    if scheduler is None:
        raise ConfigurationError(
            f"no coordinator runs in {place.folder}, so nobody says what clients dial: start "
            "eco-dask-scheduler, or give --scheduler-address"
        )
    if scheduler.startswith("tls://") and Authority.find(place.folder) is None:
        raise ConfigurationError(
            "this coordinator uses certificates from elsewhere (--tls-cert): issue the recruiter's "
            "there, or start it without those options"
        )
    with open_books(place) as books:
        roll = Roll(books.registry.database)
        word = roll.invite(Grant(name, scheduler, days), time.time(), expires_at_s)
    return RecruiterLink(JoinLink(target.address, word, target.fingerprint))


@click.group(cls=EcoGroup, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@books_options
@click.pass_context
def recruiters(context: click.Context, /, as_json: bool, **place: Any) -> None:
    """Show who may submit work here, and until when."""
    if context.invoked_subcommand is not None:
        context.obj = place
        return
    with open_books(find_place(**place)) as books:
        found = Roll(books.registry.database).certificates()
    if as_json:
        show_json([asdict(each) for each in found])
    elif not found:
        click.echo("No recruiters yet. Invite one with: eco-dask invite --recruiter NAME")
    else:
        rows = (
            (
                each.recruiter,
                when(each.issued_at_s),
                when(each.expires_at_s),
                f"revoked: {each.revoked_reason}" if each.revoked_at_s is not None else "valid",
                each.serial[:16],
            )
            for each in found
        )
        show_table(("recruiter", "enrolled", "valid until", "state", "certificate"), rows)


@recruiters.command(cls=EcoCommand)
@click.argument("name")
@click.option("--reason", required=True, help="Why; kept in the books.")
@books_options
@click.pass_obj
def revoke(outer: dict[str, Any], /, name: str, reason: str, **place: Any) -> None:
    """Shut the recruiter NAME out: certificates, unused links and tokens, within seconds."""
    given = {key: value for key, value in place.items() if value is not None}
    with open_books(find_place(**outer | given)) as books:
        database = books.registry.database
        count = Roll(database).revoke(name, reason, time.time())
        store = TokenStore(database)
        own = [each for each in store.list() if each.scope == str(Scope("recruiter", name))]
        for each in own:
            store.revoke(each.id, time.time())
    click.echo(f"Recruiter {name} is revoked: {count} certificates and links, {len(own)} tokens")
