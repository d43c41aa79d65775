"""Databases for the ledger: SQLite in a folder of the test, PostgreSQL in a server of the session.

The server is the one that ECO_DASK_TEST_POSTGRES names, or a temporary one started from the
binaries that Debian and its kin install.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from postgres_server import BINARIES, PostgresServer, newest_binaries
from sqlalchemy import create_engine, make_url, text

from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    given = os.environ.get("ECO_DASK_TEST_POSTGRES")
    binaries = newest_binaries()
    if given:
        yield given
    elif binaries is not None:
        with PostgresServer(binaries) as server:
            yield server.url
    else:
        pytest.skip(f"no PostgreSQL server in {BINARIES}, and ECO_DASK_TEST_POSTGRES is not set")


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Name a new, empty database on each call."""
    if request.param == "sqlite":
        yield lambda: f"sqlite:///{tmp_path}/{uuid4().hex}.db"
        return
    server = make_url(request.getfixturevalue("postgres_url")).set(drivername="postgresql+psycopg")
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    schemas: list[str] = []

    def create_schema() -> str:
        schemas.append(f"eco_test_{uuid4().hex}")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE SCHEMA {schemas[-1]}"))
        own = server.update_query_dict({"options": f"-csearch_path={schemas[-1]}"})
        return own.render_as_string(hide_password=False)

    yield create_schema
    with admin.connect() as connection:
        for schema in schemas:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    admin.dispose()


@pytest.fixture
def url(fresh_url: Callable[[], str]) -> str:
    return fresh_url()


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """An empty ledger; whatever the test does to it, its points must be conserved."""
    engine = open_database(url)
    ledger = Ledger(engine)
    yield ledger
    assert ledger.total_mpt() == 0
    engine.dispose()
