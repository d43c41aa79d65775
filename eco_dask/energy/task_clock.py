"""Times the tasks of one process: CPU time of their threads and wall time, since last asked.

    with clock.running(key): ...        clock.drain() ─► uses since the last drain, keys that ended

Around each task, in the thread that runs it. CPU time is exact where a task ends; of one that still
runs it is read from outside where the system allows it, and elsewhere wall time stands in: there a
long task that sleeps weighs too much until it ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from eco_dask.energy.attribution import TaskUse

#: CPU time of a running thread by its ident, nanoseconds; None where it cannot be read.
ThreadCpu = Callable[[int], int | None]


@dataclass(frozen=True, slots=True)
class Drained:
    """What tasks did since the last drain."""

    uses: tuple[TaskUse, ...]
    #: Keys of tasks that ended; their uses are complete with this drain.
    ended: tuple[str, ...]


@dataclass(slots=True)
class _Timed:
    slots: int
    gpus: frozenset[str]
    ident: int
    #: CPU and wall clock up to which uses were drained.
    cpu_from_ns: int
    wall_from_ns: int
    #: What is not drained yet; filled when the task ends, so that nothing of it is lost.
    cpu_ns: int = 0
    wall_ns: int = 0
    has_ended: bool = False


class TaskClock:
    """The tasks of this process; safe to use from all of its threads."""

    def __init__(self, thread_cpu: ThreadCpu | None = None) -> None:
        self._thread_cpu = thread_cpu or system_thread_cpu
        self._lock = threading.Lock()
        self._timed: dict[str, _Timed] = {}

    @contextmanager
    def running(
        self, key: str, slots: int = 1, gpus: frozenset[str] = frozenset()
    ) -> Iterator[None]:
        """Time what runs inside as one task.

        Raises
        ------
        ValueError
            A task of this key runs already, or ended and was not drained yet.
        """
        timed = _Timed(
            slots, gpus, threading.get_ident(), time.thread_time_ns(), time.perf_counter_ns()
        )
        with self._lock:
            if key in self._timed:
                raise ValueError(f"task {key!r} is timed already: keys are unique until drained")
            self._timed[key] = timed
        try:
            yield
        finally:
            # Under the lock: while it is held elsewhere this thread is being read and must live.
            with self._lock:
                timed.cpu_ns = max(0, time.thread_time_ns() - timed.cpu_from_ns)
                timed.wall_ns = time.perf_counter_ns() - timed.wall_from_ns
                timed.has_ended = True

    def drain(self) -> Drained:
        """Return what happened since the last call, and forget tasks that ended."""
        uses, ended = [], []
        with self._lock:
            now_ns = time.perf_counter_ns()
            for key, timed in self._timed.items():
                if timed.has_ended:
                    cpu_ns, wall_ns = timed.cpu_ns, timed.wall_ns
                    ended.append(key)
                else:
                    cpu_ns, wall_ns = self._so_far(timed, now_ns)
                uses.append(TaskUse(key, cpu_ns, wall_ns, timed.slots, timed.gpus))
            for key in ended:
                del self._timed[key]
        return Drained(tuple(uses), tuple(ended))

    def _so_far(self, timed: _Timed, now_ns: int) -> tuple[int, int]:
        wall_ns = max(0, now_ns - timed.wall_from_ns)
        timed.wall_from_ns += wall_ns
        cpu_now_ns = self._thread_cpu(timed.ident)
        # Wall time is never less than the thread's own, so what follows makes up for no lack.
        cpu_ns = wall_ns if cpu_now_ns is None else max(0, cpu_now_ns - timed.cpu_from_ns)
        timed.cpu_from_ns += cpu_ns
        return cpu_ns, wall_ns


def system_thread_cpu(ident: int) -> int | None:
    """CPU time of another thread of this process, nanoseconds; None where there is no such clock.

    Linux only: Windows and macOS tell a thread's time to that thread alone.
    """
    if not hasattr(time, "pthread_getcpuclockid"):
        return None
    try:
        return time.clock_gettime_ns(time.pthread_getcpuclockid(ident))
    except OSError:
        # A system may have the call and refuse it.
        return None
