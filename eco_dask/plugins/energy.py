"""Energy of the coordinator's own processes, and the carbon intensities that all figures rest on.

EnergyRule ──► IntensityTable     this machine's meters ──► OwnWork ──OwnEnergy──► table energy
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from eco_dask.energy.declared import Declared, terms_of
from eco_dask.energy.hours import HourForecast, Start, Wish, when_to_start
from eco_dask.energy.intensity import CarbonIntensityProvider, json_file, static_table
from eco_dask.energy.own_work import OwnWork
from eco_dask.energy.readers.choose import available
from eco_dask.energy_config import EnergyRule, energy_rule
from eco_dask.errors import ConfigurationError
from eco_dask.jobs import ANNOTATION
from eco_dask.ledger.energy_entries import own_entries
from eco_dask.ledger.store import Ledger
from eco_dask.plugins.live import LiveIntensities, live_source

logger = logging.getLogger(__name__)

_HOUR_S = 3600.0
#: Two weeks: a job that waits longer is none of a day's hours.
_HOURS_AHEAD_MAX = 24 * 14
#: How often a scheduler's own energy is read.
EVERY_S = 2.0


class OwnEnergy:
    """The scheduler's own energy by job, on its way to the books. Made by :meth:`open`."""

    def __init__(self, work: OwnWork, ledger: Ledger, name: str) -> None:
        self._work = work
        self._ledger = ledger
        # A later life of a scheduler of this name has sums of its own.
        self._name = f"{name}/{secrets.token_hex(4)}/own"
        self._ticking = asyncio.create_task(self._run())

    @classmethod
    async def open(cls, ledger: Ledger, name: str) -> OwnEnergy:
        """Open the meters of this machine, and begin.

        Raises
        ------
        ConfigurationError
            If the settings of energy are wrong.
        """
        rule = energy_rule()
        work = await asyncio.to_thread(own_work, rule, intensities_of(rule))
        return cls(work, ledger, name)

    def count(self, ts: Any) -> None:
        """A task changed its state; None once the scheduler has forgotten it."""
        annotation = (ts.annotations or {}).get(ANNOTATION) if ts is not None else None
        if annotation:
            self._work.count(annotation["id"])

    async def close(self) -> None:
        """Write what is not written yet."""
        self._ticking.cancel()
        await asyncio.gather(self._ticking, return_exceptions=True)
        await self._tell()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await self._tell()

    async def _tell(self) -> None:
        entries = own_entries(self._name, self._work.tick(), time.time())
        try:
            await asyncio.to_thread(self._ledger.take_energy, entries)
        except SQLAlchemyError as error:
            # The sums grow, so that the next entry makes up for this one.
            logger.warning("The scheduler's own energy is not in the books now: %s", error)


def intensities_of(rule: EnergyRule) -> CarbonIntensityProvider:
    """Return the live source that the operator chose, the operator's own table, or the shipped.

    Raises
    ------
    ConfigurationError
        If the operator's is none.
    """
    try:
        table = json_file(rule.intensity) if rule.intensity else static_table()
    except ValueError as error:
        raise ConfigurationError(f"eco-dask.energy.intensity: {error}") from error
    if not rule.live:
        return table
    asker = ThreadPoolExecutor(1, thread_name_prefix="eco-intensity")
    return LiveIntensities(live_source(rule.live, rule.live_token), table, time.time, asker.submit)


def own_work(rule: EnergyRule, intensities: CarbonIntensityProvider) -> OwnWork:
    """Return the meter of this process.

    Raises
    ------
    ConfigurationError
        If the settings of the machine are wrong.
    """
    try:
        declared = Declared(zone=rule.zone, machine=rule.machine, threads=os.cpu_count() or 1)
    except ValueError as error:
        raise ConfigurationError(f"eco-dask.energy: {error}") from error
    meters = available()
    # A coordinator computes nothing on GPUs, and their idle power is not its doing.
    cpu = tuple(it for it in meters.readers if it.name not in ("nvml", "amdgpu"))
    return OwnWork(replace(meters, readers=cpu), terms_of(declared, intensities))


def best_start(rule: EnergyRule, now_s: float, wish: Wish) -> Start:
    """Choose when a job that can wait starts; at once where no hours are configured."""
    if not rule.hourly:
        return Start(now_s, "the operator configured no hours (eco-dask.energy.hourly)")
    first_s = now_s // _HOUR_S * _HOUR_S
    hours = min(math.ceil((wish.deadline_s - first_s) / _HOUR_S), _HOURS_AHEAD_MAX)
    begins = (first_s + n * _HOUR_S for n in range(hours))
    costs = [HourForecast(at_s, rule.hourly[int(at_s // _HOUR_S) % 24]) for at_s in begins]
    return when_to_start(now_s, wish, costs)
