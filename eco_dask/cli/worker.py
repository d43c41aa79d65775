"""``eco-dask-worker LINK``: lend this machine to an eco_dask network."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
from dask.utils import parse_bytes

from eco_dask.agent.agent import Agent
from eco_dask.agent.dialling import Introduction
from eco_dask.agent.runner_process import RunnerRule
from eco_dask.cli.running import die_with_parent, log_level, run_service, set_up_logging
from eco_dask.config import data_directory, gateway_rule, worker_rule
from eco_dask.errors import EcoDaskError, RegistrationError
from eco_dask.ledger.receipts import ReceiptReason, explain
from eco_dask.providers.detect import detect
from eco_dask.providers.identity import Identity, claim_identity
from eco_dask.providers.link import find_link

#: Exit status of a provider that the gateway refuses (sysexits: no permission).
EXIT_REFUSED = 77


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88})
@click.argument("link", required=False)
@click.option(
    "--link-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Read the join link from a file; keeps it out of process lists. The environment variable "
    "ECO_DASK_JOIN_LINK works as well.",
)
@click.option(
    "--nthreads",
    type=click.IntRange(1, 4096),
    default=None,
    help="Slots: tasks run at a time.  [default: half of the cores, at least 1]",
)
@click.option(
    "--threads-per-slot",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Threads of BLAS and OpenMP for each slot.",
)
@click.option(
    "--memory-limit",
    default=None,
    help='Memory to offer, such as "8 GiB".  [default: what the machine has]',
)
@click.option("--cache-limit", default=None, help="Memory for cached inputs, such as '512 MiB'.")
@click.option(
    "--local-directory",
    "--data-directory",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder for this machine's key; the identity is kept there.  [default: the platform's]",
)
@die_with_parent
@log_level
def worker(
    link: str | None,
    link_file: Path | None,
    nthreads: int | None,
    threads_per_slot: int,
    memory_limit: str | None,
    cache_limit: str | None,
    folder: Path | None,
    die_with_parent: bool,
    log_level: str,
) -> None:
    """Lend this machine to the network that LINK leads to.

    LINK is what `eco-dask invite` printed. It is needed at the first start only to enrol this
    machine's key; give it again later to find the gateway. Ctrl-C finishes cleanly: tasks under
    way go back to the network at once.

    This release runs tasks in a separate process, without a sandbox: join only networks whose
    recruiters you trust.
    """
    set_up_logging(log_level)
    try:
        about, rule = prepare(
            link, link_file, nthreads, threads_per_slot, memory_limit, cache_limit, folder
        )
    except EcoDaskError as error:
        raise click.ClickException(str(error)) from error
    run_service(lambda stop: serve(Agent, about, rule, stop), with_parent=die_with_parent)


def prepare(
    link: str | None,
    link_file: Path | None,
    nthreads: int | None,
    threads_per_slot: int,
    memory_limit: str | None,
    cache_limit: str | None,
    folder: Path | None,
) -> tuple[Introduction, RunnerRule]:
    """Find the link, load or make this machine's key, and see what the machine can do."""
    found = find_link(link, link_file, os.environ)
    home = data_directory(folder) / "provider" if folder is None else folder
    identity = Identity.load_or_create(home)
    # Held until this process ends, so that no second agent runs under the same identity.
    globals()["_claim"] = claim_identity(home)
    slots = nthreads or max(1, (os.cpu_count() or 2) // 2)
    memory_bytes = parse_bytes(memory_limit) if memory_limit else None
    # The runner's BLAS has as many threads as a slot, not as this process: they change last bits.
    capability = replace(
        detect(slots * threads_per_slot, memory_bytes), blas_threads=threads_per_slot
    )
    cache_bytes = parse_bytes(cache_limit) if cache_limit else worker_rule().cache_bytes
    limits = gateway_rule().limits
    about = Introduction(found, identity, capability, slots, cache_bytes, limits)
    return about, RunnerRule(slots, threads_per_slot, limits.value_bytes_max)


async def serve(
    kind: Callable[..., Agent], about: Introduction, rule: RunnerRule, stop: asyncio.Event
) -> int:
    """Run an agent until it is told to stop; return the exit status."""
    agent = kind(about, rule, reconnect_max_s=worker_rule().reconnect_max_s, on_change=click.echo)
    click.echo(
        f"eco-dask-worker on {platform.node()}: provider {about.identity.provider_id}, "
        f"{about.slots} slots; Ctrl-C stops"
    )
    running = asyncio.create_task(agent.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    agent.leave()
    try:
        await running
    except RegistrationError as error:
        click.echo(f"Refused ({error.code}): {error}", err=True)
        return EXIT_REFUSED
    finally:
        stopping.cancel()
    _say_farewell(agent)
    return 0


def _say_farewell(agent: Agent) -> None:
    tally = agent.tally
    click.echo(
        f"Stopped. {tally.answered} tasks answered, {tally.earned_mpt / 1000:g} points earned "
        "since the start."
    )
    for reason, count in tally.reasons.most_common():
        meaning = explain(ReceiptReason(reason)) if reason in set(ReceiptReason) else ""
        click.echo(f"  {count} x {reason}: {meaning}")


if __name__ == "__main__":
    worker()
