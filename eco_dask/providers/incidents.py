"""What strangers tried: how often, from where, and which rule it broke.

add({(address, reason): count}) ──► one row each ──► listed for the operator
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, delete, func, insert, select, update

from eco_dask.ledger.database import writing
from eco_dask.ledger.member_tables import incidents
from eco_dask.text import clean

#: Rows kept; the oldest leave.
KEPT_MAX = 10_000
_TEXT_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Incident:
    """One rule that was broken from one address, by somebody who had not joined."""

    address: str
    #: Reason code, as the protocol's page lists them.
    reason: str
    count: int
    #: Seconds since 1970.
    first_at_s: float
    last_at_s: float


class IncidentLog:
    """The incidents of all gateways."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, counts: Mapping[tuple[str, str], int], at_s: float) -> None:
        """Add what happened since the last time; ``at_s`` is now, in seconds since 1970."""
        with writing(self._engine) as connection:
            for (address, reason), count in counts.items():
                key = {
                    "address": clean(address, _TEXT_CHARS_MAX),
                    "reason": clean(reason, _TEXT_CHARS_MAX),
                }
                row = incidents.c
                done = connection.execute(
                    update(incidents)
                    .where(row.address == key["address"], row.reason == key["reason"])
                    .values(count=row.count + count, last_at_s=at_s)
                )
                if done.rowcount == 0:
                    fresh = {"count": count, "first_at_s": at_s, "last_at_s": at_s}
                    connection.execute(insert(incidents).values(key | fresh))
            kept = connection.scalar(select(func.count()).select_from(incidents)) or 0
            if kept > KEPT_MAX:
                newest = select(row.last_at_s).order_by(row.last_at_s.desc()).limit(KEPT_MAX)
                oldest_kept = connection.scalar(select(func.min(newest.subquery().c.last_at_s)))
                connection.execute(delete(incidents).where(row.last_at_s < oldest_kept))

    def latest(self, limit: int = 100) -> tuple[Incident, ...]:
        """Return the incidents, the latest first."""
        row = incidents.c
        query = (
            select(row.address, row.reason, row.count, row.first_at_s, row.last_at_s)
            .order_by(row.last_at_s.desc(), row.address, row.reason)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return tuple(Incident(*found) for found in connection.execute(query))
