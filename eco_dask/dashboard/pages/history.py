"""What the latest snapshots said, over time: the lines of all pages, for all viewers.

Snapshot, Snapshot, ... ──add──► columns by time, the oldest dropped
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from eco_dask.dashboard.model import Snapshot
from eco_dask.dashboard.pages.columns import Columns
from eco_dask.dashboard.pages.formats import in_points
from eco_dask.energy.reading import Tier

#: Points of each line: a quarter of an hour, at one a second.
POINTS_MAX: Final = 900
#: Lines that the books remember, and the series in which they do.
SERIES: Final[Mapping[str, str]] = {
    **{name: name for name in ("connected", "slots", "slots_busy", "tasks_waiting")},
    "attempts_per_task": "attempts_per_task",
    "posted_points": "posted_mpt",
    "pending_points": "pending_mpt",
}
_MS_PER_S: Final = 1000
_MPT_PER_POINT: Final = 1000
#: Classes of meters, from metered to assumed.
TIERS: Final = tuple(tier.value for tier in Tier)


def _watts(tier: str, snapshot: Snapshot) -> float | None:
    known = snapshot.energy.watts_by_tier
    return None if known is None else known.get(tier, 0.0)


Reading = Callable[[Snapshot], float | None]

#: What is remembered of each snapshot; None where it is unknown.
_READ: Final[Mapping[str, Reading]] = {
    "at_ms": lambda s: s.at_s * _MS_PER_S,
    "connected": lambda s: s.network.providers_connected,
    "slots": lambda s: s.network.slots,
    "slots_busy": lambda s: s.network.slots_busy,
    "tasks_waiting": lambda s: s.network.tasks_waiting,
    "demand_tasks": lambda s: s.points.demand_tasks,
    "attempts_per_task": lambda s: s.verification.attempts_per_task,
    "posted_points": lambda s: in_points(s.points.posted_mpt),
    "pending_points": lambda s: in_points(s.points.pending_mpt),
    "reserved_points": lambda s: in_points(s.points.reserved_mpt),
    **{f"watts_{tier}": partial(_watts, tier) for tier in TIERS},
}


class History:
    """The lines' columns; a new snapshot makes new ones, so that old ones can be compared."""

    def __init__(self) -> None:
        self._columns: dict[str, list[float | None]] = {name: [] for name in _READ}

    def add(self, snapshot: Snapshot) -> None:
        """Append what a snapshot says, if it is later than what is there."""
        at_ms = snapshot.at_s * _MS_PER_S
        if self._columns["at_ms"] and (self._columns["at_ms"][-1] or 0) >= at_ms:
            return
        self._columns = {
            name: [*self._columns[name][1 - POINTS_MAX :], read(snapshot)]
            for name, read in _READ.items()
        }

    def fill(self, past: Mapping[str, Sequence[tuple[float, float]]]) -> None:
        """Begin with what the books remember: times in seconds and values, by series."""
        if self._columns["at_ms"]:
            return
        values = {name: dict(past.get(series, ())) for name, series in SERIES.items()}
        times_s = sorted({at_s for found in values.values() for at_s in found})[-POINTS_MAX:]
        for name, column in self._columns.items():
            known = values.get(name, {})
            scale = _MPT_PER_POINT if name.endswith("_points") else 1
            column += [known[at] / scale if at in known else None for at in times_s]
        self._columns["at_ms"] = [at_s * _MS_PER_S for at_s in times_s]

    def pick(self, *names: str) -> Columns:
        """Return some of the lines with their times."""
        return {name: self._columns[name] for name in ("at_ms", *names)}
