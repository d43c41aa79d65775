"""Starts a process in the chosen sandbox, watches it, and ends all of it.

Sandbox.start ──► Confined(process) ──watch──► over a limit, killed ──close──► nothing is left
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from eco_dask.sandbox.bare import Unconfined
from eco_dask.sandbox.cgroups import Bounds, Group
from eco_dask.sandbox.freezing import set_frozen
from eco_dask.sandbox.launch import Launch, Machine, Plan, Profile
from eco_dask.sandbox.limits import Limits, pinning_command
from eco_dask.sandbox.machine import look
from eco_dask.sandbox.watchdog import Usage, excess, kill_tree, measure, out_of_memory
from eco_dask.text import clean

logger = logging.getLogger(__name__)

_STREAM_LIMIT_BYTES = 4 << 20
#: Seconds that a process has to end by itself before it is killed, and to be gone afterwards.
_END_S = 2.0
_WATCH_S, _IDLE_WATCH_S = 0.25, 1.0
#: What tasks may print in one life of a runner; more is dropped.
_PRINTED_BYTES_MAX = 1 << 20
_SHELL_SIGNAL = 128
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A profile that was chosen, with all it needs to start processes."""

    profile: Profile = field(default_factory=Unconfined)
    machine: Machine = field(default_factory=look)
    limits: Limits = field(default_factory=Limits)
    bounds: Bounds = field(default_factory=lambda: Bounds(""))
    folders: tuple[str, ...] = ()
    image: str = ""
    gpu: bool = False
    #: Why stronger profiles do not work, and what the owner should know.
    notes: tuple[str, ...] = ()

    @property
    def bounded(self) -> bool:
        """Whether memory and processes are counted by the kernel for the runner as a whole."""
        return bool(self.bounds) or self.profile.name in {"container", "job"}

    def plan(self, module: str, arguments: tuple[str, ...] = ()) -> Plan:
        """Return the plan of a process, without what is known only when it starts."""
        return Plan(
            module,
            arguments,
            limits=self.limits,
            folders=self.folders,
            bounded=self.bounded,
            gpu=self.gpu,
            image=self.image,
            name=f"eco-runner-{os.getpid()}-{next(_numbers)}",
        )

    async def start(
        self, plan: Plan, environment: Mapping[str, str], inherited: Mapping[str, str]
    ) -> Confined:
        """Start a process; its standard streams are pipes.

        Parameters
        ----------
        plan : Plan
            From :meth:`plan`.
        environment : mapping
            Variables that it needs.
        inherited : mapping
            The agent's own, less its secrets: for an unconfined process only.

        Raises
        ------
        OSError
            If it cannot be started.
        """
        plan = replace(plan, environment=environment, inherited=inherited)
        group = await asyncio.to_thread(self._group, plan)
        scratch = self._scratch()
        with self.armed(replace(plan, scratch=scratch)) as launch:
            process = await asyncio.create_subprocess_exec(
                *group.prefix,
                *self._pinning(),
                *launch.argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # A terminal would let tasks read what the owner types.
                stderr=None if isinstance(self.profile, Unconfined) else subprocess.PIPE,
                limit=_STREAM_LIMIT_BYTES,
                env=launch.environment,
                pass_fds=launch.pass_fds,
                # Ctrl-C in the agent's terminal is the agent's to handle.
                start_new_session=os.name == "posix",
            )
        return Confined(self, process, group, launch.cleanup, scratch)

    def run(self, plan: Plan, inherited: Mapping[str, str], timeout_s: float) -> str:
        """Run a process to its end and return what it printed.

        Raises
        ------
        OSError, subprocess.SubprocessError
            If it cannot be started, fails, or takes too long.
        """
        plan = replace(plan, inherited=inherited)
        group, scratch = self._group(plan), self._scratch()
        try:
            with self.armed(replace(plan, scratch=scratch)) as launch:
                done = subprocess.run(  # noqa: S603
                    (*group.prefix, *self._pinning(), *launch.argv),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=timeout_s,
                    env=dict(launch.environment),
                    pass_fds=launch.pass_fds,
                    check=True,
                    text=True,
                )
        finally:
            group.close()
            _remove(scratch)
        return done.stdout

    @contextlib.contextmanager
    def armed(self, plan: Plan) -> Iterator[Launch]:
        """Give the command of a plan, its system call filter open while the block runs."""
        program = self.profile.filter(self.machine, plan)
        if not program or sys.platform != "linux":
            yield self.profile.command(self.machine, plan)
            return
        descriptor = os.memfd_create("eco-dask-filter")
        try:
            os.write(descriptor, program)
            os.lseek(descriptor, 0, os.SEEK_SET)
            yield self.profile.command(self.machine, replace(plan, seccomp_fd=descriptor))
        finally:
            os.close(descriptor)

    def _pinning(self) -> tuple[str, ...]:
        """Return what stands in for a control group's share of processor time."""
        if self.bounded or sys.platform != "linux" or shutil.which("taskset") is None:
            return ()
        # Before the filter is loaded, which lets nobody choose cores.
        return pinning_command(self.limits, tuple(sorted(os.sched_getaffinity(0))), os.getpid())

    def _scratch(self) -> str:
        """Make a folder to write in, where the profile has none of its own."""
        if self.profile.name not in {"landlock", "seatbelt"}:
            return ""
        return tempfile.mkdtemp(prefix=f"eco-scratch-{os.getpid()}-")

    def _group(self, plan: Plan) -> Group:
        if not self.bounds or self.profile.name == "container":
            return Group(())
        return self.bounds.make(plan.limits, plan.name)


