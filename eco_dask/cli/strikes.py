"""``eco-dask strikes``: which rules were broken, by whom, how often and when.

registry ──► strikes of providers, incidents of strangers ──► two tables
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict
from typing import Any

import click

from eco_dask.cli.books import Books, books_options, find_place, open_books
from eco_dask.cli.group import EcoCommand
from eco_dask.cli.tables import ago, show_json, show_table


@click.command(cls=EcoCommand)
@click.option("--owner", default=None, help="Show the machines of this owner only.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Rows of each."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@books_options
def strikes(owner: str | None, limit: int, as_json: bool, **place: Any) -> None:
    """Show broken rules: of providers by reason, and of strangers who were not let in.

    A strike is a wrong answer, bytes that were not those sworn to, a missed deadline, or, with
    "protocol:", a broken rule of the protocol; docs/protocol.md explains the codes.
    """
    with open_books(find_place(**place)) as books:
        found = _strikes(books, owner)[:limit]
        tried = () if owner is not None else books.registry.incidents.latest(limit)
    if as_json:
        show_json([*found, *(asdict(each) for each in tried)])
        return
    now_s = time.time()
    if not found and not tried:
        click.echo("No broken rules so far.")
    if found:
        rows = (
            (r["provider"], r["owner"], r["reason"], r["count"], ago(r["last_at_s"], now_s))
            for r in found
        )
        show_table(("provider", "owner", "reason", "strikes", "last"), rows)
    if tried:
        click.echo("Strangers, by the address they dialled from:")
        lines = ((i.address, i.reason, i.count, ago(i.last_at_s, now_s)) for i in tried)
        show_table(("address", "reason", "times", "last"), lines)


def _strikes(books: Books, owner: str | None) -> list[dict[str, Any]]:
    """Return how often each provider broke which rule, the latest first."""
    rows = []
    for record in books.registry.providers(owner):
        if not record.strikes:
            continue
        struck = books.registry.strikes(record.id)
        last_s = {each.reason: each.at_s for each in struck}
        for reason, count in Counter(each.reason for each in struck).items():
            rows.append(
                {
                    "provider": record.id,
                    "owner": record.owner,
                    "reason": reason,
                    "count": count,
                    "last_at_s": last_s[reason],
                }
            )
    return sorted(rows, key=lambda row: -float(row["last_at_s"]))
