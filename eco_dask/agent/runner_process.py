"""The agent's end of a runner: start it, feed it, hear its answers, replace it when it dies.

RunnerProcess.feed(lease) ──► runner ──► on_answer(Done | Raised) | on_death(leases, reason)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from eco_dask.agent.pipe import Buffer, PipeError, pack, read_async
from eco_dask.sandbox.start import Confined, Sandbox
from eco_dask.types import DIGEST_SIZE_BYTES, Digest, LeaseId

logger = logging.getLogger(__name__)

_RUNNER = "eco_dask.agent.runner"
#: Seconds for which a runner is kept in reserve after recruiters took turns.
_RESERVE_S = 60.0
#: Variables of the owner's that choose among the kernels of BLAS and numpy.
_NUMERICS = ("OPENBLAS_CORETYPE", "MKL_CBWR", "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES")


@dataclass(frozen=True, slots=True)
class Done:
    """A task returned a value."""

    lease: LeaseId
    digest: Digest
    parts: tuple[bytes, ...]
    cpu_s: float
    wall_s: float

    @property
    def size_bytes(self) -> int:
        """Length of the encoded value."""
        return sum(map(len, self.parts))


@dataclass(frozen=True, slots=True)
class Raised:
    """A task raised."""

    lease: LeaseId
    error_type: str
    message: str
    traceback: str
    cpu_s: float
    wall_s: float


@dataclass(frozen=True, slots=True)
class Lacks:
    """A task imports a module that this environment lacks."""

    lease: LeaseId
    module: str


@dataclass(frozen=True, slots=True)
class Work:
    """One task with everything it needs."""

    lease: LeaseId
    task: Buffer
    inputs: tuple[Buffer, ...]
    constants: tuple[Buffer, ...]
    #: Whose task it is. A runner serves one recruiter only: what one leaves behind in a process
    #: must not meet the next.
    recruiter: str = ""


@dataclass(frozen=True, slots=True)
class RunnerRule:
    """Settings of a runner."""

    slots: int = 1
    #: Threads of BLAS and OpenMP per slot.
    threads_per_slot: int = 1
    value_bytes_max: int = 4 << 30
    #: What the runner is confined to; by default, to nothing.
    sandbox: Sandbox = field(default_factory=Sandbox)


class RunnerProcess:
    """One runner; started again by itself after it died."""

    def __init__(
        self,
        rule: RunnerRule,
        on_answer: Callable[[Done | Raised | Lacks], None],
        on_death: Callable[[list[LeaseId], str], None],
    ) -> None:
        self._rule = rule
        self._on_answer = on_answer
        self._on_death = on_death
        #: Takes what the runner tells of its tasks' processor time, and may raise PipeError.
        self.on_used: Callable[[list[Any]], None] = lambda _: None
        self._confined: Confined | None = None
        self._fed: dict[LeaseId, None] = {}
        #: When each task that runs was first seen to.
        self._running_since_s: dict[LeaseId, float] = {}
        self._outgoing: asyncio.Queue[Work] = asyncio.Queue()
        #: Whom the present runner serves, None before its first task.
        self._recruiter: str | None = None
        #: Started ahead for the next recruiter, while several take turns.
        self._spare: asyncio.Task[Confined] | None = None
        self._changed_at_s = -_RESERVE_S
        self._frozen_since_s: float | None = None
        #: A runner that starts during a pause gets nothing until its end.
        self._thawed = asyncio.Event()
        self._thawed.set()
        #: Whether it ends once it is empty, as other limits hold for the next.
        self.is_ending = False
        #: The first task of the next recruiter, once the present runner's are answered.
        self._next: Work | None = None
        self._answered = asyncio.Event()
        self.ready = asyncio.Event()

    @property
    def busy(self) -> int:
        """Tasks that were fed and are not answered."""
        return len(self._fed)

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the present runner's outermost process; none between two runners."""
        return (self._confined.process.pid,) if self._confined is not None else ()

    def is_running(self, lease: LeaseId) -> bool:
        """Whether a task has started: they start in the order in which they were fed."""
        return lease in islice(self._fed, self._rule.slots)

    def kill(self) -> None:
        """End the present runner at once; its tasks are reported as lost."""
        if self._confined is not None:
            self._confined.kill()

    async def set_frozen(self, frozen: bool) -> None:
        """Stop the runner where it is, or let it go on; time in between is not the tasks'."""
        now_s = asyncio.get_running_loop().time()
        if frozen == (self._frozen_since_s is not None):
            return
        if self._frozen_since_s is not None:
            lost_s, since = now_s - self._frozen_since_s, self._running_since_s
            self._running_since_s = {lease: it + lost_s for lease, it in since.items()}
        self._frozen_since_s = now_s if frozen else None
        if frozen:
            self._thawed.clear()
        else:
            self._thawed.set()
        if self._confined is not None:
            await asyncio.to_thread(self._confined.set_frozen, frozen)

    def renew(self, rule: RunnerRule) -> None:
        """Start another runner, under another rule, as soon as this one is empty."""
        self._rule, self.is_ending = rule, True
        self._changed_at_s = -_RESERVE_S
        if not self._fed:
            self.kill()

    def feed(self, work: Work) -> None:
        """Hand a task to the runner."""
        self._fed[work.lease] = None
        self._outgoing.put_nowait(work)

    async def run(self) -> None:
        """Keep a runner alive until cancelled."""
        try:
            await self._live()
        finally:
            await self._drop_spare()

    async def _drop_spare(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            # One that never started is nothing to close.
            with contextlib.suppress(OSError):
                await (await spare).close()

    async def _live(self) -> None:
        pause_s = 0.1
        while True:
            started_s = asyncio.get_running_loop().time()
            reason = await self._one_life()
            if self._next is not None and self._recruiter is not None:
                logger.debug("Another recruiter's task is next: it gets a runner of its own")
                self._changed_at_s = asyncio.get_running_loop().time()
                continue
            renewed, self.is_ending = self.is_ending, False
            if renewed:
                await self._drop_spare()
            if renewed and not self._fed:
                logger.info("The runner starts again under other limits")
                self._on_death([], reason)
                continue
            lost, self._fed, self._outgoing = list(self._fed), {}, asyncio.Queue()
            self._next = None
            logger.warning("The runner ended (%s); %d tasks are given back", reason, len(lost))
            self._on_death(lost, reason)
            lived_s = asyncio.get_running_loop().time() - started_s
            pause_s = 0.1 if lived_s > 10 else min(pause_s * 2, 30.0)  # noqa: PLR2004  a runner that lives is healthy
            await asyncio.sleep(pause_s)

    async def _one_life(self) -> str:
        self._recruiter, spare, self._spare = None, self._spare, None
        self._confined = confined = await (spare or self._start())
        if asyncio.get_running_loop().time() - self._changed_at_s < _RESERVE_S:
            self._spare = asyncio.create_task(self._start())
        feeder = asyncio.create_task(self._feed_all(confined.process))
        guard = asyncio.create_task(confined.watch(self._longest_s))
        try:
            reason = await self._hear(confined.process)
        finally:
            self.ready.clear()
            for task in (feeder, guard):
                task.cancel()
            await confined.close()
        return confined.verdict or reason or confined.why()

    async def _start(self) -> Confined:
        rule = self._rule
        return await rule.sandbox.start(
            rule.sandbox.plan(_RUNNER, (str(rule.slots),)),
            numerics_environment(rule.threads_per_slot),
            inherited_environment(),
        )

    def _longest_s(self) -> float:
        """Return how long the slowest of the tasks that run now has run, as seen from here."""
        if self._frozen_since_s is not None:
            return 0.0
        now_s = asyncio.get_running_loop().time()
        running = islice(self._fed, self._rule.slots) if self.ready.is_set() else ()
        # Seen a poll late at most, which is to the task's advantage.
        since = {lease: self._running_since_s.get(lease, now_s) for lease in running}
        self._running_since_s = since
        return now_s - min(since.values(), default=now_s)

    async def _feed_all(self, process: asyncio.subprocess.Process) -> None:
        stdin = process.stdin
        if stdin is None:
            raise RuntimeError("the runner was started without a pipe to its input")
        await self.ready.wait()
        # A runner that died is noticed by the reader; the leases are given back there.
        with contextlib.suppress(ConnectionError):
            while True:
                work, self._next = self._next or await self._outgoing.get(), None
                if self._recruiter not in {None, work.recruiter}:
                    await self._all_answered_before(work.lease)
                    self._next = work
                    self.kill()
                    return
                await self._thawed.wait()
                self._recruiter = work.recruiter
                header = ["run", work.lease, len(work.inputs)]
                stdin.writelines(pack(header, (work.task, *work.inputs, *work.constants)))
                if self._outgoing.empty():
                    await stdin.drain()

    async def _all_answered_before(self, lease: LeaseId) -> None:
        # Leases are kept in the order in which they were fed.
        while next(iter(self._fed)) != lease:
            self._answered.clear()
            await self._answered.wait()

    async def _hear(self, process: asyncio.subprocess.Process) -> str:
        stdout = process.stdout
        if stdout is None:
            raise RuntimeError("the runner was started without a pipe from its output")
        try:
            while (message := await read_async(stdout, self._rule.value_bytes_max)) is not None:
                header, buffers = message
                if header[0] == "ready":
                    self.ready.set()
                    continue
                if header[0] == "used":
                    self.on_used(header)
                    continue
                answer = parse_answer(header, buffers)
                if self._fed.pop(answer.lease, 0) is None:
                    self._answered.set()
                    self._on_answer(answer)
                    if self.is_ending and not self._fed:
                        self.kill()
        except PipeError as error:
            return f"it broke the protocol: {error}"
        await process.wait()
        return ""


def parse_answer(header: list[Any], buffers: list[bytes]) -> Done | Raised | Lacks:
    """Read a runner's answer, which strangers' code may have forged.

    Raises
    ------
    PipeError
        If it is not of the form that :mod:`eco_dask.agent.runner` writes.
    """
    match header:
        case ["done", str(lease), bytes(digest), int(), float(cpu_s), float(wall_s)] if (
            len(digest) == DIGEST_SIZE_BYTES
        ):
            return Done(
                LeaseId(lease), Digest(digest), tuple(buffers), max(cpu_s, 0), max(wall_s, 0)
            )
        case [
            "raised",
            str(lease),
            str(kind),
            str(message),
            str(text),
            float(cpu_s),
            float(wall_s),
        ]:
            return Raised(LeaseId(lease), kind, message, text, max(cpu_s, 0), max(wall_s, 0))
        case ["lacks", str(lease), str(module), float(), float()]:
            return Lacks(LeaseId(lease), module)
        case _:
            raise PipeError(f"answer of an unknown form: {str(header)[:200]}")


def numerics_environment(threads_per_slot: int) -> dict[str, str]:
    """Return the variables that keep results equal, and threads few."""
    threads = str(threads_per_slot)
    return {
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        # Sets of strings iterate in the same order on every machine.
        "PYTHONHASHSEED": "0",
        # What the owner chose of these changes last bits, so the benchmark ran with it, too.
        **{name: os.environ[name] for name in _NUMERICS if name in os.environ},
    }


def inherited_environment() -> dict[str, str]:
    """Return the agent's environment less its settings: what an unconfined runner gets."""
    # Dask's settings may hold a database's password, and the join link is a secret.
    return {k: v for k, v in os.environ.items() if not k.upper().startswith(("ECO_DASK_", "DASK_"))}
