"""What a runner may use, and how that is said to rlimits, control groups and systemd.

Limits ──► rlimits | files of a cgroup (v1, v2) | systemd-run's properties
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eco_dask.errors import ConfigurationError

_PERIOD_US = 100_000
#: Less than this and Python with numpy does not even start.
MEMORY_BYTES_MIN = 128 << 20
PROCESSES_MIN = 8
#: Open files: more than numerics needs, less than hurts the machine.
_FILES_MAX = 4096
_LOCKED_BYTES_MAX = 64 << 10


@dataclass(frozen=True, slots=True)
class Limits:
    """What the runner of one provider may use; None is no limit.

    Raises
    ------
    ConfigurationError
        If a limit is too small for anything to run, or no share.
    """

    #: Cores' worth of time.
    cores: int | None = None
    #: Share of these cores that may be busy, above 0 to 1.
    cpu_share: float = 1.0
    memory_bytes: int | None = None
    gpu_memory_bytes: int | None = None
    #: Scratch space, in memory.
    disk_bytes: int = 1 << 30
    #: Processes and threads.
    processes: int = 512
    #: Longest run of one task.
    task_wall_s: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.cpu_share <= 1:
            raise ConfigurationError(f"a CPU share is above 0 and at most 1; got {self.cpu_share}")
        if self.memory_bytes is not None and self.memory_bytes < MEMORY_BYTES_MIN:
            raise ConfigurationError(
                f"a runner needs at least {MEMORY_BYTES_MIN >> 20} MiB; got a memory limit of "
                f"{self.memory_bytes} bytes"
            )
        if self.processes < PROCESSES_MIN:
            raise ConfigurationError(
                f"a runner needs at least {PROCESSES_MIN} processes and threads; "
                f"got {self.processes}"
            )
        positive = {
            "cores": self.cores,
            "GPU memory": self.gpu_memory_bytes,
            "disk": self.disk_bytes,
            "wall time of a task": self.task_wall_s,
        }
        for name, value in positive.items():
            if value is not None and value <= 0:
                raise ConfigurationError(f"the limit of {name} must be above 0; got {value}")

    @property
    def cpu_cores(self) -> float | None:
        """Cores' worth of time after throttling, None if neither is limited."""
        if self.cores is None:
            return None
        return self.cores * self.cpu_share


def rlimits(limits: Limits, *, bounded: bool, gpu: bool = False) -> dict[str, int]:
    """Return the resource limits that a runner sets on itself before it runs anything.

    Parameters
    ----------
    limits : Limits
        What it may use.
    bounded : bool
        Whether a control group counts memory and processes, which it does better.
    gpu : bool
        Whether CUDA runs, which reserves address space beyond any memory limit.
    """
    result = {
        "RLIMIT_CORE": 0,
        "RLIMIT_MEMLOCK": _LOCKED_BYTES_MAX,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_NOFILE": _FILES_MAX,
        # The kernel ignores it for root, whom a control group bounds.
        "RLIMIT_NPROC": limits.processes,
    }
    if not bounded:
        # One file, or one piece of memory without a name.
        result["RLIMIT_FSIZE"] = limits.disk_bytes
        if limits.memory_bytes is not None and not gpu:
            # Not RLIMIT_AS: threads reserve address space that they never use.
            result["RLIMIT_DATA"] = limits.memory_bytes
    if gpu:
        del result["RLIMIT_MEMLOCK"]
    return result


def cgroup_v2_files(limits: Limits) -> dict[str, str]:
    """Return what to write into the files of a control group, version 2."""
    files = {"pids.max": str(limits.processes)}
    if limits.memory_bytes is not None:
        files |= {
            "memory.max": str(limits.memory_bytes),
            "memory.swap.max": "0",
            # A runner that lost one process is of no use.
            "memory.oom.group": "1",
        }
    if limits.cpu_cores is not None:
        files["cpu.max"] = f"{max(1000, round(limits.cpu_cores * _PERIOD_US))} {_PERIOD_US}"
    return files


def cgroup_v1_files(limits: Limits) -> dict[str, dict[str, str]]:
    """Return what to write into the files of control groups, version 1, by controller."""
    files: dict[str, dict[str, str]] = {"pids": {"pids.max": str(limits.processes)}}
    if limits.memory_bytes is not None:
        size = str(limits.memory_bytes)
        # In this order: memory and swap together may not be less than memory.
        files["memory"] = {"memory.limit_in_bytes": size, "memory.memsw.limit_in_bytes": size}
    if limits.cpu_cores is not None:
        quota_us = max(1000, round(limits.cpu_cores * _PERIOD_US))
        files["cpu"] = {"cpu.cfs_period_us": str(_PERIOD_US), "cpu.cfs_quota_us": str(quota_us)}
    return files


def systemd_properties(limits: Limits) -> dict[str, str]:
    """Return the properties of a transient scope."""
    properties = {"TasksMax": str(limits.processes), "TimeoutStopSec": "1"}
    if limits.memory_bytes is not None:
        properties |= {"MemoryMax": str(limits.memory_bytes), "MemorySwapMax": "0"}
    if limits.cpu_cores is not None:
        properties["CPUQuota"] = f"{max(1, round(limits.cpu_cores * 100))}%"
    return properties


def scope_command(limits: Limits, name: str) -> tuple[str, ...]:
    """Return the command that puts what follows it into a scope of the user's own systemd."""
    options = [
        word for item in systemd_properties(limits).items() for word in ("-p", "=".join(item))
    ]
    return ("systemd-run", "--user", "--scope", "--quiet", "--collect", f"--unit={name}", *options)


def joining_command(procs_files: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command that puts itself into control groups and becomes what follows it."""
    if not procs_files:
        return ()
    script = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 125; shift; done; shift; exec "$@"'
    return ("/bin/sh", "-c", script, "eco-dask-limits", *procs_files, "--")


def pinning_command(limits: Limits, allowed: tuple[int, ...], turn: int) -> tuple[str, ...]:
    """Return the command that keeps what follows it on as many cores as it may use.

    Parameters
    ----------
    limits : Limits
        What it may use.
    allowed : tuple of int
        Numbers of the cores that there are.
    turn : int
        Any number: runners with different ones start at different cores.
    """
    n = limits.cores
    if n is None or n >= len(allowed):
        return ()
    chosen = sorted(allowed[(turn + i) % len(allowed)] for i in range(n))
    return ("taskset", "--cpu-list", ",".join(map(str, chosen)))


def describe(limits: Limits) -> Mapping[str, str]:
    """Return the limits in words, for the owner."""
    words = {
        "cores": limits.cores,
        "share of CPU": f"{limits.cpu_share:.0%}" if limits.cpu_share < 1 else None,
        "memory": size_text(limits.memory_bytes),
        "GPU memory": size_text(limits.gpu_memory_bytes),
        "scratch": size_text(limits.disk_bytes),
        "processes and threads": limits.processes,
        "time of a task": f"{limits.task_wall_s:g} s" if limits.task_wall_s else None,
    }
    return {name: str(value) for name, value in words.items() if value is not None}


def size_text(size_bytes: int | None) -> str | None:
    """Return a size for people, None for none."""
    if size_bytes is None:
        return None
    if size_bytes < 1 << 30:
        return f"{size_bytes / (1 << 20):.4g} MiB"
    return f"{size_bytes / (1 << 30):.4g} GiB"
