"""What is believed of an owner outlives the gateway that learned it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the table of reputations."""
    name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "reputations",
        sa.Column("gateway", name, primary_key=True),
        sa.Column("part", name, primary_key=True),
        sa.Column("state", sa.JSON, nullable=False),
        sa.Column("saved_at_s", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute("UPDATE schema_version SET version = 2")
