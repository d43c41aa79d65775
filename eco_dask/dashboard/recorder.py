"""Keeps the history: a snapshot every few seconds, its figures as time series in the books.

every 15 s: View.snapshot ──values──► SeriesStore
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from eco_dask.dashboard.model import Snapshot
from eco_dask.dashboard.view import View
from eco_dask.ledger.series import STEPS, SeriesStore

logger = logging.getLogger(__name__)

#: Seconds between two records.
STEP_S: Final = float(min(STEPS))
#: Records between two tidyings.
_TIDY_EVERY: Final = 240


def watts(snapshot: Snapshot) -> float | None:
    """Return the mean power of late over all classes of meters."""
    by_tier = snapshot.energy.watts_by_tier
    return None if by_tier is None else sum(by_tier.values())


VALUES: Final[Mapping[str, Callable[[Snapshot], float | None]]] = {
    "connected": lambda s: s.network.providers_connected,
    "slots": lambda s: s.network.slots,
    "slots_busy": lambda s: s.network.slots_busy,
    "leases_live": lambda s: s.network.leases_live,
    "tasks_waiting": lambda s: s.network.tasks_waiting,
    "tasks_done": lambda s: s.verification.accepted,
    "attempts": lambda s: s.verification.attempts,
    "attempts_per_task": lambda s: s.verification.attempts_per_task,
    "dissented": lambda s: s.verification.dissented,
    "posted_mpt": lambda s: s.points.posted_mpt,
    "pending_mpt": lambda s: s.points.pending_mpt,
    "marginal_uj": lambda s: s.energy.marginal_uj,
    "reserved_uj": lambda s: s.energy.reserved_uj,
    "watts": watts,
    "gco2e": lambda s: s.energy.gco2e_central,
}


class Recorder:
    """Records until stopped."""

    def __init__(self, view: View, store: SeriesStore) -> None:
        self._view = view
        self._store = store
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start on the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop, and keep what changed of jobs."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            await self._view.save()

    async def record(self) -> None:
        """Record one instant."""
        found = await self._view.snapshot(0)
        values = {name: read(found) for name, read in VALUES.items()}
        await asyncio.to_thread(self._store.record, found.at_s, values)

    async def _run(self) -> None:
        count = 0
        while True:
            try:
                if count % _TIDY_EVERY == 0:
                    await asyncio.to_thread(self._store.forget, self._now_s())
                await self.record()
            except SQLAlchemyError as error:
                # A gap in the lines; the gateways wait for the same database, and say so too.
                logger.warning("The history cannot be written: %s", error)
            except Exception:
                logger.exception("The history met an error")
            count += 1
            await asyncio.sleep(STEP_S)

    def _now_s(self) -> float:
        latest = self._view.latest
        return latest.at_s if latest is not None else 0.0
