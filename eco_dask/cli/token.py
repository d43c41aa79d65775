"""``eco-dask token``: who may ask the coordinator's HTTP API for what.

new ──► a token, shown once     list ──► all tokens     revoke ──► one token less
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import click

from eco_dask.cli.books import books_options, find_place, open_books
from eco_dask.cli.group import EcoCommand, EcoGroup
from eco_dask.cli.tables import show_json, show_table, when
from eco_dask.errors import ConfigurationError
from eco_dask.ledger.tokens import Scope, Token, TokenStore

_DAY_S = 86_400


@click.group(cls=EcoGroup)
def token() -> None:
    """Make, list and revoke tokens for the coordinator's HTTP API."""


@token.command(cls=EcoCommand)
@click.option(
    "--scope",
    required=True,
    metavar="SCOPE",
    help="What it opens: operator (all), recruiter (all jobs), recruiter:NAME (that recruiter's "
    "jobs) or owner:NAME (what that owner's machines do and earn).",
)
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    default=30,
    show_default=True,
    help="How long it is valid.",
)
@click.option("--note", default="", help="What it is for, to tell it from others in the list.")
@books_options
def new(scope: str, days: float, note: str, **place: Any) -> None:
    """Make a token and print it; it is a secret, and it cannot be shown again.

    Programs send it as "Authorization: Bearer TOKEN".
    """
    wanted, now_s, found = Scope.parse(scope), time.time(), find_place(**place)
    with open_books(found) as books:
        if wanted.kind == "owner" and wanted.name not in (known := books.registry.owners()):
            raise ConfigurationError(
                f"there is no owner {wanted.name!r}; known are: {', '.join(known) or 'none yet'}"
            )
        made = TokenStore(books.registry.database).new(
            wanted, now_s, now_s + days * _DAY_S, note=note
        )
    click.echo(made)
    click.echo(f"Opens {wanted} until {when(now_s + days * _DAY_S)}.", err=True)
    if found.facts is not None and found.facts.dashboard_url:
        # Not with the token itself: who sends that to a file does not want it on the screen.
        link = found.facts.panel_link("TOKEN")
        click.echo(
            f"The link for the JupyterLab panel, with it: {link}\n"
            "On other machines, write this one's name as the host.",
            err=True,
        )


@token.command("list", cls=EcoCommand)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@books_options
def list_tokens(as_json: bool, **place: Any) -> None:
    """Show all tokens, without their secrets."""
    with open_books(find_place(**place)) as books:
        found = TokenStore(books.registry.database).list()
    if as_json:
        show_json([asdict(each) for each in found])
    elif not found:
        click.echo("No tokens yet. Make one with: eco-dask token new --scope SCOPE")
    else:
        names = ("id", "scope", "state", "made", "ends", "note")
        show_table(names, (_line(each, time.time()) for each in found))


@token.command(cls=EcoCommand)
@click.argument("identity", metavar="ID")
@books_options
def revoke(identity: str, **place: Any) -> None:
    """End the token ID at once."""
    with open_books(find_place(**place)) as books:
        TokenStore(books.registry.database).revoke(identity, time.time())
    click.echo(f"Token {identity} opens nothing any more.")


def _line(each: Token, now_s: float) -> tuple[object, ...]:
    state = "valid" if each.is_valid(now_s) else "expired"
    if each.revoked_at_s is not None:
        state = "revoked"
    ends = when(each.expires_at_s) if each.expires_at_s is not None else "never"
    return each.id, each.scope, state, when(each.created_at_s), ends, each.note or None
