"""Settings of a machine's owner, as frozen rules: when it works, and how much it transfers.

eco-dask.worker.presence, .transfer, .energy.hours ──► PresenceRule, TransferRule
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from eco_dask.energy.intensity import known_intensity
from eco_dask.energy_config import owner_energy_rule
from eco_dask.errors import ConfigurationError
from eco_dask.host.hours_text import parse_hours
from eco_dask.host.presence import PresenceRule
from eco_dask.settings import fraction, if_set, seconds, setting, size_bytes

#: Down: slower, and a single part of a value would outlast the gateway's patience. Up: a gateway
#: gives values up that come slower than 128 KiB a second.
DOWN_BYTES_PER_S_MIN, UP_BYTES_PER_S_MIN = 1_000_000, 200_000


@dataclass(frozen=True, slots=True)
class TransferRule:
    """How much a machine transfers; None is no limit."""

    up_bytes_per_s: int | None = None
    down_bytes_per_s: int | None = None
    per_day_bytes: int | None = None


def transfer_rule() -> TransferRule:
    """Return how much a machine transfers.

    Raises
    ------
    ConfigurationError
        If a limit is so low that nothing could be transferred.
    """
    up = if_set(size_bytes, "worker.transfer.up")
    down = if_set(size_bytes, "worker.transfer.down")
    for name, value, least in (
        ("up", up, UP_BYTES_PER_S_MIN),
        ("down", down, DOWN_BYTES_PER_S_MIN),
    ):
        if value is not None and value < least:
            raise ConfigurationError(
                f"eco-dask.worker.transfer.{name} is at least {least / 1000:g} kB a second, or the "
                f"gateway would take this machine for gone; got {value} bytes"
            )
    return TransferRule(up, down, if_set(size_bytes, "worker.transfer.per-day"))


def presence_rule() -> PresenceRule:
    """Return when a machine works for others.

    Raises
    ------
    ConfigurationError
        If a setting is none.
    """
    programs = setting("worker.presence.programs")
    if not isinstance(programs, list | tuple) or not all(isinstance(it, str) for it in programs):
        raise ConfigurationError(
            f"eco-dask.worker.presence.programs must be a list of names; got {programs!r}"
        )
    energy = owner_energy_rule()
    try:
        return PresenceRule(
            idle_s_min=if_set(seconds, "worker.presence.idle"),
            on_battery=setting("worker.presence.on-battery") is True,
            load_max=if_set(fraction, "worker.presence.load-max"),
            temperature_max_c=if_set(fraction, "worker.presence.temperature-max"),
            on_metered=setting("worker.presence.on-metered") is True,
            programs=tuple(programs),
            hours=replace(parse_hours(energy.hours), g_per_kwh_max=energy.g_per_kwh_max),
            g_per_kwh=known_intensity(energy.zone),
            gpu_shared=setting("worker.presence.gpu-shared") is True,
            transfer_bytes_max=transfer_rule().per_day_bytes,
        )
    except ValueError as error:
        raise ConfigurationError(f"eco-dask.worker.presence: {error}") from error


def give_back_after_s() -> float:
    """Return after which pause tasks under way go back to the network, seconds."""
    return seconds("worker.presence.give-back-after")
