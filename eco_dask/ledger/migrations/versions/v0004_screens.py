"""What screens need to outlive the coordinator: tokens, time series, what was seen of jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the tables of tokens, series and job records, and receipts' index by task."""
    name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "tokens",
        sa.Column("id", name, primary_key=True),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("scope", name, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created_at_s", sa.Double, nullable=False),
        sa.Column("expires_at_s", sa.Double),
        sa.Column("revoked_at_s", sa.Double),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "series",
        sa.Column("name", name, primary_key=True),
        sa.Column("step_s", sa.Integer, primary_key=True),
        sa.Column("at_s", sa.BigInteger, primary_key=True),
        sa.Column("count", sa.Integer, sa.CheckConstraint("count > 0"), nullable=False),
        *(sa.Column(it, sa.Double, nullable=False) for it in ("total", "low", "high", "last")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "job_records",
        sa.Column("job", name, primary_key=True),
        sa.Column("record", sa.JSON, nullable=False),
        sa.Column("started_at_s", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("job_records_by_start", "job_records", ["started_at_s"])
    op.create_index("receipts_by_ballot", "receipts", ["ballot", "seq"])
    op.execute("UPDATE schema_version SET version = 4")
