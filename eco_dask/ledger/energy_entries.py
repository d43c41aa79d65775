"""Energy beside receipts: one entry per run of a task, and one per job of a coordinator's own work.

EnergyEntry ──take_energy──► table energy ──energy_of──► EnergyFigures | Unavailable
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from sqlalchemy import Connection, Row, insert, select, update

from eco_dask.energy.accounts import OwnSum
from eco_dask.energy.carbon import CarbonRange
from eco_dask.energy.figures import EnergyFigures
from eco_dask.energy.reading import Tier, Unavailable
from eco_dask.ledger.tables import energy
from eco_dask.types import BallotId, JobId, LeaseId, OwnerId, ProviderId

#: What energy was used for: a lease's purpose, or a coordinator's own work.
Use = Literal["vote", "audit", "known", "check", "coordination"]

#: Most that one entry may state, in microjoules, micrograms and milliseconds: what a coordinator
#: takes for one job in a century, and far above what one run may claim.
FIGURE_MAX: Final = 10**17
_LOOKUP_SIZE: Final = 500
_SOURCE: Final = "ledger"
_SEPARATOR: Final = "\n"
_NUMBERS: Final = ("component_uj", "marginal_uj", "reserved_uj", "metered_uj", "gap_ms")
_CARBON: Final = ("carbon_low_ug", "carbon_central_ug", "carbon_high_ug")
_SETS: Final = ("sources", "grids", "warnings")


@dataclass(frozen=True, slots=True)
class EnergyEntry:
    """What one run took, or why that is unknown."""

    #: The lease, or the name of a coordinator's own work for a job.
    id: str
    job: JobId
    #: Empty for a coordinator's own work, as are provider and owner.
    ballot: BallotId
    provider: ProviderId
    owner: OwnerId
    purpose: Use
    energy: EnergyFigures | Unavailable
    #: Unix time, seconds.
    at_s: float

    def __post_init__(self) -> None:
        if self.purpose not in get_args(Use) or not math.isfinite(self.at_s):
            raise ValueError(f"energy entry {self.id!r}: no such purpose or time; got {self}")
        if isinstance(self.energy, EnergyFigures):
            it = self.energy
            numbers = (*(getattr(it, name) for name in _NUMBERS), it.carbon.high_ug)
            if max(numbers) > FIGURE_MAX:
                raise ValueError(f"energy entry {self.id!r}: figures are <= {FIGURE_MAX}; got {it}")

    @property
    def is_cumulative(self) -> bool:
        """A coordinator's own work for a job grows: a later entry of the name replaces it."""
        return self.purpose == "coordination"


def own_entries(prefix: str, grown: Mapping[str, OwnSum], at_s: float) -> list[EnergyEntry]:
    """Entries of a coordinator's own work by job, each named ``<prefix>/<number>``."""
    nobody = BallotId(""), ProviderId(""), OwnerId("")
    return [
        EnergyEntry(f"{prefix}/{it.number}", JobId(job), *nobody, "coordination", it.figures, at_s)
        for job, it in grown.items()
    ]


def take_energy(connection: Connection, offered: Sequence[EnergyEntry]) -> None:
    """Write entries; of a run the first stays for good, a coordinator's own work is replaced.

    So what was taken in before may be offered again.
    """
    latest = {entry.id: entry for entry in offered if entry.is_cumulative}
    first: dict[str, EnergyEntry] = {}
    for entry in offered:
        if not entry.is_cumulative:
            first.setdefault(entry.id, entry)
    known = _known(connection, (*first, *latest))
    new = [_as_values(it) for it in (*first.values(), *latest.values()) if it.id not in known]
    if new:
        connection.execute(insert(energy), new)
    for name in latest.keys() & known:
        changed = update(energy).where(energy.c.id == name).values(_as_values(latest[name]))
        connection.execute(changed)


def energy_of(
    connection: Connection, leases: Iterable[LeaseId]
) -> dict[LeaseId, EnergyFigures | Unavailable]:
    """Load the energy of runs by lease; those that nothing was reported of are left out."""
    ordered = sorted(set(leases))
    found: dict[LeaseId, EnergyFigures | Unavailable] = {}
    for start in range(0, len(ordered), _LOOKUP_SIZE):
        query = select(energy).where(energy.c.id.in_(ordered[start : start + _LOOKUP_SIZE]))
        for row in connection.execute(query):
            unknown = row.unknown is not None
            found[row.id] = Unavailable(_SOURCE, row.unknown) if unknown else as_figures(row)
    return found


def as_figures(row: Row[Any]) -> EnergyFigures:
    """Read figures from a row with the table's columns, single or summed."""
    given: dict[str, Any] = {name: int(getattr(row, name)) for name in _NUMBERS}
    for name in _SETS:
        given[name] = frozenset(filter(None, getattr(row, name).split(_SEPARATOR)))
    carbon = CarbonRange(*(int(getattr(row, name)) for name in _CARBON))
    return EnergyFigures(**given, carbon=carbon, tier=Tier(row.tier))


def _known(connection: Connection, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(ids), _LOOKUP_SIZE):
        query = select(energy.c.id).where(energy.c.id.in_(ids[start : start + _LOOKUP_SIZE]))
        found.update(connection.execute(query).scalars())
    return found


def _as_values(entry: EnergyEntry) -> Mapping[str, Any]:
    names = ("id", "job", "ballot", "provider", "owner", "purpose", "at_s")
    values: dict[str, Any] = {name: getattr(entry, name) for name in names}
    it = entry.energy
    if isinstance(it, Unavailable):
        figures = dict.fromkeys((*_NUMBERS, *_SETS, "tier"))
        carbon: dict[str, int | None] = dict.fromkeys(_CARBON)
        return values | figures | carbon | {"unknown": it.reason or it.source}
    figures_of: dict[str, Any] = {name: getattr(it, name) for name in _NUMBERS}
    sets = {name: _SEPARATOR.join(sorted(getattr(it, name))) for name in _SETS}
    parts = (it.carbon.low_ug, it.carbon.central_ug, it.carbon.high_ug)
    carbon_of = dict(zip(_CARBON, parts, strict=True))
    return values | figures_of | sets | carbon_of | {"tier": it.tier.value, "unknown": None}
