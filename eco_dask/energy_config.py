"""Settings of energy, as frozen rules: the coordinator's own, and those of a machine's owner.

eco-dask.energy ──► EnergyRule      eco-dask.worker.energy ──► OwnerEnergyRule
"""

from __future__ import annotations

from dataclasses import dataclass, field

from eco_dask.errors import ConfigurationError
from eco_dask.settings import file_text, fraction, if_set, setting

_HOURS = 24


@dataclass(frozen=True, slots=True)
class EnergyRule:
    """What a coordinator's energy figures rest on."""

    zone: str
    machine: str
    #: Text of the operator's own table of intensities, empty for the shipped one.
    intensity: str
    #: What each hour of the day costs, in UTC; empty or 24.
    hourly: tuple[float, ...]
    #: What a point is worth in ``currency``; None if nobody said.
    point_value: float | None
    currency: str
    #: Name of a live source of intensities, empty for none, and the operator's token for it.
    live: str = ""
    live_token: str = field(default="", repr=False)


def energy_rule() -> EnergyRule:
    """Return what a coordinator's energy figures rest on.

    Raises
    ------
    ConfigurationError
        If a setting is none, or the table cannot be read.
    """
    hourly = setting("energy.hourly")
    if not isinstance(hourly, list | tuple) or len(hourly) not in (0, _HOURS):
        raise ConfigurationError(f"eco-dask.energy.hourly must be 24 numbers; got {hourly!r}")
    return EnergyRule(
        zone=str(setting("energy.zone") or "").upper(),
        machine=str(setting("energy.machine") or ""),
        intensity=file_text("energy.intensity"),
        hourly=tuple(float(it) for it in hourly),
        point_value=if_set(fraction, "energy.point-value"),
        currency=str(setting("energy.currency")).upper(),
        live=str(setting("energy.live") or ""),
        live_token=str(setting("energy.live-token") or ""),
    )


@dataclass(frozen=True, slots=True)
class OwnerEnergyRule:
    """What the owner of a contributed machine says of its energy."""

    zone: str
    price_per_kwh: float | None
    currency: str
    #: Empty for what the machine says of itself.
    machine: str
    dedicated: bool
    idle_w: float | None
    max_w: float | None
    hours: tuple[str, ...]
    g_per_kwh_max: float | None


def owner_energy_rule() -> OwnerEnergyRule:
    """Return what the owner of a contributed machine says of its energy."""
    hours = setting("worker.energy.hours")
    if not isinstance(hours, list | tuple):
        raise ConfigurationError(f"eco-dask.worker.energy.hours must be a list; got {hours!r}")
    return OwnerEnergyRule(
        zone=str(setting("worker.energy.zone") or "").upper(),
        price_per_kwh=if_set(fraction, "worker.energy.price"),
        currency=str(setting("worker.energy.currency")).upper(),
        machine=str(setting("worker.energy.machine") or ""),
        dedicated=setting("worker.energy.dedicated") is True,
        idle_w=if_set(fraction, "worker.energy.idle-watts"),
        max_w=if_set(fraction, "worker.energy.max-watts"),
        hours=tuple(map(str, hours)),
        g_per_kwh_max=if_set(fraction, "worker.energy.carbon-max"),
    )
