"""The worker plugin that turns an ordinary Dask worker into a gateway.

Worker + EcoGatewayPlugin ──► worker.executors["default"] = ProviderExecutor, a door for providers
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Collection
from typing import Any

from distributed import Worker, WorkerPlugin
from distributed.core import Status
from tornado.ioloop import IOLoop

from eco_dask.config import data_directory, database_url, engine_rule, gateway_rule
from eco_dask.dask_internals import Task, drop_values, set_worker_slots
from eco_dask.energy_config import energy_rule
from eco_dask.gateway.admission import Admission
from eco_dask.gateway.certificate import ShownCertificate
from eco_dask.gateway.executor import ProviderExecutor, RefusingExecutor, refusal
from eco_dask.gateway.facts import gateway_facts
from eco_dask.gateway.gateway import Gateway, check_name, recover
from eco_dask.gateway.server import ProviderServer
from eco_dask.gateway.structural import refuse
from eco_dask.gateway.writer import BookWriter
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger
from eco_dask.plugins.energy import intensities_of, own_work
from eco_dask.providers.registry import Registry
from eco_dask.recruiters.authority import Authority
from eco_dask.types import JobId
from eco_dask.values import keep_encoded

logger = logging.getLogger(__name__)

#: Topic under which gateways tell the scheduler how they are.
TOPIC = "eco-gateway"


class EcoGatewayPlugin(WorkerPlugin):
    """Make a worker a gateway to a network of untrusted providers.

    Parameters
    ----------
    gateway_name : str, optional
        Name that its ids start with; a gateway that starts again under its name voids what its
        earlier life left on hold. Default: the machine's host name.
    port : int, optional
        Port that providers dial, 0 for any free one. Default: ``eco-dask.gateway.port``.
    database : str, optional
        SQLAlchemy URL of the books. Default: ``eco-dask.database``.
    data_directory : str, optional
        Folder for the certificate and the default database. Default: ``eco-dask.data-directory``.
    """

    name = "eco-gateway"

    def __init__(
        self,
        gateway_name: str | None = None,
        *,
        port: int | None = None,
        database: str | None = None,
        data_directory: str | None = None,
    ) -> None:
        self._gateway_name = gateway_name
        self._port = port
        self._database = database
        self._data_directory = data_directory
        #: False until setup went through; Dask calls teardown either way.
        self._open = False

    async def setup(self, worker: Worker) -> None:
        """Open the books and the door, and take over the worker's executor."""
        rule = gateway_rule()
        folder = data_directory(self._data_directory)
        name = check_name(self._gateway_name or socket.gethostname()[:64])
        database = open_database(database_url(folder, self._database))
        ledger, registry = Ledger(database), Registry(database)
        voided = recover(ledger, name)
        if voided:
            logger.info("Gave back %d holds of this gateway's earlier life", voided)
        # From here on, values that pass through this process stay encoded.
        keep_encoded(True)
        writer = BookWriter(ledger, IOLoop.current())
        energy = energy_rule()
        intensities = intensities_of(energy)
        self.gateway = Gateway(name, rule, engine_rule(), writer, registry, intensities)
        self.gateway.own_work = await asyncio.to_thread(own_work, energy, intensities)
        self._worker = worker
        # What cannot be spilled fast enough waits at the providers.
        self.gateway.fetching.may_take = lambda: worker.status is not Status.paused
        self._database_engine = database
        self.gateway.on_slots = self._on_slots

        shown = ShownCertificate.choose(rule, folder)
        binding = shown.binding if shown is not None else bytes
        admission = Admission(registry, rule, binding, self.gateway.now_s)
        context = shown.context if shown is not None else None
        authority = Authority.find(folder)
        self.server = ProviderServer(self.gateway, admission, context, authority)
        self.server.listen(rule.port if self._port is None else self._port)
        self.fingerprint = shown.pin if shown is not None else ""
        if shown is not None:
            self.gateway.watch.looks.append(shown.refresh)
        self._get_data = worker.handlers["get_data"]
        worker.handlers["get_data"] = self.get_data
        worker.handlers["eco_tally"] = self.tally
        worker.handlers["eco_facts"] = self.facts
        self.gateway.intake.on_wrong = self._on_wrong
        self._executors = dict(worker.executors)
        worker.executors["default"] = ProviderExecutor(self.gateway, worker)
        worker.executors["actor"] = RefusingExecutor("actors")
        self._open = True
        self.gateway.start()
        self._resources: dict[str, float] = {}
        self._on_slots(1)
        logger.info("Providers dial %s", self.server.address)

    async def teardown(self, worker: Worker) -> None:
        """Close the door, end every task, write the books."""
        if not self._open:
            return
        self._open = False
        self.server.stop()
        await self.gateway.close()
        worker.executors.update(self._executors)
        worker.handlers["get_data"] = self._get_data
        keep_encoded(False)
        self._database_engine.dispose()

    def tally(self, job: str) -> dict[str, Any] | None:
        """Return what verification did for a job here."""
        return self.gateway.tally(JobId(job))

    def facts(self, jobs: Collection[str] = ()) -> dict[str, Any]:
        """Return what screens show of this gateway: see :mod:`eco_dask.gateway.facts`."""
        return gateway_facts(self.gateway, jobs)

    async def get_data(self, comm: Any, keys: Collection[Any], **options: Any) -> Any:
        """Serve values as Dask's worker does, once what they rest on stands.

        This is the one way by which values leave a worker: to clients, and to other gateways.
        """
        stand = await self.gateway.standing.stand(keys)
        return await self._get_data(comm, keys=stand, **options)

    def _on_wrong(self) -> None:
        # Dask's state machine may be in the middle of a transition.
        self._worker.loop.add_callback(self._drop_wrong)

    def _drop_wrong(self) -> None:
        if drop_values(self._worker, tuple(self.gateway.standing.lineage.wrong)):
            self._on_wrong()

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        """Follow Dask: end the ballot of a task that it let go of, refuse what bypasses us."""
        if finish == "executing":
            self._refuse_bypass(key)
        elif start == "executing" and finish in ("cancelled", "resumed", "released", "forgotten"):
            self.gateway.intake.cancel(key)
        if finish in ("released", "forgotten"):
            self.gateway.intake.released(key)
        elif finish == "memory" and self.gateway.standing.lineage.is_wrong((key,)):
            self._on_wrong()

    def _refuse_bypass(self, key: Any) -> None:
        """Turn a task that would run in this very process into one that says so.

        The scheduler plugin refuses them earlier; this holds where it is not installed.
        """
        task = self._worker.state.tasks[key]
        what = None
        if task.run_spec.is_coro:
            what = "coroutine functions"
        elif "executor" in (task.annotations or {}):
            what = "tasks annotated with executor="
        if what is not None:
            task.run_spec = Task(key, refuse, refusal(what))
            task.annotations = {k: v for k, v in task.annotations.items() if k != "executor"}

    def _on_slots(self, slots: int) -> None:
        set_worker_slots(self._worker, slots)
        gpus = sum(
            s.provider.slots for s in self.gateway.sessions.values() if "gpu" in s.provider.tags
        )
        if gpus or self._resources:
            wanted = {"GPU": float(gpus)}
            if wanted != self._resources:
                self._resources = wanted
                self._worker.loop.add_callback(self._worker.set_resources, **wanted)
        self._worker.log_event(
            TOPIC,
            {
                "worker": self._worker.address,
                "name": self.gateway.name,
                "address": self.server.address,
                "fingerprint": self.fingerprint,
                "slots": slots,
                "providers": self.gateway.connected(),
            },
        )
