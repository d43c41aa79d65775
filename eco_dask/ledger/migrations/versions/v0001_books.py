"""Entries, balances and receipts: the first released schema.

Databases without a mark of Alembic's are of this revision; new ones are created as of the latest.
"""

from __future__ import annotations

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Do nothing: only databases that have these tables come by here."""
