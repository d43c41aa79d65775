"""What a sandbox costs a runner: its start, a task, 100 ms of work, and 100 MB in and out.

each profile that works here ──► one real runner ──► median of each ──► JSON, printed last
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from dask._task_spec import Task, TaskRef

from eco_dask.agent.runner_process import RunnerProcess, RunnerRule, Work
from eco_dask.errors import ConfigurationError
from eco_dask.gateway.packing import pack
from eco_dask.sandbox.choose import choose
from eco_dask.sandbox.launch import SandboxRule
from eco_dask.sandbox.limits import Limits
from eco_dask.sandbox.start import Sandbox
from eco_dask.values import encode

PROFILES = ("none", "landlock", "bwrap")
MB_100 = np.ones(12_500_000)


def busy(wall_s: float) -> float:
    """Work for a while, on the processor."""
    end_s, x = time.perf_counter() + wall_s, 1.0
    while time.perf_counter() < end_s:
        x = x * 1.0000001
    return x


def work(function: Callable, *args: object, **inputs: object) -> Work:
    """A task as the agent feeds it."""
    references = [TaskRef(key) for key in inputs]
    package = pack(
        Task("task", function, *args, *references), {k: encode(v) for k, v in inputs.items()}
    )
    joined = {digest: b"".join(parts) for digest, parts in package.blobs.items()}
    inputs_bytes = tuple(joined[d] for d in package.inputs)
    return Work("task", package.task, inputs_bytes, tuple(joined[d] for d in package.constants))


async def round_trips(sandbox: Sandbox, tasks: dict[str, tuple[Work, int]]) -> dict[str, float]:
    """Median seconds of each task, and of the runner's start."""
    answered = asyncio.Event()
    runner = RunnerProcess(
        RunnerRule(1, sandbox=sandbox), lambda _: answered.set(), lambda *_: answered.set()
    )
    started_s = time.perf_counter()
    running = asyncio.create_task(runner.run())
    await runner.ready.wait()
    medians = {"start_s": time.perf_counter() - started_s}
    for name, (task, n) in tasks.items():
        times_s = []
        for _ in range(n + 1):
            answered.clear()
            at_s = time.perf_counter()
            runner.feed(task)
            await answered.wait()
            times_s.append(time.perf_counter() - at_s)
        # The first imports, and is not counted.
        medians[name] = statistics.median(times_s[1:])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return medians


def main() -> None:
    """Measure every profile three times in turn, so that a drift of the machine hits all."""
    tasks = {
        "empty_task_s": (work(abs, -1), 300),
        "work_100_ms_s": (work(busy, 0.1), 15),
        "in_100_mb_s": (work(len, x=MB_100), 5),
        "out_100_mb_s": (work(np.ones, 12_500_000), 5),
    }
    found: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(3):
            for name in PROFILES:
                rule = SandboxRule(name, trust=True, limits=Limits(cores=1, memory_bytes=2 << 30))
                try:
                    at_s = time.perf_counter()
                    sandbox = choose(rule, Path(folder))
                except ConfigurationError as error:
                    print(f"{name}: {error}")
                    continue
                chosen_s = time.perf_counter() - at_s
                medians = asyncio.run(round_trips(sandbox, tasks)) | {"choose_s": chosen_s}
                found.setdefault(name, []).append(medians)
    figures = {
        name: {k: round(min(run[k] for run in runs), 5) for k in runs[0]}
        for name, runs in found.items()
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
