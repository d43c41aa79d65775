"""``eco-dask-worker LINK``: lend this machine to an eco_dask network."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import dask.config
from dask.utils import parse_bytes

from eco_dask.agent.agent import Agent
from eco_dask.agent.dialling import Introduction
from eco_dask.agent.energy_plan import energy_plan, lines_of
from eco_dask.agent.runner_process import RunnerRule
from eco_dask.cli import rotating
from eco_dask.cli.owned import Owned
from eco_dask.cli.owner import owner
from eco_dask.cli.running import die_with_parent, log_level, run_service, set_up_logging
from eco_dask.cli.secrecy import hide_link
from eco_dask.cli.service import options_for_service, serve_service
from eco_dask.config import data_directory, gateway_rule, sandbox_rule, worker_rule
from eco_dask.energy_config import owner_energy_rule
from eco_dask.errors import EcoDaskError, RegistrationError
from eco_dask.ledger.receipts import ReceiptReason, explain
from eco_dask.providers.capability import Capability
from eco_dask.providers.detect import detect, installed_packages
from eco_dask.providers.identity import Identity, claim_identity
from eco_dask.providers.link import LINK_VARIABLE, find_link
from eco_dask.sandbox.choose import choose
from eco_dask.sandbox.launch import SandboxRule
from eco_dask.sandbox.limits import describe
from eco_dask.sandbox.start import Sandbox

#: Exit status of a provider that the gateway refuses (sysexits: no permission).
EXIT_REFUSED = 77
#: Of the machine's memory, what a runner may use if the owner says nothing.
_MEMORY_SHARE = 0.8


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
@click.option(
    "--sandbox",
    type=click.Choice(("auto", "bwrap", "container", "landlock", "seatbelt", "job", "none")),
    default=None,
    help="What confines the recruiters' code. bwrap: Linux namespaces (install bubblewrap); "
    "container: podman or docker; landlock: Linux 6.12 or later; seatbelt: macOS; job: Windows, "
    "limits only; none: nothing. auto tries them on this machine and takes the strongest that "
    "holds.  [default: auto]",
)
@click.option(
    "--i-trust-the-recruiters",
    "trust",
    is_flag=True,
    help="Run tasks without a sandbox if none works here, or with --sandbox none: they can then "
    "read your files and use your network.",
)
@click.option(
    "--rotate-key",
    is_flag=True,
    help="Exchange this machine's key for a new one, and stop. Its id, owner and points stay; the "
    "old key is refused from then on.",
)
@click.option(
    "--page-port",
    type=click.IntRange(0, 65535),
    default=None,
    help="Port of your page on this machine; 0 for any free one.",
)
@click.option(
    "--service",
    type=click.Choice(("install", "remove", "status")),
    default=None,
    help="Install a service that starts with you (systemd, launchd, Task Scheduler), remove it, or "
    "ask for it, and end. Other options are kept for the service.",
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
    sandbox: str | None,
    trust: bool,
    rotate_key: bool,
    page_port: int | None,
    service: str | None,
    die_with_parent: bool,
    log_level: str,
) -> None:
    r"""Lend this machine to the network that LINK leads to.

    LINK is what `eco-dask invite` printed. It is needed at the first start only to enrol this
    machine's key; give it again later to find the gateway. Ctrl-C finishes cleanly: tasks under
    way go back to the network at once.

    Tasks run in a sandbox without network, home folder or secrets. Where no sandbox works, this
    command says why and does not start. Limits and more: eco-dask.worker.sandbox in Dask's
    configuration. Change settings while it runs: eco-dask-worker config set.

    \b
    Commands for a running provider; each has --help:
      status, pause, resume, finish, stop, page
      config list | get | set | unset
      doctor    what stands in the way of a provider here, and what to do
    """
    # Also as `eco-dask worker LINK`.
    hide_link(LINK_VARIABLE)
    set_up_logging(log_level)
    if service is not None:
        serve_service(service, link, link_file, _home(folder), options_for_service(sys.argv[1:]))
        return
    if rotate_key:
        rotating.rotate_key(link, link_file, _home(folder))
        return
    chosen: dict[str, Any] = {"eco-dask.worker.sandbox.profile": sandbox} if sandbox else {}
    if trust:
        chosen["eco-dask.worker.sandbox.trust-recruiters"] = True
    # Whoever starts it as a child is no owner who sits here, as in EcoCluster.
    # Children of a cluster have no owner to look after them, unless their parent asks for a page.
    alone = page_port is not None or not die_with_parent
    owned = Owned(_home(folder), page_port or 0) if alone else None
    try:
        if owned is not None:
            owned.settings.follow()
        dask.config.set(chosen)
        about, rule = prepare(
            link, link_file, nthreads, threads_per_slot, memory_limit, cache_limit, folder
        )
    except EcoDaskError as error:
        raise click.ClickException(str(error)) from error
    run_service(lambda stop: serve(Agent, about, rule, stop, owned), with_parent=die_with_parent)


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
    home = _home(folder)
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
    sandbox = choose(_complete(sandbox_rule(), capability, memory_bytes), home)
    if capability.gpus and sandbox.profile.name != "none" and not sandbox.gpu:
        capability = replace(capability, gpus=(), gpu_library="")
    # An image has an environment of its own, which is not looked into.
    packages = () if sandbox.profile.name == "container" else installed_packages()
    energy = energy_plan(owner_energy_rule(), home, slots)
    about = Introduction(
        found,
        identity,
        capability,
        slots,
        cache_bytes,
        limits,
        ping_s=worker_rule().ping_s,
        packages=packages,
        energy=energy,
    )
    return about, RunnerRule(slots, threads_per_slot, limits.value_bytes_max, sandbox)


def _home(folder: Path | None) -> Path:
    return data_directory(folder) / "provider" if folder is None else folder


def _complete(rule: SandboxRule, capability: Capability, memory_bytes: int | None) -> SandboxRule:
    """Fill in the limits that the owner left to us."""
    given = rule.limits
    machine_bytes = int(_MEMORY_SHARE * capability.memory_bytes)
    limits = replace(
        given,
        cores=given.cores or capability.cores,
        memory_bytes=given.memory_bytes or memory_bytes or machine_bytes,
    )
    return replace(rule, limits=limits)


def _show_sandbox(sandbox: Sandbox) -> None:
    for note in sandbox.notes:
        click.echo(f"Sandbox: {note}")
    limits = ", ".join(f"{name} {value}" for name, value in describe(sandbox.limits).items())
    click.echo(f"Sandbox {sandbox.profile.name}: {sandbox.profile.words}. Limits: {limits}.")


async def serve(
    kind: Callable[..., Agent],
    about: Introduction,
    rule: RunnerRule,
    stop: asyncio.Event,
    owned: Owned | None = None,
) -> int:
    """Run an agent until it is told to stop; return the exit status."""
    agent = kind(
        about,
        rule,
        reconnect_max_s=worker_rule().reconnect_max_s,
        on_change=click.echo,
        diary=owned.diary() if owned is not None else None,
    )
    click.echo(
        f"eco-dask-worker on {platform.node()}: provider {about.identity.provider_id}, "
        f"{about.slots} slots; Ctrl-C stops"
    )
    _show_sandbox(rule.sandbox)
    for line in lines_of(about.energy):
        click.echo(line)
    running = asyncio.create_task(agent.run())
    stopping = asyncio.create_task(stop.wait())
    beside = [asyncio.create_task(owned.run(agent, rule, stop))] if owned is not None else []
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    agent.leave()
    try:
        await running
    except RegistrationError as error:
        click.echo(f"Refused ({error.code}): {error}", err=True)
        return EXIT_REFUSED
    finally:
        for task in (stopping, *beside):
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
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


def main() -> None:
    """Run the command, with the link out of sight of other users."""
    hide_link(LINK_VARIABLE)
    if len(sys.argv) > 1 and sys.argv[1] in owner.commands:
        owner(prog_name="eco-dask-worker")
    worker(prog_name="eco-dask-worker")


if __name__ == "__main__":
    main()
