"""What a gateway learned of owners, kept in the books' database so that it outlives the gateway.

policy ──parts──► save ──► reputations ──► load ──► policy of the gateway's next life
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, delete, insert, select

from eco_dask.ledger.database import writing
from eco_dask.ledger.tables import reputations


class ReputationStore:
    """The latest saved state of each part, by gateway.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`~eco_dask.ledger.database.open_database`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def load(self, gateway: str) -> dict[str, Any]:
        """Return every part that ``gateway`` saved, empty for a new one."""
        query = select(reputations.c.part, reputations.c.state).where(
            reputations.c.gateway == gateway
        )
        with self._engine.connect() as connection:
            return {row.part: row.state for row in connection.execute(query)}

    def save(self, gateway: str, parts: Mapping[str, Any], at_s: float) -> None:
        """Replace the named parts; the others stay as they are.

        Parameters
        ----------
        gateway : str
            Whose they are.
        parts : mapping
            Plain values (None, bool, numbers, text, lists, dicts with text keys) by part.
        at_s : float
            Now, in seconds since 1970.
        """
        if not parts:
            return
        rows = [
            {"gateway": gateway, "part": part, "state": state, "saved_at_s": at_s}
            for part, state in parts.items()
        ]
        with writing(self._engine) as connection:
            connection.execute(
                delete(reputations).where(
                    reputations.c.gateway == gateway, reputations.c.part.in_(tuple(parts))
                )
            )
            connection.execute(insert(reputations), rows)
