"""Databases of every released schema become what this version creates, and lose nothing."""

from __future__ import annotations

import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text, update

from eco_dask.errors import ConfigurationError
from eco_dask.ledger.database import open_database, writing
from eco_dask.ledger.member_tables import (
    incidents,
    owners,
    recruiter_certificates,
    recruiter_links,
    retired_keys,
)
from eco_dask.ledger.tables import (
    SCHEMA_VERSION,
    declarations,
    energy,
    job_records,
    metadata,
    receipts,
    reputations,
    schema_version,
    series,
    tokens,
)

#: The first released schema as SQLite wrote it down, with a little in it.
FIRST = """
CREATE TABLE schema_version (version INTEGER NOT NULL);
CREATE TABLE entries_reserve (
    id TEXT NOT NULL, payer TEXT NOT NULL, payee TEXT NOT NULL,
    amount_mpt BIGINT NOT NULL CHECK (amount_mpt > 0), PRIMARY KEY (id)) WITHOUT ROWID;
CREATE TABLE entries_resolve (
    id TEXT NOT NULL, reserve TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('post', 'void')),
    amount_mpt BIGINT NOT NULL CHECK (amount_mpt >= 0), PRIMARY KEY (id), UNIQUE (reserve),
    FOREIGN KEY(reserve) REFERENCES entries_reserve (id)) WITHOUT ROWID;
CREATE TABLE balances (
    account TEXT NOT NULL, posted_mpt BIGINT NOT NULL,
    reserved_mpt BIGINT NOT NULL CHECK (reserved_mpt >= 0),
    pending_mpt BIGINT NOT NULL CHECK (pending_mpt >= 0), PRIMARY KEY (account)) WITHOUT ROWID;
CREATE TABLE receipts (
    seq INTEGER NOT NULL, lease TEXT NOT NULL, ballot TEXT NOT NULL, job TEXT NOT NULL,
    kind TEXT NOT NULL, provider TEXT NOT NULL, owner TEXT NOT NULL, reason TEXT NOT NULL,
    cpu_s DOUBLE, wall_s DOUBLE, work_units DOUBLE,
    amount_mpt BIGINT NOT NULL CHECK (amount_mpt >= 0), issued_at_s DOUBLE NOT NULL,
    digest BLOB NOT NULL, PRIMARY KEY (seq), UNIQUE (lease));
CREATE INDEX receipts_by_owner ON receipts (owner, seq);
CREATE INDEX receipts_by_provider ON receipts (provider, seq);
CREATE INDEX receipts_by_job ON receipts (job, seq);
CREATE TABLE owners (name TEXT NOT NULL, created_at_s DOUBLE NOT NULL, PRIMARY KEY (name));
CREATE TABLE invites (
    id TEXT NOT NULL, secret_hash BLOB NOT NULL, owner TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('provider', 'trusted')), uses_max INTEGER NOT NULL,
    uses INTEGER NOT NULL CHECK (uses <= uses_max), created_at_s DOUBLE NOT NULL,
    expires_at_s DOUBLE, PRIMARY KEY (id), FOREIGN KEY(owner) REFERENCES owners (name));
CREATE TABLE providers (
    id TEXT NOT NULL, public_key BLOB NOT NULL, owner TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('provider', 'trusted')), invite TEXT NOT NULL,
    enrolled_at_s DOUBLE NOT NULL, seen_at_s DOUBLE, score DOUBLE, capability JSON NOT NULL,
    revoked BOOLEAN NOT NULL, revoked_reason TEXT NOT NULL, revoked_at_s DOUBLE,
    PRIMARY KEY (id), UNIQUE (public_key), FOREIGN KEY(owner) REFERENCES owners (name),
    FOREIGN KEY(invite) REFERENCES invites (id));
CREATE INDEX providers_by_owner ON providers (owner);
CREATE TABLE strikes (
    seq INTEGER NOT NULL, provider TEXT NOT NULL, reason TEXT NOT NULL, at_s DOUBLE NOT NULL,
    PRIMARY KEY (seq), FOREIGN KEY(provider) REFERENCES providers (id));
CREATE INDEX strikes_by_provider ON strikes (provider);
INSERT INTO owners VALUES ('ada', 1.0);
INSERT INTO schema_version VALUES (1);
INSERT INTO receipts VALUES
    (1, 'g/1.0', 'g/1', 'j', 'sum', 'p', 'o', 'agreed', 1.0, 1.0, 1.0, 7, 5.0, x'00');
"""


#: What the first schema did not have.
LATER = (
    declarations,
    energy,
    incidents,
    job_records,
    recruiter_certificates,
    recruiter_links,
    reputations,
    retired_keys,
    series,
    tokens,
)


@pytest.fixture
def first(tmp_path) -> str:
    path = tmp_path / "books.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(FIRST)
    connection.close()
    return f"sqlite:///{path}"


def as_of_the_first(url: str) -> None:
    """Take a new database back to the first schema."""
    engine = open_database(url)
    with writing(engine) as connection:
        for table in LATER:
            table.drop(connection)
        connection.execute(text("DROP INDEX receipts_by_ballot"))
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(update(schema_version).values(version=1))
    engine.dispose()


def differences(engine) -> list[object]:
    with engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection), metadata)


def test_a_database_of_the_first_schema_becomes_one_of_the_latest(first: str) -> None:
    engine = open_database(first)
    assert differences(engine) == []
    with engine.connect() as connection:
        assert connection.execute(select(schema_version.c.version)).scalar_one() == SCHEMA_VERSION
        assert connection.execute(select(receipts.c.amount_mpt)).scalar_one() == 7
        assert connection.execute(select(owners.c.name)).scalar_one() == "ada"
    engine.dispose()


def test_every_kind_of_database_is_migrated(url: str) -> None:
    as_of_the_first(url)
    engine = open_database(url)
    assert differences(engine) == []
    engine.dispose()


def test_a_migrated_database_opens_again_as_it_is(first: str) -> None:
    open_database(first).dispose()
    engine = open_database(first)
    assert differences(engine) == []
    engine.dispose()


def test_a_new_database_is_marked_as_of_the_latest_revision(tmp_path) -> None:
    migrated_url, new_url = f"sqlite:///{tmp_path}/a", f"sqlite:///{tmp_path}/b"
    with sqlite3.connect(tmp_path / "a") as connection:
        connection.executescript(FIRST)
    connection.close()
    marks = []
    for url in (migrated_url, new_url):
        engine = open_database(url)
        with engine.connect() as connection:
            marks.append(MigrationContext.configure(connection).get_current_revision())
        engine.dispose()
    assert marks[0] == marks[1]


def test_a_migration_that_fails_leaves_the_database_as_it_was(first: str, tmp_path) -> None:
    with sqlite3.connect(tmp_path / "books.sqlite") as connection:
        # In the way of the migration that adds the table of this name.
        connection.execute("CREATE TABLE reputations (other TEXT)")
    connection.close()
    with pytest.raises(ConfigurationError, match="reputations"):
        open_database(first)
    with sqlite3.connect(tmp_path / "books.sqlite") as connection:
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM receipts").fetchall() == [(1,)]
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert "alembic_version" not in tables
