"""Time series in the books' database, in several steps, so that history survives restarts.

::

    record(at, values) ──► a point of 15 s, of 5 min and of 1 h each ──read──► at most N samples

A point holds all that was recorded within its step. Fine points are dropped after a while, coarse
ones stay, so the table grows by a few thousand rows a year and name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from eco_dask.ledger.database import writing
from eco_dask.ledger.tables import series


@dataclass(frozen=True, slots=True)
class Measure:
    """What is recorded under a name."""

    unit: str
    help: str


NAMES: Final[Mapping[str, Measure]] = {
    "connected": Measure("providers", "Connected providers"),
    "slots": Measure("slots", "Slots of connected providers"),
    "slots_busy": Measure("slots", "Slots that hold a lease"),
    "leases_live": Measure("leases", "Leases that are not answered yet"),
    "tasks_waiting": Measure("tasks", "Tasks that want a provider"),
    "tasks_done": Measure("tasks", "Tasks with an accepted answer, since the beginning"),
    "attempts": Measure("attempts", "Attempts, since the beginning"),
    "attempts_per_task": Measure("attempts", "Attempts for each accepted task, so far"),
    "dissented": Measure("attempts", "Answers that were wrong, since the beginning"),
    "posted_mpt": Measure("mpt", "Points paid to owners, since the beginning"),
    "pending_mpt": Measure("mpt", "Points held for owners"),
    "marginal_uj": Measure("uJ", "Marginal energy, since the beginning"),
    "reserved_uj": Measure("uJ", "Energy with idle shares, since the beginning"),
    "watts": Measure("W", "Mean power of late"),
    "gco2e": Measure("gCO2e", "Greenhouse gases, central estimate, since the beginning"),
}

#: Steps in seconds, and how long their points are kept, in seconds; None for good.
STEPS: Final[Mapping[int, float | None]] = {15: 86_400.0, 300: 40 * 86_400.0, 3600: None}


@dataclass(frozen=True, slots=True)
class Samples:
    """What was read: the last value of each step that has any."""

    step_s: int
    #: Unix time in seconds, value.
    samples: tuple[tuple[float, float], ...]


class SeriesStore:
    """The series of a coordinator.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`~eco_dask.ledger.database.open_database`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, at_s: float, values: Mapping[str, float | None]) -> None:
        """Record values of one instant; None, as unknown, leaves a gap.

        Raises
        ------
        ValueError
            A name is unknown, or a value is no number.
        """
        known = {name: value for name, value in values.items() if value is not None}
        for name, value in known.items():
            if name not in NAMES or not math.isfinite(value):
                raise ValueError(f"series are {', '.join(NAMES)}, with numbers; got {name}={value}")
        if not known:
            return
        rows = [
            {"name": name, "step_s": step_s, "at_s": int(at_s // step_s) * step_s, "count": 1}
            | dict.fromkeys(("total", "low", "high", "last"), value)
            for step_s in STEPS
            for name, value in known.items()
        ]
        with writing(self._engine) as connection:
            _add(connection, rows)

    def read(self, name: str, since_s: float, until_s: float, points_max: int) -> Samples:
        """Return a series between two times, in the finest step that gives few enough samples.

        Where even the coarsest gives more, only every second, third, ... of them is returned, and
        the last.
        """
        span_s = max(0.0, until_s - since_s)
        now_s = until_s
        fitting = [
            step_s
            for step_s, kept_s in STEPS.items()
            if span_s / step_s <= points_max and (kept_s is None or now_s - since_s <= kept_s)
        ]
        step_s = fitting[0] if fitting else max(STEPS)
        c = series.c
        query = select(c.at_s, c.last).where(
            c.name == name, c.step_s == step_s, c.at_s > since_s - step_s, c.at_s <= until_s
        )
        with self._engine.connect() as connection:
            found = [(float(at), last) for at, last in connection.execute(query.order_by(c.at_s))]
        every = math.ceil(len(found) / points_max) or 1
        return Samples(step_s * every, tuple(found[::-1][::every][::-1]))

    def forget(self, at_s: float) -> None:
        """Drop the points that are older than they are kept."""
        with writing(self._engine) as connection:
            for step_s, kept_s in STEPS.items():
                if kept_s is not None:
                    old = (series.c.step_s == step_s) & (series.c.at_s < at_s - kept_s)
                    connection.execute(delete(series).where(old))


def _add(connection: Connection, rows: list[dict[str, object]]) -> None:
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    new = make(series)
    given, c = new.excluded, series.c
    pick_low, pick_high = (
        (func.least, func.greatest)
        if connection.dialect.name == "postgresql"
        else (func.min, func.max)
    )
    changed = {
        "count": c.count + 1,
        "total": c.total + given.total,
        "low": pick_low(c.low, given.low),
        "high": pick_high(c.high, given.high),
        "last": given.last,
    }
    same = [c.name, c.step_s, c.at_s]
    connection.execute(new.on_conflict_do_update(index_elements=same, set_=changed), rows)
