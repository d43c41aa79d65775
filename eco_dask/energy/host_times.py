"""CPU time of this host and of the worker's processes, as the system counts it.

psutil, /proc ──HostTimes.read──► CpuTimesNs
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from eco_dask.energy.readers.load_model import host_cpu_times

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class CpuTimesNs:
    """CPU time since some start, nanoseconds."""

    busy_ns: int
    #: All CPUs, busy or not.
    total_ns: int
    #: The worker and what it started.
    worker_ns: int
    #: The worker's own threads.
    service_ns: int


class HostTimes:
    """Reads CPU times of the host and of the worker's processes.

    Parameters
    ----------
    runners : callable, optional
        Process ids of the runners now; None if tasks run in this process. What is below them
        counts with them: sandboxes stand between.
    """

    def __init__(self, runners: Callable[[], Iterable[int]] | None = None) -> None:
        self._runners = runners
        self._own = psutil.Process()
        self._known: dict[int, tuple[psutil.Process, float]] = {}
        self._below: dict[int, psutil.Process] = {}
        self._ended_s = 0.0

    def read(self) -> CpuTimesNs:
        """Read all of them now."""
        host = host_cpu_times()
        times = self._own.cpu_times()
        own_s = times.user + times.system
        runners_s = self._runners_s()
        # Where tasks run elsewhere, all of this process serves them; else only this thread does.
        service_ns = time.thread_time_ns() if self._runners is None else _ns(own_s)
        return CpuTimesNs(_ns(host.busy_s), _ns(host.total_s), _ns(own_s + runners_s), service_ns)

    def _runners_s(self) -> float:
        """Sum over runners, and those that ended up to when they were last seen."""
        seen: dict[int, tuple[psutil.Process, float]] = {}
        for pid in self._runners() if self._runners is not None else ():
            try:
                process = self._known[pid][0] if pid in self._known else psutil.Process(pid)
                seen[pid] = process, self._tree_s(process)
            except psutil.NoSuchProcess:
                continue
        self._ended_s += sum(it[1] for pid, it in self._known.items() if pid not in seen)
        self._known = seen
        return self._ended_s + sum(it[1] for it in seen.values())

    def _tree_s(self, root: psutil.Process) -> float:
        # What ended below shows as children's time of the process that waited for it.
        total_s = sum(root.cpu_times()[:4])
        below: dict[int, psutil.Process] = {}
        for pid in _pids_below(root):
            with contextlib.suppress(psutil.Error):
                process = self._below.get(pid) or psutil.Process(pid)
                total_s += sum(process.cpu_times()[:4])
                below[pid] = process
        self._below = below
        return total_s


def _pids_below(root: psutil.Process) -> list[int]:
    """Process ids of all that a process started, and so on; by Linux's cheap list of them."""
    tasks = Path(f"/proc/{root.pid}/task")
    if not tasks.is_dir():
        return [it.pid for it in root.children(recursive=True)]
    found: list[int] = []
    pending = [root.pid]
    while pending:
        for children in Path(f"/proc/{pending.pop()}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                pids = [int(pid) for pid in children.read_text().split()]
                found += pids
                pending += pids
    return found


def _ns(seconds: float) -> int:
    return round(seconds * _NS_PER_S)
