"""The schema's versions: what a database has, and the way from there to what this code knows.

new ──create_all──► latest      older ──Alembic──► latest      newer ──► refused, untouched
"""

from __future__ import annotations

import io

from sqlalchemy import Connection, insert, inspect, select

from eco_dask.errors import ConfigurationError
from eco_dask.ledger import member_tables  # noqa: F401  completes the metadata
from eco_dask.ledger.tables import SCHEMA_VERSION, metadata, schema_version

#: Alembic's own table; databases of the first schema have none.
_MARK = "alembic_version"


def prepare_schema(connection: Connection, shown_url: str) -> None:
    """Bring a database to the latest schema, inside of the caller's transaction.

    Parameters
    ----------
    connection : Connection
        In a transaction that no other writer shares.
    shown_url : str
        The database in messages, without secrets.

    Raises
    ------
    ConfigurationError
        A newer version of eco_dask wrote the database.
    """
    if not inspect(connection).has_table(schema_version.name):
        metadata.create_all(connection)
        connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))
        _alembic(connection, "stamp", "head")
        return
    found = connection.execute(select(schema_version.c.version)).scalar_one()
    if found > SCHEMA_VERSION:
        raise ConfigurationError(
            f"the ledger at {shown_url} has schema version {found}, and this version of "
            f"eco_dask knows up to {SCHEMA_VERSION}: upgrade eco_dask, or name another database"
        )
    if found < SCHEMA_VERSION:
        if not inspect(connection).has_table(_MARK):
            _alembic(connection, "stamp", "0001")
        _alembic(connection, "upgrade", "head")


def _alembic(connection: Connection, order: str, revision: str) -> None:
    # Imported here: most starts find the schema as it should be.
    from alembic import command
    from alembic.config import Config

    config = Config(stdout=io.StringIO())
    config.set_main_option("script_location", "eco_dask.ledger:migrations")
    config.attributes["connection"] = connection
    {"stamp": command.stamp, "upgrade": command.upgrade}[order](config, revision)
