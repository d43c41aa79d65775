"""Owners, providers and recruiters, whose tables were made where they were needed before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_ROLE = "role IN ('provider', 'trusted')"


def _tables() -> sa.MetaData:
    """The tables as of this revision, those that others refer to first."""
    tables = sa.MetaData()
    sa.Table(
        "owners",
        tables,
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("created_at_s", sa.Double, nullable=False),
    )
    sa.Table(
        "invites",
        tables,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("owner", sa.Text, sa.ForeignKey("owners.name"), nullable=False),
        sa.Column("role", sa.Text, sa.CheckConstraint(_ROLE), nullable=False),
        sa.Column("uses_max", sa.Integer, nullable=False),
        sa.Column("uses", sa.Integer, sa.CheckConstraint("uses <= uses_max"), nullable=False),
        sa.Column("created_at_s", sa.Double, nullable=False),
        sa.Column("expires_at_s", sa.Double),
    )
    sa.Table(
        "providers",
        tables,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("public_key", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("owner", sa.Text, sa.ForeignKey("owners.name"), nullable=False),
        sa.Column("role", sa.Text, sa.CheckConstraint(_ROLE), nullable=False),
        sa.Column("invite", sa.Text, sa.ForeignKey("invites.id"), nullable=False),
        sa.Column("enrolled_at_s", sa.Double, nullable=False),
        sa.Column("seen_at_s", sa.Double),
        sa.Column("score", sa.Double),
        sa.Column("capability", sa.JSON, nullable=False),
        sa.Column("revoked", sa.Boolean, nullable=False),
        sa.Column("revoked_reason", sa.Text, nullable=False),
        sa.Column("revoked_at_s", sa.Double),
        sa.Index("providers_by_owner", "owner"),
    )
    sa.Table(
        "strikes",
        tables,
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("provider", sa.Text, sa.ForeignKey("providers.id"), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Index("strikes_by_provider", "provider"),
    )
    _later_tables(tables)
    return tables


def _later_tables(tables: sa.MetaData) -> None:
    sa.Table(
        "retired_keys",
        tables,
        sa.Column("public_key", sa.LargeBinary, primary_key=True),
        sa.Column("provider", sa.Text, sa.ForeignKey("providers.id"), nullable=False),
        sa.Column("retired_at_s", sa.Double, nullable=False),
    )
    sa.Table(
        "incidents",
        tables,
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("first_at_s", sa.Double, nullable=False),
        sa.Column("last_at_s", sa.Double, nullable=False),
    )
    sa.Table(
        "recruiter_links",
        tables,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("recruiter", sa.Text, nullable=False),
        sa.Column("scheduler", sa.Text, nullable=False),
        sa.Column("days", sa.Double, nullable=False),
        sa.Column("created_at_s", sa.Double, nullable=False),
        sa.Column("expires_at_s", sa.Double, nullable=False),
        sa.Column("used_at_s", sa.Double),
    )
    sa.Table(
        "recruiter_certificates",
        tables,
        sa.Column("serial", sa.Text, primary_key=True),
        sa.Column("recruiter", sa.Text, nullable=False),
        sa.Column("issued_at_s", sa.Double, nullable=False),
        sa.Column("expires_at_s", sa.Double, nullable=False),
        sa.Column("revoked_at_s", sa.Double),
        sa.Column("revoked_reason", sa.Text, nullable=False),
    )


def upgrade() -> None:
    """Add the tables that this database did not need so far; the others are as they are here."""
    _tables().create_all(op.get_bind())
    op.execute("UPDATE schema_version SET version = 5")
