"""A whole network on one machine: coordinator and providers as real processes, as a Dask cluster.

EcoCluster(n_providers=4) ──► Client(cluster)
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask
from distributed.core import Status, rpc
from sqlalchemy import Engine

from eco_dask.children import Child
from eco_dask.client import prefer_task_methods
from eco_dask.errors import ConfigurationError, EcoDaskError
from eco_dask.ledger.database import open_database
from eco_dask.providers.link import JoinLink
from eco_dask.providers.registry import Registry
from eco_dask.sandbox.machine import import_folders
from eco_dask.shown_cluster import ShownCluster

#: Processes of one machine are equally fast, and would only measure how they hinder each other.
_QUICK_START: dict[str, Any] = {
    "eco-dask.gateway.benchmark-steps": 8,
    "eco-dask.gateway.benchmark-size": 256,
    # Providers and their owners are the user's own.
    "eco-dask.dashboard.open-to": "operator",
}


#: Seconds for which a link is valid.
_LINK_S = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """One local provider of an :class:`EcoCluster`."""

    #: Account that it belongs to.
    owner: str
    nthreads: int = 1
    threads_per_slot: int = 1
    #: Module that is run; providers that misbehave for a test have another one.
    module: str = "eco_dask.cli.worker"
    #: Further arguments of its command line.
    arguments: tuple[str, ...] = ()
    #: Variables to set, such as ``OPENBLAS_CORETYPE``.
    environment: Mapping[str, str] = field(default_factory=dict)


class EcoCluster(ShownCluster):
    """A coordinator and providers on this machine, each a process of its own.

    Parameters
    ----------
    n_providers : int
        Providers to start. Each belongs to an owner of its own, unless ``owners`` says otherwise.
    trusted_workers : int
        Workers of the operator, which decide disputes and touch storage.
    owners : sequence of str, optional
        Owner of each provider, used in turn: ``["ann"]`` gives all to one.
    quorum : int, optional
        Distinct owners that must agree on a result. Default: ``eco-dask.quorum.size``.
    tags : iterable of str, optional
        Tags that every job on this cluster requires of a provider.
    nthreads : int
        Slots of each provider.
    providers : sequence of ProviderSpec, optional
        Full description of each provider, instead of ``n_providers``, ``owners`` and ``nthreads``.
    sandbox : str
        What confines the tasks of the local providers, as ``eco-dask-worker --sandbox``. As these
        run your own code, ``"auto"`` goes on without a sandbox where none works, and says so in
        the logs. Inside, tasks can import from the folders of this process's ``sys.path``.
    dashboard_address : str, optional
        Address of the dashboard; ``None`` for none.
    data_directory : str or Path, optional
        Folder for keys, books and logs. Default: a temporary one, removed at the end.
    start_timeout : float
        Seconds for everything to start.
    asynchronous, loop, name
        As for any Dask cluster.

    Raises
    ------
    ConfigurationError
        If the parameters contradict each other.
    EcoDaskError
        If a process does not start; the message holds the end of its log.

    Examples
    --------
    >>> with EcoCluster(n_providers=3) as cluster, Client(cluster) as client:  # doctest: +SKIP
    ...     client.submit(sum, [1, 2, 3]).result()
    6
    """

    def __init__(
        self,
        n_providers: int = 4,
        *,
        trusted_workers: int = 1,
        owners: Sequence[str] | None = None,
        quorum: int | None = None,
        tags: Iterable[str] = (),
        nthreads: int = 1,
        providers: Sequence[ProviderSpec] | None = None,
        sandbox: str = "auto",
        dashboard_address: str | None = "127.0.0.1:0",
        data_directory: str | Path | None = None,
        start_timeout: float = 60.0,
        config: Mapping[str, Any] | None = None,
        asynchronous: bool = False,
        loop: Any = None,
        name: str | None = None,
    ) -> None:
        self._specs = _specs(n_providers, owners, nthreads, providers)
        prefer_task_methods()
        self._trusted_workers = trusted_workers
        self._nthreads = nthreads
        self._dashboard_address = dashboard_address
        self._start_timeout_s = start_timeout
        self._settings = _QUICK_START | dict(config or {})
        if quorum is not None:
            self._settings["eco-dask.quorum.size"] = quorum
        self._settings["eco-dask.quorum.require"] = sorted(tags)
        self._temporary = data_directory is None
        chosen = tempfile.mkdtemp(prefix="eco-dask-") if data_directory is None else data_directory
        self.data_directory = Path(chosen).absolute()
        self._sandbox = _sandbox_settings(sandbox, (self.data_directory, Path.home()))
        self._coordinator: Child | None = None
        self._providers: list[tuple[ProviderSpec, Child]] = []
        #: Providers started so far: each has a folder of its own.
        self._started = 0
        self._facts: dict[str, Any] = {}
        self._database: Engine | None = None
        super().__init__(asynchronous=asynchronous, loop=loop, name=name, quiet=True)
        self._begin()

    def _begin(self) -> None:
        """Start everything now, unless the loop that would do it runs this very call."""
        if self.called_from_running_loop:
            return
        self._loop_runner.start()
        try:
            self.sync(self._start)
        except BaseException:
            # Ctrl-C while it starts: the processes and the temporary folder go, too.
            self.sync(self._close)
            raise

    def __await__(self) -> Any:
        return self._await_start().__await__()

    async def _await_start(self) -> EcoCluster:
        if self.status == Status.created:
            await self._start()
        return self

    # ------------------------------------------------------------------ what users ask

    @property
    def provider_address(self) -> str:
        """What providers dial."""
        return str(self._facts["provider_address"])

    @property
    def dashboard_link(self) -> str:
        """Address of the dashboard, empty if there is none."""
        url = self._facts.get("dashboard_url")
        return f"{url}/status" if url else ""

    @property
    def providers(self) -> Any:
        """What each provider is and did: id, owner, connected, tasks, points, strikes."""
        return self.sync(self._list_providers)

    def invite(self, owner: str, *, uses_max: int = 1) -> str:
        """Return a join link for an owner's machines, as ``eco-dask invite`` prints it."""
        return str(self._invite(owner, uses_max))

    def kill_provider(self, index: int) -> None:
        """Kill a local provider at once, as a crash would: for demonstrations and tests."""
        self._providers[index][1].kill()

    def scale(self, n: int) -> Any:
        """Start more local providers, or stop the newest, until there are ``n``."""
        return self.sync(self._scale, n)

    # ------------------------------------------------------------------ life

    async def _start(self) -> None:
        try:
            # Not wait_for: before Python 3.12 it loses a cancellation that comes with the end.
            async with asyncio.timeout(self._start_timeout_s):
                await self._start_all()
        except TimeoutError:
            tail = self._log_tail()
            await self._close()
            raise EcoDaskError(
                f"the cluster did not start within {self._start_timeout_s:g} s. {tail}"
            ) from None
        except BaseException:
            await self._close()
            raise
        await super()._start()

    async def _start_all(self) -> None:
        await self._start_coordinator()
        await asyncio.gather(*(self._start_provider(spec) for spec in self._specs))
        await self._wait_for_providers(len(self._specs) + self._trusted_workers)

    async def _start_coordinator(self) -> None:
        facts_path = self.data_directory / "coordinator.json"
        arguments = [
            "--port",
            "0",
            "--provider-port",
            "0",
            "--provider-host",
            "127.0.0.1",
            "--trusted-workers",
            str(self._trusted_workers),
            "--data-directory",
            str(self.data_directory),
            "--scheduler-file",
            str(facts_path),
            "--quiet",
        ]
        if self._dashboard_address is None:
            arguments.append("--no-dashboard")
        else:
            arguments += ["--dashboard-address", self._dashboard_address]
        facts_path.unlink(missing_ok=True)
        self._coordinator = Child(
            "eco_dask.cli.scheduler",
            arguments,
            environment=_environment(self._settings),
            log_path=self._log_path("coordinator"),
        )
        await self._coordinator.start()
        while not facts_path.exists():
            if self._coordinator.returncode is not None:
                raise EcoDaskError(f"the coordinator could not start. {self._log_tail()}")
            await asyncio.sleep(0.05)
        self._facts = json.loads(facts_path.read_text(encoding="utf-8"))
        self._database = open_database(self._facts["database"])
        self.scheduler_comm = rpc(self._facts["address"])

    async def _start_provider(self, spec: ProviderSpec) -> None:
        number, self._started = self._started, self._started + 1
        home = self.data_directory / f"provider-{number}"
        link = self._invite(spec.owner, 1)
        child = Child(
            spec.module,
            [
                "--local-directory",
                str(home),
                "--nthreads",
                str(spec.nthreads),
                "--threads-per-slot",
                str(spec.threads_per_slot),
                *spec.arguments,
            ],
            environment=_environment(self._sandbox | self._settings)
            | {"ECO_DASK_JOIN_LINK": str(link)}
            | dict(spec.environment),
            log_path=self._log_path(f"provider-{number}"),
        )
        self._providers.append((spec, child))
        await child.start()

    async def _wait_for_providers(self, n: int) -> None:
        while True:
            connected = sum(p["connected"] for p in await self._list_providers())
            if connected >= n:
                return
            for _, child in self._providers:
                if child.returncode is not None:
                    raise EcoDaskError(f"a provider could not start. {self._log_tail()}")
            await asyncio.sleep(0.05)

    async def _scale(self, n: int) -> None:
        alive = [each for each in self._providers if each[1].returncode is None]
        self._providers = alive[:n]
        await asyncio.gather(*(child.stop() for _, child in alive[n:]))
        for _ in range(len(self._providers), n):
            await self._start_provider(ProviderSpec(f"owner-{self._started}", self._nthreads))

    async def _list_providers(self) -> list[dict[str, Any]]:
        found = await self.scheduler_comm.eco_network()
        return list(found["providers"])

    async def _close(self) -> None:
        if str(self.status) != "Status.closed":
            comm, self.scheduler_comm = self.scheduler_comm, None
            await asyncio.gather(*(child.stop() for _, child in self._providers))
            if self._coordinator is not None:
                await self._coordinator.stop()
            if self._database is not None:
                self._database.dispose()
            if comm is not None:
                await comm.close_rpc()
            if self._temporary:
                shutil.rmtree(self.data_directory, ignore_errors=True)
        await super()._close()

    # ------------------------------------------------------------------ helpers

    def _invite(self, owner: str, uses_max: int) -> JoinLink:
        if self._database is None:
            raise ConfigurationError("the cluster is not running; start it before inviting")
        invite = Registry(self._database).invite(
            owner,
            role="provider",
            uses_max=uses_max,
            expires_at_s=time.time() + _LINK_S,
            at_s=time.time(),
        )
        return JoinLink(self.provider_address, invite, self._facts["fingerprint"])

    def _log_path(self, name: str) -> Path:
        return self.data_directory / "logs" / f"{name}.log"

    def _log_tail(self, lines: int = 15) -> str:
        """Return the end of each log, for the message of an error."""
        tails = []
        for path in sorted((self.data_directory / "logs").glob("*.log")):
            text = path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
            if text:
                tails.append(f"--- {path.name}\n" + "\n".join(text))
        return "Logs end with:\n" + "\n".join(tails) if tails else "There are no logs."