@dataclass(slots=True)
class Confined:
    """A process in a sandbox."""

    sandbox: Sandbox
    process: asyncio.subprocess.Process
    group: Group
    cleanup: tuple[str, ...]
    scratch: str
    #: Why it was ended from here.
    verdict: str = ""
    _relay: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        if self.process.stderr is not None:
            self._relay = asyncio.create_task(_relay_prints(self.process.stderr))

    def kill(self) -> None:
        """End it and all that it started, at once."""
        process = self.process
        if process.returncode is not None:
            return
        if self.sandbox.profile.name in {"landlock", "none"}:
            kill_tree(process.pid)
            if os.name == "posix":
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            process.kill()

    def set_frozen(self, frozen: bool) -> None:
        """Stop it and all that it started where they are, or let them go on."""
        set_frozen(self.process.pid, self.group.folders, self.cleanup, frozen=frozen)

    async def watch(self, task_wall_s: Callable[[], float]) -> None:
        """Kill it when it breaks a limit that the kernel does not keep; until cancelled.

        Parameters
        ----------
        task_wall_s : callable
            Says how long the slowest task has run.
        """
        sandbox = self.sandbox
        # What the kernel counts needs no poll, and an idle agent no processor.
        counted = replace(sandbox.limits, memory_bytes=None) if sandbox.bounded else sandbox.limits
        measured = not sandbox.bounded or sandbox.gpu
        pause_s = _WATCH_S
        while True:
            await asyncio.sleep(pause_s)
            seen = Usage(task_wall_s=task_wall_s())
            # Between tasks there is little to see, and the owner's processor to spare.
            pause_s = _WATCH_S if seen.task_wall_s else _IDLE_WATCH_S
            if measured:
                found = await asyncio.to_thread(measure, self.process.pid, sandbox.gpu)
                seen = replace(found, task_wall_s=seen.task_wall_s)
            verdict = excess(seen, counted)
            if verdict:
                self.verdict = verdict
                self.kill()
                return

    async def close(self) -> None:
        """End it, kill what it left behind, and remove its scratch."""
        process = self.process
        if process.stdin is not None:
            process.stdin.close()
        self.kill()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _END_S)
        if self.cleanup:
            await asyncio.to_thread(_run_quietly, self.cleanup)
        if not self.verdict and self.group.ran_out_of_memory():
            self.verdict = out_of_memory(self.sandbox.limits)
        await asyncio.to_thread(self.group.close)
        await asyncio.to_thread(_remove, self.scratch)
        if self._relay is not None:
            self._relay.cancel()

    def why(self) -> str:
        """Say why it ended, after :meth:`close`."""
        return self.verdict or status_text(self.process.returncode)


def status_text(status: int | None) -> str:
    """Return an exit status in words; shells and bwrap add 128 to a signal."""
    if status is None:
        return "it does not end"
    number = -status if status < 0 else status - _SHELL_SIGNAL
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(number).name}"
    return f"exit status {status}"


async def _relay_prints(stream: asyncio.StreamReader) -> None:
    """Pass on what tasks print, without what could drive a terminal; always read all of it."""
    left = _PRINTED_BYTES_MAX
    while chunk := await stream.read(1 << 16):
        shown = chunk[:left]
        left -= len(shown)
        for line in shown.decode(errors="replace").splitlines():
            sys.stderr.write(f"[task] {clean(line, 500)}\n")
        if shown and not left:
            logger.warning("The runner prints more than %d bytes: the rest is dropped", left)


def _remove(folder: str) -> None:
    if folder:
        # Links in it are removed, not followed.
        shutil.rmtree(folder, ignore_errors=True)


def _run_quietly(command: tuple[str, ...]) -> None:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(command, capture_output=True, check=False, timeout=30.0)  # noqa: S603
