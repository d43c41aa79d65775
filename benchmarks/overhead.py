"""What verification and untrusted providers cost, as ratios against plain distributed.

    LocalCluster(2 processes of 1 thread) ──┐
                                            ├─ same tasks, in turns ──► ratios
    EcoCluster(2 providers of 1 slot)     ──┘

Figures
-------
noop_rate_ratio_q1, noop_rate_ratio_q2
    Tasks per second of tasks that do nothing (``client.map`` to the end of ``gather``), at a quorum
    of 1 and 2, over plain Dask's. The task is a function of ``__main__``, as in a notebook.
efficiency_100ms_q1
    Tasks that wait 100 ms each: ideal time over measured time. They sleep instead of computing, so
    that other programs on the machine do not count as overhead; scheduling, transport, checking and
    booking do.
work_ratio_q2
    Work bought at a quorum of 2 over a quorum of 1. Tasks of three sizes run as one job each; their
    attempts (``job.report()``) are weighted with the CPU time of one such task alone, so that an
    extra attempt of a large task counts for more.
cpu_ratio_q2
    The same tasks: CPU seconds of all provider processes, agents included, over those at quorum 1.
bandwidth_ratio_50mb
    Bytes per second of 50 MB chunks that one task makes and another one sums, at a quorum of 1 over
    plain Dask. Plain Dask leaves a chunk in the memory of the process that made it; here each chunk
    is hashed, travels to the gateway, and stays in the provider's cache for the task that sums it.
noop_tasks_per_s_plain, bandwidth_mb_per_s_q1
    For orientation, what two of the ratios stand for on this machine.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
from common import finish, median_ratio, parse_options, rounds, say
from distributed import Client, LocalCluster

import eco_dask

GOALS = {
    "noop_rate_ratio_q1": ">= 0.8",
    "efficiency_100ms_q1": ">= 0.95",
    "work_ratio_q2": "<= 2.1",
}

PROVIDERS = 2
WAIT_S = 0.1
CHUNK_BYTES = 50_000_000
#: Loops of a task that computes; about 5, 20 and 80 ms of CPU.
WORK_STEPS = (50_000, 200_000, 800_000)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    noop_tasks: int
    wait_tasks: int
    #: Tasks of each size that compute.
    work_tasks: int
    chunks: int
    noop_rounds: int
    other_rounds: int
    #: Longest that the rounds of one measurement may take, beyond the first two.
    budget_s: float


FULL = Sizes(
    noop_tasks=2000,
    wait_tasks=128,
    work_tasks=24,
    chunks=8,
    noop_rounds=7,
    other_rounds=3,
    budget_s=120.0,
)
QUICK = Sizes(
    noop_tasks=400,
    wait_tasks=64,
    work_tasks=6,
    chunks=4,
    noop_rounds=4,
    other_rounds=1,
    budget_s=15.0,
)


@dataclass(frozen=True, slots=True)
class Networks:
    """The two that are compared; both are up all the time, only one of them works."""

    plain: Client
    eco: Client


@contextmanager
def networks() -> Iterator[Networks]:
    """Start plain Dask and eco_dask side by side."""
    say(f"starting {PROVIDERS} plain workers and {PROVIDERS} providers")
    with (
        LocalCluster(
            n_workers=PROVIDERS,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            scheduler_kwargs={"dashboard": False},
        ) as local,
        # Without trusted workers, which would be more hands than plain Dask has.
        eco_dask.EcoCluster(PROVIDERS, trusted_workers=0, dashboard_address=None) as cluster,
        Client(local, set_as_default=False) as plain,
        Client(cluster, set_as_default=False) as eco,
    ):
        yield Networks(plain, eco)


# ---------------------------------------------------------------------- tasks


def do_nothing(i: int) -> int:
    """Cost nothing."""
    return i


def wait(i: int) -> int:
    """Take 100 ms and no CPU."""
    time.sleep(WAIT_S)
    return i


def compute(i: int, steps: int) -> int:
    """Cost CPU in proportion to ``steps``."""
    for _ in range(steps):
        i = (i * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
    return i


def make_chunk(i: int) -> np.ndarray:
    """Return 50 MB."""
    return np.full(CHUNK_BYTES // 8, float(i))


def sum_chunk(chunk: np.ndarray) -> float:
    """Reduce a chunk to a number."""
    return float(chunk.sum())


# ---------------------------------------------------------------------- measuring


def timed(client: Client, run: Callable[[Client], Sequence[object]], expected: object) -> float:
    """Return the seconds that a computation takes, once its result is known to be right."""
    started_s = time.perf_counter()
    result = run(client)
    elapsed_s = time.perf_counter() - started_s
    if result != expected:
        raise RuntimeError("a benchmark's tasks gave a wrong result; its time means nothing")
    _settle(client)
    return elapsed_s


def _settle(client: Client, timeout_s: float = 10.0) -> None:
    """Wait until the scheduler has forgotten the tasks: that is work for the next one's clock."""
    ends_s = time.monotonic() + timeout_s
    while client.run_on_scheduler(_count_tasks) and time.monotonic() < ends_s:
        time.sleep(0.02)


def _count_tasks(dask_scheduler: Any) -> int:
    return len(dask_scheduler.tasks)


def mapped(function: Callable[..., object], n: int, **options: object) -> Callable[[Client], Any]:
    """Return a computation of ``n`` distinct tasks."""

    def run(client: Client) -> Any:
        return client.gather(client.map(function, range(n), pure=False, **options))

    return run


