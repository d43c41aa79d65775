"""``eco-dask-scheduler``: all that an operator runs: scheduler, gateway, trusted workers, books."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import dask
from distributed import Scheduler
from distributed.security import Security

from eco_dask.children import Child
from eco_dask.cli.circle import choose_security, gateways_ca, harden_dashboard, secure_dashboard
from eco_dask.cli.facts import FACTS_FILE, remove_facts, write_facts
from eco_dask.cli.running import (
    die_with_parent,
    log_level,
    run_service,
    security_of,
    set_up_logging,
)
from eco_dask.config import data_directory, database_url
from eco_dask.dashboard.register import register
from eco_dask.dashboard.served import served
from eco_dask.dashboard.showing import add_pages
from eco_dask.errors import EcoDaskError
from eco_dask.plugins.circle import CircleSecurity, restrict
from eco_dask.plugins.scheduler import EcoSchedulerPlugin
from eco_dask.providers.link import JoinLink

#: The operator's own owner name, behind all trusted workers.
OPERATOR = "operator"
#: Seconds that a trusted worker has to enrol; what it does not need is soon worth nothing.
_ENROL_S = 3600.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    host: str
    port: int
    dashboard_address: str | None
    provider_host: str
    provider_port: int
    trusted_workers: int
    trusted_nthreads: int
    folder: Path
    database: str
    scheduler_file: Path | None
    security: Security
    #: Recruiters' own TLS: "auto" beyond loopback, "tls", or "plain".
    recruiters: str
    log_level: str
    quiet: bool


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88})
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address that recruiters' clients dial."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8786,
    show_default=True,
    help="Port that recruiters' clients dial, 0 for any.",
)
@click.option(
    "--dashboard-address",
    default="127.0.0.1:8787",
    show_default=True,
    help="Address of the dashboard; beyond loopback with TLS, by the gateway's certificate.",
)
@click.option(
    "--plain-dashboard",
    is_flag=True,
    help="Serve the dashboard without TLS beyond loopback, such as behind a proxy that adds it.",
)
@click.option(
    "--dashboard/--no-dashboard", default=True, show_default=True, help="Serve the dashboard."
)
@click.option(
    "--provider-host",
    default=None,
    help="Address that providers dial; beyond loopback with TLS.  [default: eco-dask.gateway.host]",
)
@click.option(
    "--provider-port",
    type=click.IntRange(0, 65535),
    default=None,
    help="Port that providers dial, 0 for any.  [default: eco-dask.gateway.port]",
)
@click.option(
    "--trusted-workers",
    type=click.IntRange(0, 64),
    default=1,
    show_default=True,
    help="Workers of your own that decide disputes and touch storage.",
)
@click.option(
    "--trusted-nthreads",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Slots of each trusted worker.",
)
@click.option(
    "--data-directory",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder for keys and books.  [default: eco-dask.data-directory]",
)
@click.option(
    "--database",
    default=None,
    help="SQLAlchemy URL of the books.  [default: SQLite in the data directory]",
)
@click.option(
    "--scheduler-file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Another file to write the addresses to, as JSON, once everything runs; the data "
    "directory always gets one.",
)
@click.option("--tls-ca-file", type=click.Path(exists=True), default=None, help="CA certificate.")
@click.option(
    "--tls-cert",
    type=click.Path(exists=True),
    default=None,
    help="Certificate of scheduler and gateway.",
)
@click.option(
    "--tls-key", type=click.Path(exists=True), default=None, help="Key of scheduler and gateway."
)
@click.option(
    "--recruiters",
    type=click.Choice(["auto", "tls", "plain"]),
    default="auto",
    show_default=True,
    help="How recruiters' clients are served. tls: with certificates that this coordinator issues, "
    "see `eco-dask invite --recruiter`; plain: whoever reaches the port may run code here; auto: "
    "tls beyond loopback.",
)
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@die_with_parent
@log_level
def scheduler(
    folder: Path | None,
    database: str | None,
    provider_host: str | None,
    provider_port: int | None,
    dashboard: bool,
    dashboard_address: str,
    plain_dashboard: bool,
    tls_ca_file: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    die_with_parent: bool,
    **plain: Any,
) -> None:
    """Run a coordinator: a Dask scheduler, one gateway for providers, and trusted workers.

    Recruiters connect with dask.distributed.Client(ADDRESS); providers join with the links that
    `eco-dask invite` prints.
    """
    set_up_logging(plain["log_level"])
    home = data_directory(folder)
    if dashboard and not plain_dashboard:
        try:
            secure_dashboard(dashboard_address, home)
        except EcoDaskError as error:
            raise click.ClickException(str(error)) from error
    options = Options(
        folder=home,
        database=database_url(home, database),
        provider_host=provider_host or str(dask.config.get("eco-dask.gateway.host")),
        provider_port=int(
            dask.config.get("eco-dask.gateway.port") if provider_port is None else provider_port
        ),
        dashboard_address=dashboard_address if dashboard else None,
        security=security_of(
            tls_ca_file=tls_ca_file,
            tls_scheduler_cert=tls_cert,
            tls_scheduler_key=tls_key,
            tls_worker_cert=tls_cert,
            tls_worker_key=tls_key,
        ),
        **plain,
    )
    run_service(lambda stop: Coordinator(options).serve(stop), with_parent=die_with_parent)


class Coordinator:
    """Everything that ``eco-dask-scheduler`` runs."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._plugin = EcoSchedulerPlugin(
            database=options.database, data_directory=str(options.folder)
        )
        self._security = options.security
        self._keepers: list[asyncio.Task[None]] = []
        self._children: dict[str, Child] = {}

    async def serve(self, stop: asyncio.Event) -> int:
        """Run until told to stop."""
        options = self._options
        # One lost gateway hits all tasks that were on it; they must not be blamed for it.
        dask.config.set({"distributed.scheduler.allowed-failures": 1000})
        register()
        try:
            self._security = choose_security(options)
            if options.dashboard_address is not None:
                # Bokeh takes half a second and some memory: not where nobody can look.
                add_pages()
            async with Scheduler(
                host=options.host,
                port=options.port,
                dashboard_address=options.dashboard_address or "127.0.0.1:0",
                dashboard=options.dashboard_address is not None,
                security=self._security,
            ) as scheduler:
                harden_dashboard(scheduler)
                await self._plugin.start(scheduler)
                watching = self._watch_circle(scheduler)
                scheduler.add_plugin(self._plugin)
                try:
                    await self._start_gateway(scheduler)
                    await self._start_trusted_workers()
                    self._announce(scheduler)
                    await stop.wait()
                finally:
                    watching.cancel()
                    await self._stop_children()
                    remove_facts(options.folder / FACTS_FILE, os.getpid())
        except (EcoDaskError, OSError, RuntimeError) as error:
            click.echo(f"Error: {error}", err=True)
            return 1
        return 0

    def _watch_circle(self, scheduler: Scheduler) -> asyncio.Task[None]:
        security = self._security
        if not isinstance(security, CircleSecurity):
            return asyncio.create_task(asyncio.sleep(0))
        restrict(scheduler)
        return asyncio.create_task(security.watch(scheduler))

    async def _start_gateway(self, scheduler: Scheduler) -> None:
        options = self._options
        port = options.provider_port or _free_port(options.provider_host)
        arguments = [
            scheduler.address,
            "--provider-host",
            options.provider_host,
            "--provider-port",
            str(port),
            "--data-directory",
            str(options.folder),
            # Results that spill stay in the operator's own folder, not in a shared temporary one.
            "--local-directory",
            str(options.folder / "spill"),
            *(("--plain",) if options.recruiters == "plain" else ()),
            "--log-level",
            options.log_level,
        ]
        security = self._security
        for flag, value in (
            ("--tls-ca-file", gateways_ca(security)),
            ("--tls-cert", security.tls_worker_cert),
            ("--tls-key", security.tls_worker_key),
        ):
            if value:
                arguments += [flag, value]
        # In the environment, not in the process list: a database URL may hold a password.
        child = Child(
            "eco_dask.cli.gateway",
            arguments,
            environment={"DASK_ECO_DASK__DATABASE": options.database},
            log_path=self._log_path("gateway"),
        )
        await self._keep("gateway", child)
        deadline_s = time.monotonic() + 60
        while not self._plugin.gateways:
            if child.returncode is not None or time.monotonic() > deadline_s:
                raise TimeoutError(
                    f"the gateway did not start; see {self._log_path('gateway') or 'the log above'}"
                )
            await asyncio.sleep(0.05)

    async def _start_trusted_workers(self) -> None:
        view = next(iter(self._plugin.gateways.values()))
        for number in range(self._options.trusted_workers):
            home = self._options.folder / f"trusted-{number}"
            invite = self._plugin.registry.invite(
                OPERATOR,
                role="trusted",
                uses_max=1,
                expires_at_s=time.time() + _ENROL_S,
                at_s=time.time(),
            )
            link = JoinLink(view.address, invite, view.fingerprint)
            arguments = [
                "--local-directory",
                str(home),
                "--nthreads",
                str(self._options.trusted_nthreads),
                "--log-level",
                self._options.log_level,
                # They read and write the operator's stores, as recruiters ask.
                *("--sandbox", "none", "--i-trust-the-recruiters"),
            ]
            environment = {"ECO_DASK_JOIN_LINK": str(link)}
            log_path = self._log_path(f"trusted-{number}")
            await self._keep(
                f"trusted-{number}",
                Child("eco_dask.cli.worker", arguments, environment=environment, log_path=log_path),
            )

    async def _keep(self, name: str, child: Child) -> None:
        await child.start()
        self._children[name] = child
        self._keepers.append(asyncio.create_task(child.keep_alive()))

    async def _stop_children(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(child.stop() for child in reversed(self._children.values())))

    def _log_path(self, name: str) -> Path | None:
        return self._options.folder / "logs" / f"{name}.log" if self._options.quiet else None

    def _announce(self, scheduler: Scheduler) -> None:
        view = next(iter(self._plugin.gateways.values()))
        dashboard = scheduler.services.get("dashboard")
        facts = {
            "address": scheduler.address,
            "provider_address": view.address,
            "fingerprint": view.fingerprint,
            "database": self._options.database,
            "dashboard_url": dashboard_url(self._options, dashboard.port) if dashboard else "",
            "dashboard_pin": served().pin,
            "pid": os.getpid(),
            "children": {name: child.pid for name, child in self._children.items()},
        }
        write_facts(self._options.folder / FACTS_FILE, facts)
        if self._options.scheduler_file is not None:
            write_facts(self._options.scheduler_file, facts)
        if not self._options.quiet:
            click.echo(f"Recruiters connect to  {scheduler.address}")
            click.echo(f"Providers dial         {view.address}")
            if dashboard is not None:
                click.echo(
                    f"Dashboard              {dashboard_url(self._options, dashboard.port)}/status"
                )
            click.echo(f"Data directory         {self._options.folder}")
            click.echo("Ctrl-C stops")


def dashboard_url(options: Options, port: int) -> str:
    """Return where the dashboard's pages are found, from this machine at least."""
    host = (options.dashboard_address or "").rpartition(":")[0] or options.host
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104  nothing listens
    return f"{served().scheme}://{host}:{port}"


def _free_port(host: str) -> int:
    """Take a port for good: a gateway that is restarted must be found where it was."""
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    scheduler()
