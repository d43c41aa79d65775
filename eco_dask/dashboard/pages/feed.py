"""One snapshot at a time for all viewers, taken only while somebody looks.

viewer ──watch()──► Feed ──build() once a tick──► Snapshot ──page.data──► columns, shared
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from eco_dask.dashboard.model import Snapshot
from eco_dask.dashboard.pages.columns import PageData
from eco_dask.dashboard.pages.history import History
from eco_dask.dashboard.pages.page import Page

logger = logging.getLogger(__name__)

#: Intervals without a look after which no more snapshots are taken.
_PATIENCE: Final = 5


class Feed:
    """What all pages of one scheduler show.

    Parameters
    ----------
    build : coroutine function
        Takes a snapshot.
    interval_s : float
        Time from one snapshot to the next.
    """

    def __init__(self, build: Callable[[], Awaitable[Snapshot]], interval_s: float) -> None:
        self._build = build
        self.interval_s = interval_s
        #: Number of the latest snapshot; 0 before the first.
        self.tick = 0
        #: Why the latest snapshot could not be taken; empty if it could.
        self.failure = ""
        self.history = History()
        self.snapshot: Snapshot | None = None
        self._pages: dict[tuple[str, str], PageData] = {}
        self._looked_at_s = 0.0
        self._task: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Say that somebody looks: snapshots are taken for a while."""
        self._looked_at_s = time.monotonic()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def close(self) -> None:
        """Take no more snapshots."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while time.monotonic() - self._looked_at_s < _PATIENCE * self.interval_s:
            started_at_s = time.monotonic()
            try:
                self.take(await self._build())
                self.failure = ""
            except Exception as error:
                # The pages say so, and the next try may work: books can be busy for a moment.
                logger.exception("no snapshot for the dashboard")
                self.failure = f"{type(error).__name__}: {error}"
                self.tick += 1
            await asyncio.sleep(max(0.05, self.interval_s - (time.monotonic() - started_at_s)))

    def take(self, snapshot: Snapshot) -> None:
        """Show this snapshot from now on."""
        self.snapshot = snapshot
        self.history.add(snapshot)
        self._pages.clear()
        self.tick += 1

    def data(self, page: Page, audience: str = "") -> PageData:
        """Return a page's columns, computed once for all viewers of the same audience."""
        if self.snapshot is None:
            return {}
        key = (page.name, audience)
        if key not in self._pages:
            self._pages[key] = page.data(self.snapshot, self.history)
        return self._pages[key]
