"""``eco-dask-gateway SCHEDULER``: a Dask worker whose executor is the provider network."""

from __future__ import annotations

import asyncio
import logging
import sys

import click
import dask
from distributed import Worker
from distributed.comm.addressing import parse_host_port

from eco_dask.cli.running import (
    die_with_parent,
    log_level,
    run_service,
    security_of,
    set_up_logging,
)
from eco_dask.errors import EcoDaskError
from eco_dask.plugins.gateway import EcoGatewayPlugin
from eco_dask.providers.link import is_loopback

logger = logging.getLogger(__name__)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88})
@click.argument("scheduler")
@click.option("--name", default="gateway", show_default=True, help="Name of this gateway.")
@click.option(
    "--provider-host",
    default=None,
    help="Address that providers dial.  [default: eco-dask.gateway.host]",
)
@click.option(
    "--provider-port",
    type=click.IntRange(0, 65535),
    default=None,
    help="Port that providers dial, 0 for any.  [default: eco-dask.gateway.port]",
)
@click.option(
    "--host", default=None, help="Address on which the scheduler and clients reach this process."
)
@click.option(
    "--memory-limit",
    default=None,
    help="Memory for results before they spill to disk.  [default: eco-dask.gateway.memory-limit]",
)
@click.option("--local-directory", default=None, help="Folder for results that spill.")
@click.option(
    "--data-directory",
    default=None,
    help="Folder for certificate and books.  [default: eco-dask.data-directory]",
)
@click.option(
    "--database",
    default=None,
    help="SQLAlchemy URL of the books.  [default: SQLite in the data directory]",
)
@click.option(
    "--tls-ca-file",
    type=click.Path(exists=True),
    default=None,
    help="CA certificate of the scheduler's TLS.",
)
@click.option(
    "--tls-cert", type=click.Path(exists=True), default=None, help="Certificate of this gateway."
)
@click.option("--tls-key", type=click.Path(exists=True), default=None, help="Key of this gateway.")
@click.option(
    "--plain",
    is_flag=True,
    help="Speak plain text with a scheduler beyond this machine: whoever reaches that network can "
    "run code here.",
)
@die_with_parent
@log_level
def gateway(
    scheduler: str,
    name: str,
    provider_host: str | None,
    provider_port: int | None,
    tls_ca_file: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    plain: bool,
    die_with_parent: bool,
    log_level: str,
    data_directory: str | None,
    database: str | None,
    **worker_options: str | None,
) -> None:
    """Serve providers for the Dask scheduler at the address SCHEDULER.

    More gateways on more machines share the load; give each a name of its own.
    """
    set_up_logging(log_level)
    # The books' thread is busy with Python code; after each system call the event loop would wait
    # up to this long (5 ms by default) for its turn.
    sys.setswitchinterval(0.0005)
    if provider_host is not None:
        dask.config.set({"eco-dask.gateway.host": provider_host})
    _refuse_plain_text(scheduler, plain=plain)
    plugin = EcoGatewayPlugin(
        name, port=provider_port, database=database, data_directory=data_directory
    )
    memory_limit = str(dask.config.get("eco-dask.gateway.memory-limit"))
    security = security_of(
        tls_ca_file=tls_ca_file, tls_worker_cert=tls_cert, tls_worker_key=tls_key
    )

    async def serve(stop: asyncio.Event) -> int:
        worker_options["memory_limit"] = worker_options["memory_limit"] or memory_limit
        options = _on_loopback(scheduler) | {k: v for k, v in worker_options.items() if v}
        worker = Worker(
            scheduler, nthreads=1, name=name, security=security, dashboard=False, **options
        )
        try:
            await worker
            await worker.plugin_add(plugin, catch_errors=False)
        except (EcoDaskError, OSError, RuntimeError) as error:
            click.echo(f"Error: the gateway could not start: {error}", err=True)
            await worker.close(reason="eco-gateway-start")
            return 1
        click.echo(f"Gateway {name}: providers dial {plugin.server.address}")
        stopping = asyncio.create_task(stop.wait())
        finished = asyncio.create_task(worker.finished())
        await asyncio.wait({stopping, finished}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await worker.close(reason="eco-gateway-stop")
        return 0

    run_service(serve, with_parent=die_with_parent)


def _refuse_plain_text(scheduler: str, *, plain: bool) -> None:
    if not (plain or scheduler.startswith("tls://") or is_loopback(_host_of(scheduler))):
        raise click.ClickException(
            f"{scheduler} is plain text beyond this machine: whoever is in between can run "
            "code here: give it TLS (tls://, --tls-ca-file, --tls-cert, --tls-key), or --plain"
        )


def _on_loopback(scheduler: str) -> dict[str, str]:
    """Return what keeps a gateway's own Dask port, and its web server, on this machine.

    Dask would listen on all addresses, in a protocol in which whoever connects can run code.
    """
    web = {"dashboard_address": "127.0.0.1:0"}
    host = _host_of(scheduler)
    return web | {"host": host} if is_loopback(host) else web


def _host_of(address: str) -> str:
    return str(parse_host_port(address.rpartition("://")[2], 0)[0])


if __name__ == "__main__":
    gateway()
