"""How the operator's commands reach the books and, where one runs, the coordinator.

--data-directory, --database, coordinator.json ──open_books──► Books(ledger, registry)
--scheduler ──ask──► what the scheduler plugin answers
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from distributed.core import rpc
from distributed.security import Security
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from eco_dask.cli.circle import operators_security
from eco_dask.cli.facts import FACTS_FILE, CoordinatorFacts, read_facts
from eco_dask.config import data_directory, database_url
from eco_dask.errors import ConfigurationError
from eco_dask.ledger.database import open_database, redacted
from eco_dask.ledger.store import Ledger
from eco_dask.ledger.tables import schema_version
from eco_dask.providers.registry import Registry

#: Seconds that a coordinator has to answer.
ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the options say that the books and the coordinator are."""

    folder: Path
    database: str
    #: Address that was asked for, None to find a coordinator by its facts.
    scheduler: str | None
    #: What the coordinator in ``folder`` wrote, None if none runs there.
    facts: CoordinatorFacts | None


@dataclass(frozen=True, slots=True)
class Books:
    """The database of a coordinator, open."""

    ledger: Ledger
    registry: Registry


def books_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--data-directory`` and ``--database`` to a command."""
    folder = click.option(
        "--data-directory",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        default=None,
        help="Folder of the coordinator's keys and books.  [default: eco-dask.data-directory]",
    )
    database = click.option(
        "--database",
        default=None,
        help="SQLAlchemy URL of the books; one with a password rather goes into the environment "
        "variable DASK_ECO_DASK__DATABASE.  [default: the coordinator's own, or SQLite in the "
        "data directory]",
    )
    return folder(database(command))


def live_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add those and ``--scheduler`` to a command that also shows what happens now."""
    scheduler = click.option(
        "--scheduler",
        metavar="ADDRESS",
        default=None,
        help="Coordinator to ask for what happens now, such as tcp://127.0.0.1:8786.  "
        "[default: the one that runs in the data directory, if any]",
    )
    return books_options(scheduler(command))


def find_place(folder: Path | None, database: str | None, scheduler: str | None = None) -> Place:
    """Work out from the options where books and coordinator are.

    Raises
    ------
    ConfigurationError
        The coordinator's facts are damaged.
    """
    home = data_directory(folder)
    facts = read_facts(home / FACTS_FILE)
    url = database or (facts.database if facts is not None else None)
    return Place(home, database_url(home, url), scheduler, facts)


@contextmanager
def open_books(place: Place) -> Iterator[Books]:
    """Open books that exist already; a command that only looks must not create any.

    Raises
    ------
    ConfigurationError
        There are none, they cannot be opened, or the database is something else.
    """
    _require_books(place)
    engine = open_database(place.database)
    try:
        yield Books(Ledger(engine), Registry(engine))
    finally:
        engine.dispose()


def _require_books(place: Place) -> None:
    try:
        url = make_url(place.database)
    except (ArgumentError, ValueError):
        # open_database says what is wrong with it.
        return
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    path = Path(url.database)
    if not path.is_file():
        raise ConfigurationError(
            f"there are no books at {path}: start eco-dask-scheduler once, or name its "
            "--data-directory or --database"
        )
    query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            found = database.execute(query, (schema_version.name,)).fetchone()
    except sqlite3.Error as error:
        raise ConfigurationError(
            f"{redacted(place.database)} cannot be read as books ({error}): name the --database "
            "of a coordinator"
        ) from error
    if found != (1,):
        raise ConfigurationError(
            f"{redacted(place.database)} is a database of something else, without the table "
            f"{schema_version.name!r}: name the --database of a coordinator"
        )


def ask(place: Place, operation: str, **arguments: Any) -> Any:
    """Ask the running coordinator; None, with a notice on standard error, where none answers.

    Raises
    ------
    ConfigurationError
        An address was asked for by ``--scheduler``, and nothing of eco_dask answers there.
    """
    if place.scheduler is None and place.facts is None:
        _notice(f"No coordinator runs in {place.folder}: this is what the books say.")
        return None
    address = place.scheduler or (place.facts.address if place.facts is not None else "")
    try:
        return asyncio.run(_ask(place, address, operation, arguments))
    except (OSError, TimeoutError, ValueError, AttributeError) as error:
        problem = (
            f"no eco_dask coordinator answers at {address} ({str(error) or type(error).__name__})"
        )
        if place.scheduler is not None:
            raise ConfigurationError(
                f"{problem}: check the address, or leave --scheduler out to read the books alone"
            ) from error
        _notice(f"N{problem[1:]}: this is what the books say.")
        return None


async def _ask(place: Place, address: str, operation: str, arguments: dict[str, Any]) -> Any:
    own = operators_security(place.folder) if address.startswith("tls://") else Security()
    security = own.get_connection_args("client")
    scheduler = rpc(address, timeout=ANSWER_S, connection_args=security)
    try:
        return await asyncio.wait_for(getattr(scheduler, operation)(**arguments), ANSWER_S)
    finally:
        await scheduler.close_rpc()


def _notice(text: str) -> None:
    click.echo(text, err=True)
