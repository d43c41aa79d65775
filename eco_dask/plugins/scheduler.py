"""The scheduler plugin: jobs from annotations, their progress, the network's view, refusals.

update_graph ──► jobs, refusals   transition ──► progress   eco_network, eco_job ◄── clients
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from distributed import Scheduler, SchedulerPlugin

from eco_dask.config import data_directory, database_url
from eco_dask.dashboard import metrics
from eco_dask.dashboard.cancel import cancel_job
from eco_dask.dashboard.presence import GatewayView, Presence
from eco_dask.dashboard.progress import JobProgress, Progress
from eco_dask.dashboard.recorder import Recorder
from eco_dask.dashboard.served import served
from eco_dask.dashboard.showing import show
from eco_dask.dashboard.view import TICK_S, View
from eco_dask.dask_internals import Alias, Task, is_shuffle_barrier, set_scheduler_slots
from eco_dask.energy.hours import Wish
from eco_dask.energy_config import energy_rule
from eco_dask.gateway.executor import refusal
from eco_dask.gateway.structural import refuse
from eco_dask.gateway.tally import summed
from eco_dask.jobs import ANNOTATION, RECRUITER, WANTED, JobSpec
from eco_dask.ledger.database import open_database
from eco_dask.ledger.series import SeriesStore
from eco_dask.ledger.store import Ledger
from eco_dask.ledger.tokens import Scope, TokenStore
from eco_dask.ledger.totals import JobTotals
from eco_dask.plugins.energy import OwnEnergy, best_start
from eco_dask.plugins.gateway import TOPIC
from eco_dask.providers.registry import Registry
from eco_dask.types import JobId

logger = logging.getLogger(__name__)

#: In the scheduler's metadata: it has this plugin, and how its pages are served. Asking for an
#: operation that a scheduler does not know would fill its log.
MARK = "eco_dask"
#: How long a token is valid that a client asks for, seconds.
TOKEN_S = 86_400.0

PEER_TO_PEER = (
    "peer-to-peer shuffles need code that runs inside Dask's workers. Use the task-based methods: "
    "dask.config.set({'array.rechunk.method': 'tasks', 'dataframe.shuffle.method': 'tasks'}); "
    "eco_dask.job() and EcoCluster set them."
)


class EcoSchedulerPlugin(SchedulerPlugin):
    """Give a scheduler jobs, refusals with reasons, and a view of the provider network.

    Parameters
    ----------
    database, data_directory : str, optional
        As for :class:`~eco_dask.plugins.gateway.EcoGatewayPlugin`.
    """

    name = "eco-scheduler"
    idempotent = True

    def __init__(self, *, database: str | None = None, data_directory: str | None = None) -> None:
        self._database = database
        self._data_directory = data_directory
        self.progress, self._presence = Progress(), Presence()
        self.jobs, self.gateways = self.progress.jobs, self._presence.gateways

    async def start(self, scheduler: Scheduler) -> None:
        """Open the books and offer the network's view to clients."""
        folder = data_directory(self._data_directory)
        self._engine = open_database(database_url(folder, self._database))
        self.ledger, self.registry = Ledger(self._engine), Registry(self._engine)
        self._scheduler = scheduler
        self._own_energy = await OwnEnergy.open(self.ledger, scheduler.id)
        self.view = View(scheduler, self.progress, self._presence, self._engine, self.registry)
        self.tokens, self.series = TokenStore(self._engine), SeriesStore(self._engine)
        self._recorder = Recorder(self.view, self.series)
        self._recorder.start()
        self._metrics = metrics.serve(self.view, scheduler)
        self._hide = show(scheduler, self.view, self.tokens, self.series)
        scheduler.handlers["eco_network"] = self.network
        scheduler.handlers["eco_cancel"] = self.cancel
        scheduler.handlers["eco_snapshot"] = self.snapshot
        scheduler.handlers["eco_job"] = self.job
        scheduler.handlers["eco_jobs"] = self.list_jobs
        scheduler.handlers["eco_start"] = self.best_start
        scheduler.handlers["eco_token"] = self.token
        self._served = served()
        self.restart(scheduler)

    def restart(self, scheduler: Scheduler) -> None:
        """Mark the scheduler as ours, where any client may look; a restart clears it."""
        # A client knows the dashboard's port, and neither that it has TLS nor whose certificate.
        scheduler.set_metadata([MARK], value=asdict(self._served))

    async def close(self) -> None:
        """Close the books."""
        metrics.withdraw(self._metrics)
        await self._recorder.stop()
        self._hide()
        await self._own_energy.close()
        self._engine.dispose()

    # ------------------------------------------------------------------ Dask's hooks

    def update_graph(
        self, scheduler: Scheduler, *, client: str, tasks: list[Any], keys: set[Any], **_: Any
    ) -> None:
        """Count new tasks to their jobs; turn those that cannot run on providers into errors."""
        default: dict[str, Any] | None = None
        at_s = time.time()
        offered = _offered(scheduler)
        for key in tasks:
            ts = scheduler.tasks.get(key)
            if ts is None or ts.run_spec is None:
                continue
            reason = _refusal(ts, offered)
            if reason is not None:
                _turn_into_refusal(ts, reason)
            elif is_shuffle_barrier(ts.run_spec):
                # Dask's own shuffle plugin knows the barrier by its class: what it waits for fails.
                for transfer in _behind_aliases(ts.dependencies):
                    _turn_into_refusal(transfer, PEER_TO_PEER)
            annotation = (ts.annotations or {}).get(ANNOTATION)
            if annotation is None:
                if default is None:
                    default = JobSpec(JobId(client), "tasks outside of any job").to_annotation()
                annotation = default
                ts.annotations = {**(ts.annotations or {}), ANNOTATION: default}
            # The plugin comes before the tasks are sent, so the gateway knows as they arrive. What
            # a client wrote there itself is overwritten: it may not pass for another.
            ts.annotations = {**ts.annotations, RECRUITER: client}
            if key in keys:
                ts.annotations[WANTED] = True
            self.progress.count(ts, annotation, at_s)

    def transition(self, key: Any, start: str, finish: str, *_: Any, **__: Any) -> None:
        """Follow the tasks of jobs."""
        ts = self._scheduler.tasks.get(key)
        self._own_energy.count(ts)
        self.progress.transition(ts, key, start, finish, time.time())

    def log_event(self, topic: str, msg: Any) -> None:
        """Take note of what a gateway says of itself."""
        if topic != TOPIC:
            return
        view = GatewayView(**msg)
        # Dask keeps the latest thousand messages, which need not hold a thousand names each.
        msg["providers"] = len(view.providers)
        self._presence.note(view, time.time())
        set_scheduler_slots(self._scheduler, view.worker, view.slots)

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: Any) -> None:  # noqa: ARG002  Dask's hook
        """Forget a gateway that is gone."""
        self._presence.forget(worker, time.time())

    # ------------------------------------------------------------------ what clients may ask

    async def snapshot(self, age_s: float = TICK_S, lists: bool = True) -> dict[str, Any]:
        """Return the network as every screen shows it: see :mod:`eco_dask.dashboard.model`.

        Without what owners are believed: that is for the operator's tokens. ``lists=False`` leaves
        out the lists of providers and owners, which are most of it in a large network.
        """
        found = await self.view.snapshot(age_s)
        if not lists:
            found = replace(found, providers=(), owners=())
        verification = replace(found.verification, credibility_bins=None)
        return replace(found, verification=verification).to_plain()

    async def cancel(self, job: str) -> int:
        """Cancel a job; return how many tasks end."""
        return self.cancel_job(JobId(job))

    def cancel_job(self, job: JobId) -> int:
        """Cancel a job: see :mod:`eco_dask.dashboard.cancel`."""
        ended = cancel_job(self._scheduler, job)
        self.progress.cancelled(job, time.time())
        self.view.expire()
        return ended

    async def token(self) -> str:
        """Make a recruiter's token for the HTTP API: whoever may connect here is trusted anyway."""
        at_s = time.time()
        scope = Scope("recruiter")
        return await asyncio.to_thread(
            self.tokens.new, scope, at_s, at_s + TOKEN_S, "a client's panel"
        )

    async def network(self) -> dict[str, Any]:
        """Return gateways and providers, with what each provider did and earned."""
        records, totals = await asyncio.gather(
            asyncio.to_thread(self.registry.providers),
            asyncio.to_thread(self.ledger.provider_totals),
        )
        done = {t.provider: t for t in totals}
        connected = {p for view in self.gateways.values() for p in view.providers}
        providers = []
        for record in records:
            total = done.get(record.id)
            providers.append(
                {
                    "id": record.id,
                    "owner": record.owner,
                    "role": record.role,
                    "connected": record.id in connected,
                    "revoked": bool(record.revoked),
                    "score": record.score,
                    "strikes": record.strikes,
                    "capability": dict(record.capability),
                    "tasks": total.tasks if total else 0,
                    "agreed": total.agreed if total else 0,
                    "dissented": total.dissented if total else 0,
                    "posted_mpt": total.posted_mpt if total else 0,
                }
            )
        return {
            "gateways": [view.to_plain() for view in self.gateways.values()],
            "providers": providers,
        }

    async def job(self, job: str) -> dict[str, Any]:
        """Return a job's progress and what the books say of it."""
        totals, faults, energy, work, tally = await asyncio.gather(
            asyncio.to_thread(self.ledger.job_totals, JobId(job)),
            asyncio.to_thread(self.ledger.job_faults, JobId(job)),
            asyncio.to_thread(self.ledger.job_energy, [JobId(job)]),
            asyncio.to_thread(self.ledger.job_work, JobId(job)),
            self._tally(job),
        )
        progress = self.jobs.get(JobId(job))
        return {
            "progress": _plain(progress),
            "totals": asdict(totals),
            "faults": faults,
            "tally": tally,
            "energy": energy[JobId(job)].as_record(),
            "work_units": work.units,
        }

    async def best_start(self, now_s: float, within_s: float, lasts_s: float) -> dict[str, Any]:
        """Say when a job that can wait had better start, by the operator's hours."""
        return asdict(best_start(energy_rule(), now_s, Wish(now_s + within_s, lasts_s)))

    async def _tally(self, job: str) -> dict[str, Any]:
        """Ask the gateways what verification did for a job."""
        found = await self._scheduler.broadcast(
            msg={"op": "eco_tally", "job": job}, workers=list(self.gateways), on_error="return"
        )
        return summed([each for each in found.values() if isinstance(each, dict)])

    async def list_jobs(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the latest jobs of the books, with the progress of those still remembered."""
        totals = await asyncio.to_thread(self.ledger.jobs, limit)
        listed = [
            {"progress": _plain(self.jobs.get(each.job)), "totals": asdict(each)} for each in totals
        ]
        booked = {each.job for each in totals}
        # Jobs that have started and of which nothing is in the books yet come first.
        fresh = [progress for job, progress in self.jobs.items() if job not in booked]
        for progress in fresh[: max(0, limit - len(listed))]:
            empty = JobTotals(progress.spec.id, 0, 0, 0, {})
            listed.insert(0, {"progress": _plain(progress), "totals": asdict(empty)})
        return listed


def _offered(scheduler: Scheduler) -> set[str]:
    return {name for name, quantities in scheduler.resources.items() if any(quantities.values())}


def _refusal(ts: Any, offered: Iterable[str]) -> str | None:
    """Say why a task cannot run on this network, if so."""
    if ts.actor:
        return refusal("actors")
    if ts.run_spec.is_coro:
        return refusal("coroutine functions")
    if "executor" in (ts.annotations or {}):
        return refusal("tasks annotated with executor=")
    missing = set(ts.resource_restrictions or ()) - set(offered)
    if missing:
        return (
            f"no connected provider offers the resource {', '.join(sorted(missing))} that this "
            "task asks for (dask.annotate(resources=...)); see `eco-dask providers`, and invite "
            "one that does with `eco-dask invite --owner NAME`."
        )
    return None


def _behind_aliases(tasks: Iterable[Any]) -> set[Any]:
    """Return the tasks that compute what ``tasks`` name: optimisation leaves aliases behind."""
    found = set()
    for ts in tasks:
        found |= _behind_aliases(ts.dependencies) if isinstance(ts.run_spec, Alias) else {ts}
    return found


def _turn_into_refusal(ts: Any, reason: str) -> None:
    """Make the task raise ``reason`` in the gateway: plugins cannot veto, but they may rewrite."""
    ts.run_spec = Task(ts.key, refuse, reason)
    ts.actor = False
    ts.resource_restrictions = {}
    ts.annotations = {
        k: v for k, v in (ts.annotations or {}).items() if k not in ("executor", "resources")
    }


def _plain(progress: JobProgress | None) -> dict[str, Any] | None:
    if progress is None:
        return None
    plain = asdict(progress)
    # Pickled checks are nothing to read.
    plain["spec"] = replace(progress.spec, checks=()).to_annotation()
    return plain