def _specs(
    n_providers: int,
    owners: Sequence[str] | None,
    nthreads: int,
    providers: Sequence[ProviderSpec] | None,
) -> list[ProviderSpec]:
    if providers is not None:
        if owners is not None:
            raise ConfigurationError("give either providers= or owners=, not both")
        return list(providers)
    if n_providers < 0:
        raise ConfigurationError(f"n_providers cannot be negative; got {n_providers}")
    names = list(owners) if owners else [f"owner-{i}" for i in range(n_providers)]
    return [ProviderSpec(names[i % len(names)], nthreads) for i in range(n_providers)]


def _sandbox_settings(profile: str, hidden: Iterable[Path]) -> dict[str, Any]:
    """Return the settings of providers that run the code of this process's user only."""
    settings = {
        "profile": profile,
        "trust-recruiters": True,
        "read": list(import_folders(sys.path, hidden)),
    }
    return {f"eco-dask.worker.sandbox.{name}": value for name, value in settings.items()}


def _environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """Pass this process's eco_dask settings, and these, on to a child."""
    with dask.config.set(dict(settings)):
        # Serialized in here: at the end of the block the very same dict has its old values again.
        inherited = dask.config.serialize({"eco-dask": dask.config.get("eco-dask")})
    return {"DASK_INTERNAL_INHERIT_CONFIG": inherited}
