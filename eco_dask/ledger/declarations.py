"""What owners declare of their machines' energy, kept beside the receipts it explains.

Proof.energy ──put──► declarations ──all──► statements, badges
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, delete, insert, select

from eco_dask.ledger.database import writing
from eco_dask.ledger.tables import declarations
from eco_dask.types import ProviderId


class Declarations:
    """The latest declaration of each provider.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`~eco_dask.ledger.database.open_database`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, provider: ProviderId, declared: Mapping[str, Any], at_s: float) -> None:
        """Keep what a provider declares from now on; seconds since 1970."""
        row = {"provider": provider, "declared": dict(declared), "declared_at_s": at_s}
        with writing(self._engine) as connection:
            connection.execute(delete(declarations).where(declarations.c.provider == provider))
            connection.execute(insert(declarations), row)

    def all(self) -> dict[ProviderId, Mapping[str, Any]]:
        """Return what each provider declared last."""
        query = select(declarations.c.provider, declarations.c.declared)
        with self._engine.connect() as connection:
            return {ProviderId(row.provider): row.declared for row in connection.execute(query)}
