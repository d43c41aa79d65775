"""The one view of the network in a scheduler's process: built once a tick, for all who look.

::

    gateways ──eco_facts──┐
    books ────────────────┼──build──► Snapshot ──► API, pages, widget, terminal, metrics, series
    scheduler ────────────┘
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, Final

from distributed import Scheduler
from sqlalchemy import Engine

from eco_dask.dashboard.books import Books
from eco_dask.dashboard.build import Seen, build, build_job
from eco_dask.dashboard.model import Job, Snapshot
from eco_dask.dashboard.presence import Presence
from eco_dask.dashboard.progress import Progress
from eco_dask.gateway.tally import summed
from eco_dask.ledger.store import Ledger
from eco_dask.providers.registry import Registry
from eco_dask.types import JobId

logger = logging.getLogger(__name__)

#: Age at which a snapshot is built anew, seconds.
TICK_S: Final = 1.0
#: Ended jobs that a snapshot lists, the latest.
JOBS_SHOWN: Final = 50
#: How long a gateway may take to answer a screen, seconds.
ANSWER_S: Final = 2.0


class View:
    """What all screens show.

    Parameters
    ----------
    scheduler : distributed.Scheduler
    progress, presence : Progress, Presence
        What the scheduler plugin keeps up to date.
    database : sqlalchemy.Engine
        Of the books.
    registry : Registry
    """

    def __init__(
        self,
        scheduler: Scheduler,
        progress: Progress,
        presence: Presence,
        database: Engine,
        registry: Registry,
    ) -> None:
        self._scheduler = scheduler
        self._progress = progress
        self._presence = presence
        self.ledger = Ledger(database)
        self._books = Books(database, registry)
        self._building: asyncio.Task[None] | None = None
        #: One thread at a time reads the books for screens.
        self._turn = asyncio.Lock()
        self._saving = asyncio.Lock()
        #: When the build of the last one began.
        self._begun_s = 0.0
        #: The last one, None before the first.
        self.latest: Snapshot | None = None

    async def snapshot(self, age_s: float = TICK_S) -> Snapshot:
        """Return the network as it is; at most that many seconds old.

        However many ask at a time, it is built once.
        """
        wanted_s = time.monotonic() - age_s
        while self.latest is None or self._begun_s < wanted_s:
            if self._building is None or self._building.done():
                self._building = asyncio.get_running_loop().create_task(self._build())
            # One viewer that goes away must not take the others' snapshot along.
            await asyncio.shield(self._building)
        return self.latest

    async def job(self, job: JobId) -> Job | None:
        """Return one job, whatever its age; None if nothing is known of it."""
        return (await self._read_jobs([job])).get(job)

    async def _read_jobs(self, names: Sequence[JobId]) -> dict[JobId, Job]:
        """Return jobs as they are now; those of which nothing is known are left out."""
        if not names:
            return {}
        facts = await self.ask_gateways(names)
        async with self._turn:
            booked, energy = await asyncio.to_thread(self._books.some, names)
        found = {}
        for job in names:
            progress = self._progress.jobs.get(job)
            if progress is None and not booked[job].record and not booked[job].sums.attempts:
                continue
            tallies = [it["tallies"][job] for it in facts if job in it["tallies"]]
            tally = summed(tallies) if tallies else None
            found[job] = build_job(job, booked[job], progress, tally, energy[job], time.time())
        return found

    async def jobs(
        self, limit: int, after: JobId | None, is_shown: Callable[[Job], bool]
    ) -> list[Job]:
        """Return jobs of all time, the latest first.

        Raises
        ------
        ValueError
            There is no job ``after``.
        """
        snapshot = await self.snapshot()
        await self.save()
        known = {JobId(job.id): job for job in snapshot.jobs}
        found: list[Job] = []
        while len(found) < limit:
            async with self._turn:
                names = await asyncio.to_thread(self._books.names, limit, after)
            older = await self._read_jobs([name for name in names if name not in known])
            listed = known | older
            found += [listed[name] for name in names if name in listed and is_shown(listed[name])]
            if len(names) < limit:
                break
            after = names[-1]
        return found[:limit]

    async def save(self) -> None:
        """Keep what changed of jobs in the books."""
        # Whoever comes while another writes waits: afterwards the books hold all of it.
        async with self._saving:
            records = self._progress.take_changed()
            await asyncio.to_thread(self._books.save, records)

    def expire(self) -> None:
        """Have the next look build anew, as something was changed on purpose."""
        self._begun_s = 0.0

    async def ask_gateways(self, jobs: Collection[str]) -> list[dict[str, Any]]:
        """Ask every gateway for its facts; one that does not answer keeps what it said last."""
        gateways = self._presence.gateways
        if gateways:
            asked = self._scheduler.broadcast(
                msg={"op": "eco_facts", "jobs": list(jobs)},
                workers=list(gateways),
                on_error="return",
            )
            try:
                answers = await asyncio.wait_for(asked, ANSWER_S)
            except (TimeoutError, OSError):
                logger.warning("A gateway did not answer within %g s", ANSWER_S)
                answers = {}
            for worker, answer in answers.items():
                if isinstance(answer, dict) and (view := gateways.get(worker)) is not None:
                    view.facts = answer
        return [view.facts for view in gateways.values() if view.facts]

    async def _build(self) -> None:
        begun_s = time.monotonic()
        running = self._progress.running()
        shown = list(dict.fromkeys((*running, *list(self._progress.jobs)[-JOBS_SHOWN:])))
        await self.save()
        await self.ask_gateways(shown)
        async with self._turn:
            at_s = time.time()
            self.latest = await asyncio.to_thread(self._read_and_build, running, self._seen(at_s))
        self._begun_s = begun_s

    def _read_and_build(self, running: list[JobId], seen: Seen) -> Snapshot:
        self._books.read(running, JOBS_SHOWN, seen.at_s)
        return build(seen, self._books)

    def _seen(self, at_s: float) -> Seen:
        scheduler = self._scheduler
        return Seen(
            at_s,
            # Copies: another thread reads them while the scheduler goes on.
            {job: replace(progress) for job, progress in self._progress.jobs.items()},
            list(self._presence.gateways.values()),
            len(scheduler.queued) + len(scheduler.unrunnable),
            self._presence.moves_1h(at_s),
        )
