"""A provider that misbehaves: ``python -m eco_dask.testing.provider LINK --behaviour lie:0.5``.

Everything but the fault is the ordinary agent, so a test of the fault tests the ordinary gateway.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import click

from eco_dask.agent.agent import Agent
from eco_dask.agent.runner_process import Done, Lacks, Raised
from eco_dask.cli.running import die_with_parent, log_level, run_service, set_up_logging
from eco_dask.cli.worker import prepare, serve
from eco_dask.testing.behaviours import Behaviour, Renege, behaviour_of
from eco_dask.types import LeaseId
from eco_dask.wire import messages as m


class MisbehavingAgent(Agent):
    """The ordinary agent with one fault."""

    def __init__(self, *arguments: Any, behaviour: Behaviour, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._behaviour = behaviour
        self._noises: set[asyncio.Task[None]] = set()

    def _on_answer(self, answer: Done | Raised | Lacks) -> None:
        said = answer if isinstance(answer, Lacks) else self._behaviour.say(answer)
        if said is None:
            self._feed_runner()
            return
        super()._on_answer(said)
        noise = self._behaviour.noise()
        connection = self._line.connection
        if noise and connection is not None:
            # Past the outbox, which sends whole messages only.
            task = asyncio.create_task(connection._write(noise))  # noqa: SLF001
            self._noises.add(task)
            task.add_done_callback(self._noises.discard)

    def _serve(self, lease: LeaseId) -> None:
        if isinstance(self._behaviour, Renege):
            self._say(m.Declined(lease, "changed-mind", "what lease?"))
        else:
            super()._serve(lease)

    def _bytes_of(self, lease: LeaseId) -> tuple[bytes, ...] | None:
        answer = self._answers.get(lease)
        return self._behaviour.serve(answer) if isinstance(answer, Done) else None

    def _sketched_bytes_of(self, lease: LeaseId) -> tuple[bytes, ...] | None:
        answer = self._answers.get(lease)
        return self._behaviour.sketched(answer) if isinstance(answer, Done) else None


@click.command()
@click.argument("link", required=False)
@click.option("--local-directory", type=click.Path(path_type=Path), required=True)
@click.option("--nthreads", type=int, default=1)
@click.option("--threads-per-slot", type=int, default=1)
@click.option("--behaviour", default="honest", help="Such as lie:0.5; see testing.behaviours.")
@click.option("--seed", default="0", help="What random choices derive from.")
@die_with_parent
@log_level
def provider(
    link: str | None,
    local_directory: Path,
    nthreads: int,
    threads_per_slot: int,
    behaviour: str,
    seed: str,
    die_with_parent: bool,
    log_level: str,
) -> None:
    """Join as an ordinary provider would, then misbehave."""
    set_up_logging(log_level)
    about, rule = prepare(link, None, nthreads, threads_per_slot, None, None, local_directory)
    kind = partial(MisbehavingAgent, behaviour=behaviour_of(behaviour, seed))
    run_service(lambda stop: serve(kind, about, rule, stop), with_parent=die_with_parent)


if __name__ == "__main__":
    provider()
