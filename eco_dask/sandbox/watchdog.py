"""What a control group does not bound: seen from outside, and judged.

process tree ──measure──► Usage ──excess(Usage, Limits)──► why the runner must end, or None
"""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from eco_dask.sandbox.limits import Limits, size_text


@dataclass(frozen=True, slots=True)
class Usage:
    """What a runner and all it started use now."""

    memory_bytes: int = 0
    gpu_memory_bytes: int = 0
    processes: int = 0
    #: How long the slowest task has run.
    task_wall_s: float = 0.0


def excess(usage: Usage, limits: Limits) -> str | None:
    """Say which limit is broken and how; None if none is."""
    sizes = (
        ("memory", usage.memory_bytes, limits.memory_bytes),
        ("GPU memory", usage.gpu_memory_bytes, limits.gpu_memory_bytes),
    )
    for name, used_bytes, limit_bytes in sizes:
        if limit_bytes is not None and used_bytes > limit_bytes:
            return (
                f"it used {size_text(used_bytes)} of {name}; the owner of this machine allows "
                f"{size_text(limit_bytes)}"
            )
    if usage.processes > limits.processes:
        return (
            f"it had {usage.processes} processes and threads; the owner of this machine allows "
            f"{limits.processes}"
        )
    if limits.task_wall_s is not None and usage.task_wall_s > limits.task_wall_s:
        return (
            f"a task ran for {usage.task_wall_s:.3g} s; the owner of this machine allows "
            f"{limits.task_wall_s:g} s"
        )
    return None


def out_of_memory(limits: Limits) -> str:
    """Say that the kernel ended a runner for its memory."""
    allowed = size_text(limits.memory_bytes)
    allows = f"; the owner of this machine allows {allowed}" if allowed else ""
    return f"it ran out of memory{allows}"


def measure(pid: int, gpu: bool = False) -> Usage:
    """Measure a process and all below it; what ends meanwhile counts as nothing."""
    memory_bytes = processes = 0
    pids = set()
    for process in _tree(pid):
        try:
            with process.oneshot():
                memory_bytes += process.memory_info().rss
                processes += process.num_threads()
            pids.add(process.pid)
        except psutil.Error:
            continue
    return Usage(memory_bytes, _gpu_memory_bytes(pids) if gpu else 0, processes)


def kill_tree(pid: int) -> None:
    """Kill a process and all below it."""
    # Children first: what has no parent any more is not found below it.
    for process in reversed(_tree(pid)):
        try:
            process.kill()
        except psutil.Error:
            continue


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def _gpu_memory_bytes(pids: set[int]) -> int:
    import pynvml

    used_bytes = 0
    try:
        pynvml.nvmlInit()
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle):
                if process.pid in pids:
                    # None where the driver does not tell, as on Windows.
                    used_bytes += process.usedGpuMemory or 0
        pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return 0
    return used_bytes
