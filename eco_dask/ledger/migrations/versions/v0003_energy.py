"""Energy of every run beside its receipt, and what owners declare of their machines' energy."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_FIGURES = (
    "component_uj", "marginal_uj", "reserved_uj", "metered_uj",
    "carbon_low_ug", "carbon_central_ug", "carbon_high_ug", "gap_ms",
)  # fmt: skip


def upgrade() -> None:
    """Add the tables of energy and of declarations."""
    name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    names = ("job", "ballot", "provider", "owner")
    op.create_table(
        "energy",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("id", name, nullable=False, unique=True),
        *(sa.Column(each, name, nullable=False) for each in names),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
        *(sa.Column(it, sa.BigInteger, sa.CheckConstraint(f"{it} >= 0")) for it in _FIGURES),
        *(sa.Column(it, sa.Text) for it in ("tier", "sources", "grids", "warnings", "unknown")),
    )
    for each in ("job", "provider", "owner"):
        op.create_index(f"energy_by_{each}", "energy", [each, "seq"])
    op.create_table(
        "declarations",
        sa.Column("provider", name, primary_key=True),
        sa.Column("declared", sa.JSON, nullable=False),
        sa.Column("declared_at_s", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute("UPDATE schema_version SET version = 3")
