"""A real runner in a real sandbox, for tests: what it answers, and why it ends."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import cache
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from dask._task_spec import Task

from eco_dask.agent.runner_process import Done, Raised, RunnerProcess, RunnerRule, Work
from eco_dask.gateway.packing import pack
from eco_dask.sandbox.bare import Landlock, Unconfined
from eco_dask.sandbox.bwrap import Bwrap
from eco_dask.sandbox.cgroups import Bounds, find_bounds
from eco_dask.sandbox.choose import choose
from eco_dask.sandbox.launch import SandboxRule
from eco_dask.sandbox.limits import Limits
from eco_dask.sandbox.machine import look
from eco_dask.sandbox.start import Sandbox
from eco_dask.values import EncodedValue, encode

LIMITS = Limits(cores=1, memory_bytes=400 << 20, disk_bytes=32 << 20, processes=48)
#: Where the attacks are imported from.
FOLDERS = (str(Path(__file__).parent),)
#: What bwrap says where namespaces are forbidden: by the kernel, a container, or AppArmor.
_FORBIDDEN = re.compile(r"[Nn]o permissions|not permitted|Permission denied|namespace|No space")


@cache
def why_no_namespaces() -> str | None:
    """Why bubblewrap cannot work on this machine at all; None if it can."""
    program = which("bwrap")
    if program is None:
        return "bubblewrap is not installed"
    command = [program, "--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and _FORBIDDEN.search(done.stderr):
        return f"the kernel forbids user namespaces: {done.stderr.strip()}"
    return None


def sandbox(name: str, home: Path, limits: Limits = LIMITS) -> Sandbox:
    """The sandbox of that name; skips the test only where the kernel has no such thing."""
    if name == "none":
        return Sandbox(Unconfined(), limits=replace(limits, memory_bytes=None), folders=FOLDERS)
    if name == "landlock":
        machine = look()
        if machine.landlock_abi < 6:
            pytest.skip(f"this kernel has Landlock {machine.landlock_abi}; 6 is needed")
        # As root, too, here: its files, sockets and signals are held all the same.
        bounds = find_bounds(limits)
        return Sandbox(Landlock(), machine, limits, bounds, FOLDERS)
    if reason := why_no_namespaces():
        pytest.skip(reason)
    return choose(SandboxRule("bwrap", limits=limits, folders=FOLDERS), home)


def ungrouped(limits: Limits = LIMITS) -> Sandbox:
    """Namespaces without a control group: rlimits and the watchdog must do."""
    if reason := why_no_namespaces():
        pytest.skip(reason)
    return Sandbox(Bwrap(), look(), limits, Bounds(""), FOLDERS)


def work(lease: str, function: Callable, *args: object) -> Work:
    """What the agent feeds of a lease, by way of the gateway's own packing."""
    package = pack(Task(lease, function, *args), {})
    joined = {digest: b"".join(parts) for digest, parts in package.blobs.items()}
    return Work(
        lease,
        package.task,
        tuple(joined[d] for d in package.inputs),
        tuple(joined[d] for d in package.constants),
    )


class Life:
    """A runner, and what was heard of it."""

    def __init__(self, cage: Sandbox, slots: int = 1) -> None:
        self.answers: dict[str, Done | Raised] = {}
        self.deaths: list[tuple[list[str], str]] = []
        self.runner = RunnerProcess(
            RunnerRule(slots, sandbox=cage, value_bytes_max=64 << 20),
            lambda answer: self.answers.update({answer.lease: answer}),
            lambda leases, reason: self.deaths.append((leases, reason)),
        )

    def feed(self, lease: str, function: Callable, *args: object) -> None:
        self.runner.feed(work(lease, function, *args))

    async def until(self, fact: Callable[[], object], timeout_s: float = 30) -> None:
        async with asyncio.timeout(timeout_s):
            # What is waited for has no event: it is what a caller sees.
            while not fact():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def value(self, lease: str) -> Any:
        answer = self.answers[lease]
        assert isinstance(answer, Done), answer
        return EncodedValue.from_bytes(b"".join(answer.parts)).decode()

    async def still_serves(self) -> None:
        """The next task, somebody else's, is untouched."""
        lease = f"next-{len(self.answers)}"
        self.feed(lease, sum, [1, 2, 3])
        await self.until(lambda: lease in self.answers)
        assert self.answers[lease].digest == encode(6).digest


def live(cage: Sandbox, story: Callable[[Life], Coroutine[Any, Any, None]], slots: int = 1) -> Life:
    """Run a story with a runner that is gone at its end."""

    async def run() -> Life:
        life = Life(cage, slots)
        running = asyncio.create_task(life.runner.run())
        try:
            await story(life)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        return life

    return asyncio.run(run())
