"""One snapshot at a time for all viewers, taken only while somebody looks.

viewer ──watch()──► Feed ──build() once a tick──► Snapshot ──page.data──► columns, shared
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from eco_dask.dashboard.model import Snapshot
from eco_dask.dashboard.pages.columns import PageData
from eco_dask.dashboard.pages.history import History
from eco_dask.dashboard.pages.page import Page
from eco_dask.ledger.receipts import Receipt

Past = Mapping[str, Sequence[tuple[float, float]]]

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
    receipts : coroutine function, optional
        Reads the latest receipts of an owner.
    past : coroutine function, optional
        Reads what the lines begin with: see :meth:`History.fill`.
    """

    def __init__(
        self,
        build: Callable[[], Awaitable[Snapshot]],
        interval_s: float,
        receipts: Callable[[str], Awaitable[Sequence[Receipt]]] | None = None,
        past: Callable[[], Awaitable[Past]] | None = None,
    ) -> None:
        self._build, self._read_receipts, self._read_past = build, receipts, past
        self.interval_s = interval_s
        #: Number of the latest snapshot; 0 before the first.
        self.tick = 0
        #: Why the latest snapshot could not be taken; empty if it could.
        self.failure = ""
        self.history = History()
        self.snapshot: Snapshot | None = None
        #: Latest receipts of the owners whose own page is open.
        self.receipts: dict[str, Sequence[Receipt]] = {}
        self._pages: dict[tuple[str, str], PageData] = {}
        self._owners_at_s: dict[str, float] = {}
        self._looked_at_s = 0.0
        self._task: asyncio.Task[None] | None = None

    def watch(self, owner: str | None = None) -> None:
        """Say that somebody looks, maybe at an owner's page: snapshots are taken for a while."""
        self._looked_at_s = time.monotonic()
        if owner is not None:
            self._owners_at_s[owner] = self._looked_at_s
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
                if self._read_past is not None:
                    self.history.fill(await self._read_past())
                    self._read_past = None
                self.receipts = await self._latest_receipts()
                self.take(await self._build())
                self.failure = ""
            except Exception as error:
                # The pages say so, and the next try may work: books can be busy for a moment.
                logger.exception("no snapshot for the dashboard")
                self.failure = f"{type(error).__name__}: {error}"
                self.tick += 1
            await asyncio.sleep(max(0.05, self.interval_s - (time.monotonic() - started_at_s)))

    async def _latest_receipts(self) -> dict[str, Sequence[Receipt]]:
        since_s = time.monotonic() - _PATIENCE * self.interval_s
        self._owners_at_s = {o: at_s for o, at_s in self._owners_at_s.items() if at_s >= since_s}
        if self._read_receipts is None:
            return {}
        return {owner: await self._read_receipts(owner) for owner in self._owners_at_s}

    def take(self, snapshot: Snapshot) -> None:
        """Show this snapshot from now on."""
        self.snapshot = snapshot
        self.history.add(snapshot)
        self._pages.clear()
        self.tick += 1

    def data(self, page: Page, audience: str = "") -> PageData:
        """Return a page's columns, computed once for all viewers who may see the same."""
        if self.snapshot is None:
            return {}
        key = (page.name, audience)
        if key not in self._pages:
            self._pages[key] = page.data(self.snapshot, self.history)
        return self._pages[key]