def measure_noop(nets: Networks, sizes: Sizes) -> dict[str, float]:
    """Compare tasks that do nothing."""
    n = sizes.noop_tasks
    run, expected = mapped(do_nothing, n), list(range(n))
    rates: list[tuple[float, float, float]] = []
    for number in rounds(sizes.noop_rounds, sizes.budget_s):
        plain = n / timed(nets.plain, run, expected)
        with eco_dask.job("no-op", quorum=1):
            single = n / timed(nets.eco, run, expected)
        with eco_dask.job("no-op twice", quorum=2):
            double = n / timed(nets.eco, run, expected)
        say(f"no-op tasks/s: plain {plain:.0f}, quorum 1 {single:.0f}, quorum 2 {double:.0f}")
        if number:  # the first round warms up
            rates.append((plain, single, double))
    return {
        "noop_rate_ratio_q1": median_ratio((single, plain) for plain, single, _ in rates),
        "noop_rate_ratio_q2": median_ratio((double, plain) for plain, _, double in rates),
        "noop_tasks_per_s_plain": statistics.median(plain for plain, _, _ in rates),
    }


def measure_efficiency(nets: Networks, sizes: Sizes) -> dict[str, float]:
    """Measure how near tasks of 100 ms come to keeping all providers busy."""
    ideal_s = sizes.wait_tasks * WAIT_S / PROVIDERS
    efficiencies = []
    with eco_dask.job("wait", quorum=1):
        timed(nets.eco, mapped(wait, PROVIDERS), list(range(PROVIDERS)))
        for _ in range(sizes.other_rounds):
            run, expected = mapped(wait, sizes.wait_tasks), list(range(sizes.wait_tasks))
            efficiencies.append(ideal_s / timed(nets.eco, run, expected))
            say(f"tasks of 100 ms: {efficiencies[-1]:.1%} of the ideal")
    return {"efficiency_100ms_q1": statistics.median(efficiencies)}


def measure_work(nets: Networks, sizes: Sizes) -> dict[str, float]:
    """Compare what is computed at a quorum of 2 with what is computed at 1."""
    weights_s = [_cpu_alone_s(steps) for steps in WORK_STEPS]
    jobs: dict[int, list[Any]] = {1: [], 2: []}
    cpu_s = dict.fromkeys(jobs, 0.0)
    for _ in range(sizes.other_rounds):
        for quorum, done in jobs.items():
            before_s = _providers_cpu_s()
            for steps in WORK_STEPS:
                expected = [compute(i, steps) for i in range(sizes.work_tasks)]
                with eco_dask.job(f"compute {steps}", quorum=quorum) as job:
                    timed(nets.eco, mapped(compute, sizes.work_tasks, steps=steps), expected)
                done.append(job)
            cpu_s[quorum] += _providers_cpu_s() - before_s
    # Asked at the end, so that an attempt that was late is counted as well.
    work_s = {
        quorum: sum(
            job.report(nets.eco).attempts * weights_s[i % len(weights_s)]
            for i, job in enumerate(done)
        )
        for quorum, done in jobs.items()
    }
    say(f"work: {work_s[1]:.1f} s at quorum 1, {work_s[2]:.1f} s at quorum 2")
    return {"work_ratio_q2": work_s[2] / work_s[1], "cpu_ratio_q2": cpu_s[2] / cpu_s[1]}


def _cpu_alone_s(steps: int, times: int = 5) -> float:
    costs_s = []
    for _ in range(times):
        started_s = time.process_time()
        compute(1, steps)
        costs_s.append(time.process_time() - started_s)
    return min(costs_s)


def _providers_cpu_s() -> float:
    """Return the CPU seconds that the agents and their runners have used so far."""
    total_s = 0.0
    for process in psutil.Process().children(recursive=True):
        if {"eco_dask.cli.worker", "eco_dask.agent.runner"} & set(process.cmdline()):
            times = process.cpu_times()
            total_s += times.user + times.system
    return total_s


def measure_bandwidth(nets: Networks, sizes: Sizes) -> dict[str, float]:
    """Compare bytes per second of large chunks from one task to the next."""
    expected = [float(i) * (CHUNK_BYTES // 8) for i in range(sizes.chunks)]

    def run(client: Client) -> Any:
        chunks = client.map(make_chunk, range(sizes.chunks), pure=False)
        return client.gather(client.map(sum_chunk, chunks, pure=False))

    rates: list[tuple[float, float]] = []
    with eco_dask.job("chunks", quorum=1):
        for number in rounds(sizes.other_rounds, sizes.budget_s):
            plain, eco = (
                sizes.chunks * CHUNK_BYTES / 1e6 / timed(client, run, expected)
                for client in (nets.plain, nets.eco)
            )
            say(f"50 MB chunks: plain {plain:.0f} MB/s, quorum 1 {eco:.0f} MB/s")
            if number:  # the first round warms up
                rates.append((eco, plain))
    return {
        "bandwidth_ratio_50mb": median_ratio(rates),
        "bandwidth_mb_per_s_q1": statistics.median(eco for eco, _ in rates),
    }


def main() -> None:
    """Measure everything and print the figures."""
    sizes = QUICK if parse_options(__doc__).quick else FULL
    figures: dict[str, float] = {}
    with networks() as nets:
        for measure in (measure_noop, measure_efficiency, measure_work, measure_bandwidth):
            figures |= measure(nets, sizes)
    finish("overhead", figures)


if __name__ == "__main__":
    main()
