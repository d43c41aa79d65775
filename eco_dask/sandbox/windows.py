"""The profile ``job``: a Windows job object and a restricted token.

::

    python -m eco_dask.sandbox.windows_api SETTINGS -- command
        job (limits, ends with this process) ─► restricted token ─► command, in the job

A job limits and does not isolate: the token takes privileges and writing away, not reading and not
the network. So :mod:`eco_dask.sandbox.choose` finds that it does not hold, and asks for trust.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from eco_dask.sandbox.launch import Launch, Machine, Plan
from eco_dask.sandbox.limits import Limits

_SEPARATOR = "--"


@dataclass(frozen=True, slots=True)
class JobSettings:
    """What a job object limits; 0 is no limit."""

    memory_bytes: int = 0
    processes: int = 0
    #: Hundredths of a percent of all cores.
    cpu_rate: int = 0


class JobApi(Protocol):
    """The few calls of Windows that this needs."""

    def create_job(self, settings: JobSettings) -> int:
        """Return a job whose processes end when its last handle is closed."""

    def create_token(self) -> int:
        """Return this process's token without privileges, at low integrity."""

    def start(self, token: int, command: Sequence[str]) -> tuple[int, int]:
        """Start a suspended process with this one's standard streams; return it and its thread."""

    def assign(self, job: int, process: int) -> None:
        """Put a process into a job."""

    def resume(self, thread: int) -> None:
        """Let a suspended thread run."""

    def wait(self, process: int) -> int:
        """Wait for the end of a process and return its exit status."""

    def terminate(self, process: int) -> None:
        """End a process at once."""


class Job:
    """Limits and a token without privileges."""

    name = "job"
    system = "windows"
    words = (
        "tasks have no privileges, cannot write your files and stay inside the limits; they can "
        "read files and use the network"
    )

    def obstacle(self, machine: Machine, plan: Plan) -> str | None:  # noqa: ARG002  the same for all profiles
        """Say why it cannot work here; None if that must be tried."""
        return (
            None if machine.system == "windows" else f"it needs Windows; this is {machine.system}"
        )

    def filter(self, machine: Machine, plan: Plan) -> bytes:  # noqa: ARG002  the same for all profiles
        """Return nothing: Windows has no such filter."""
        return b""

    def command(self, machine: Machine, plan: Plan) -> Launch:
        """Return what to execute."""
        python = machine.python.executable
        settings = json.dumps(asdict(job_settings(plan.limits, machine.n_cores)))
        argv = (
            *(python, "-m", "eco_dask.sandbox.windows_api", settings, _SEPARATOR),
            *(python, "-m", plan.module, *plan.arguments),
        )
        needed = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "PYTHONPATH")
        kept = {name: plan.inherited[name] for name in needed if name in plan.inherited}
        return Launch(argv, kept | dict(plan.environment))


def job_settings(limits: Limits, n_cores: int) -> JobSettings:
    """Turn limits into a job's."""
    share = 0.0 if limits.cpu_cores is None else min(1.0, limits.cpu_cores / n_cores)
    # A job counts processes, not their threads.
    rate = max(1, round(share * 10_000)) if share else 0
    return JobSettings(limits.memory_bytes or 0, limits.processes, rate)


def run_in_job(api: JobApi, settings: JobSettings, command: Sequence[str]) -> int:
    """Run a command inside a job; return its exit status."""
    job = api.create_job(settings)
    process, thread = api.start(api.create_token(), command)
    try:
        # Before its first instruction, so that nothing it starts is outside.
        api.assign(job, process)
    except OSError:
        api.terminate(process)
        raise
    api.resume(thread)
    return api.wait(process)


def main(arguments: Sequence[str], api: JobApi) -> int:
    """Do what the command line says."""
    settings, separator, *command = arguments
    if separator != _SEPARATOR or not command:
        raise SystemExit("usage: python -m eco_dask.sandbox.windows_api SETTINGS -- command")
    return run_in_job(api, JobSettings(**json.loads(settings)), command)
