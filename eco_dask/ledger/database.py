"""The database under the ledger: SQLite for one machine, PostgreSQL for many.

url --open_database--> Engine --writing--> Connection, one writer at a time
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from eco_dask.errors import ConfigurationError
from eco_dask.ledger.schema import prepare_schema

#: How long a writer waits for its turn before it fails, in seconds.
BUSY_TIMEOUT_S: Final = 30.0
#: How long a PostgreSQL server may take to answer the first time, in seconds.
CONNECT_TIMEOUT_S: Final = 10

_WAL_RETRY_S: Final = 0.01
_WRITES: Final = "eco_dask_writes"
#: Any number that other users of the same PostgreSQL database do not lock by; "eco_dask" in ASCII.
_ADVISORY_LOCK: Final = int.from_bytes(b"eco_dask")
_SECRET_OPTIONS: Final = ("password", "sslpassword")


def open_database(url: str) -> Engine:
    """Open the ledger's database, and create file and tables where they are missing.

    Parameters
    ----------
    url : str
        ``sqlite:///relative/or//absolute/path`` or ``postgresql://user:password@host/database``.

    Raises
    ------
    ConfigurationError
        The URL is malformed, the database cannot be reached or written, is no database, or was
        written by a newer version.
    """
    parsed = _parse(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            engine = _sqlite_engine(parsed)
        else:
            patience = {"connect_timeout": parsed.query.get("connect_timeout", CONNECT_TIMEOUT_S)}
            engine = create_engine(parsed, connect_args=patience, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the ledger at {redacted(url)} needs the package {error.name!r}: "
            "pip install 'eco-dask[postgres]'"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"cannot create the ledger at {redacted(url)}: {error}; name a file in a folder that "
            "this user may write"
        ) from error
    try:
        with writing(engine) as connection:
            prepare_schema(connection, redacted(url))
    except (SQLAlchemyError, sqlite3.Error) as error:
        engine.dispose()
        raise ConfigurationError(
            f"cannot open the ledger at {redacted(url)}: {getattr(error, 'orig', None) or error}"
        ) from error
    except ConfigurationError:
        engine.dispose()
        raise
    return engine


def redacted(url: str) -> str:
    """Give a URL as it may be shown: without passwords, and without anything if it is no URL."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return "<malformed database URL>"
    hidden = {name: "***" for name in _SECRET_OPTIONS if name in parsed.query}
    return parsed.update_query_dict(hidden).render_as_string(hide_password=True)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that waits until no other process writes; commit it at the end.

    Writers take turns, so what a transaction reads stays true until it has written. An exception
    rolls everything back.
    """
    with engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = {int(BUSY_TIMEOUT_S * 1000)}"))
            connection.execute(
                text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK}
            )
        yield connection


def _parse(url: str) -> URL:
    # The causes are dropped: some versions quote the URL, and with it the password.
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "the database URL of the ledger is malformed; write sqlite:///PATH or "
            "postgresql://USER:PASSWORD@HOST/DATABASE"
        ) from None
    if parsed.drivername in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "postgresql+psycopg":
        return parsed
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite"}:
        raise ConfigurationError(
            f"the ledger runs on sqlite or postgresql; {redacted(url)} asks for "
            f"{parsed.drivername!r}"
        )
    if parsed.database in {None, "", ":memory:"} or parsed.query:
        raise ConfigurationError(
            f"a ledger on SQLite needs the path of a file and takes no options; {redacted(url)} "
            "does not fit: write sqlite:///PATH"
        )
    return parsed


def _sqlite_engine(url: URL) -> Engine:
    _create_private(Path(str(url.database)))
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _create_private(path: Path) -> None:
    """Create a file and its missing folders for this user alone; leave existing ones as they are.

    SQLite gives its side files the mode of the file.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _configure_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # No implicit BEGIN by the driver: _begin_sqlite decides whether a transaction will write.
    connection.isolation_level = None
    cursor = connection.cursor()
    # What is committed is handed to the operating system, so it survives kill -9 of this process.
    # NORMAL does not wait for the disk: a power loss can lose the last transactions, wholly, and
    # never corrupts what is left. FULL would cost a disk flush for each of them.
    _enter_wal(cursor)
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _enter_wal(cursor: DBAPICursor) -> None:
    # The switch is kept in the file, so only the first connections to a new file make it. While
    # another process makes it, SQLite says "locked" at once and ignores the busy timeout: six
    # processes that opened one new file together failed in 4 of 360 tries.
    give_up_at_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at_s:
                raise
            time.sleep(_WAL_RETRY_S)


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads and then writes fails at once if another process wrote in
    # between, whatever the busy timeout; one that starts as a writer waits for its turn.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
