"""Alembic's entry: run the migrations on the connection that :mod:`eco_dask.ledger.schema` opened.

They run inside of its transaction, so that a migration that fails leaves everything as it was.
"""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
