"""What a provider's owner feels: how soon it works, what it costs, how fast it gets out of the way.

    eco-dask-worker LINK ──► first task; paused; idle      one runner, with and without a sandbox

``sandbox_overhead_share`` compares tasks of 100 ms in the sandbox chosen here with none, in pairs.
``base_install_mb`` is a fresh environment from the package index; ``--quick`` leaves it out.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from base_install import measure_base_install
from common import Options, finish, median_ratio, parse_options, rounds, say
from distributed import Client
from sandbox import MB_100, work

from eco_dask import EcoCluster
from eco_dask.agent.runner_process import RunnerProcess, RunnerRule, Work
from eco_dask.sandbox.choose import choose
from eco_dask.sandbox.launch import SandboxRule
from eco_dask.sandbox.limits import Limits
from eco_dask.sandbox.start import Sandbox

GOALS = {
    "join_to_first_task_s": "<= 10",
    "sandbox_overhead_share": "<= 0.03",
    "pause_s": "<= 2",
    "agent_idle_cpu_share": "<= 0.01",
    "agent_rss_mb": "<= 80",
}
_TASK_S = 0.1
_MB = 1_000_000
_NETWORK = {"eco-dask.quorum.size": 1}


def busy(wall_s: float) -> float:
    """Work for a while, on the processor; here, as tasks can import no module of ours."""
    end_s, x = time.perf_counter() + wall_s, 1.0
    while time.perf_counter() < end_s:
        x = x * 1.0000001
    return x


# ------------------------------------------------------------------ a whole provider


@contextlib.contextmanager
def provider(cluster: EcoCluster, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a provider as its owner does."""
    command = [sys.executable, "-m", "eco_dask.cli.worker", "--local-directory", str(home)]
    process = subprocess.Popen(
        [*command, "--nthreads", "1", "--log-level", "warning"],
        env=os.environ | {"ECO_DASK_JOIN_LINK": str(cluster.invite("olga"))},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def order(home: Path, what: str) -> None:
    """Give the running provider an order, as its page does."""
    from eco_dask.cli.owner import ask

    ask(home, "order", {"order": what})


def state(home: Path) -> dict[str, Any]:
    """Return what the running provider says of itself."""
    from eco_dask.cli.owner import ask

    return ask(home, "state")


def until(fact: Any, timeout_s: float = 60.0) -> float:
    """Wait for a fact; return how long it took, in seconds."""
    started_s = time.monotonic()
    while not fact():
        if time.monotonic() - started_s > timeout_s:
            raise TimeoutError("the provider did not do what was waited for")
        time.sleep(0.01)
    return time.monotonic() - started_s


def still(pid: int) -> bool:
    """Whether every process below an agent is stopped, or frozen by its control group."""
    below = psutil.Process(pid).children(recursive=True)
    if below and all(p.status() == psutil.STATUS_STOPPED for p in below):
        return True
    flags = [Path(f"/proc/{p.pid}/cgroup").read_text().rpartition("::")[2] for p in below]
    frozen = [Path(f"/sys/fs/cgroup{flag.strip()}/cgroup.events") for flag in flags]
    return bool(below) and all(f.exists() and "frozen 1" in f.read_text() for f in frozen)


def measure_provider(options: Options, folder: Path) -> dict[str, float]:
    """Join, first task, pause, idle, restart of the runner."""
    figures: dict[str, float] = {}
    joins = []
    with (
        EcoCluster(
            n_providers=0, trusted_workers=0, dashboard_address=None, config=_NETWORK
        ) as cluster,
        Client(cluster.scheduler_address) as client,
    ):
        for number in range(1 if options.quick else 3):
            home = folder / f"provider-{number}"
            future = client.submit(pow, 2, 10, pure=False)
            started_s = time.monotonic()
            with provider(cluster, home) as process:
                future.result(timeout=120)
                joins.append(time.monotonic() - started_s)
                if number == 0:
                    figures |= measure_running(client, home, process.pid, quick=options.quick)
            say(f"joined and first task in {joins[-1]:.2f} s")
    return {"join_to_first_task_s": statistics.median(joins), **figures}


def measure_running(client: Client, home: Path, pid: int, *, quick: bool) -> dict[str, float]:
    """Pause latency, idle cost and runner restart of a provider that is there."""
    pauses = []
    for _ in range(3 if quick else 10):
        # It ends by itself after the pause, so that the next one finds a warm runner.
        future = client.submit(busy, 2.0, pure=False)
        until(lambda: any(task["running"] for task in state(home)["tasks"]))
        asked_s = time.monotonic()
        order(home, "pause")
        until(lambda: still(pid))
        pauses.append(time.monotonic() - asked_s)
        order(home, "run")
        future.result(timeout=120)
    say(f"paused within {max(pauses):.2f} s")
    span_s = 10.0 if quick else 60.0
    agent = psutil.Process(pid)
    time.sleep(3.0)
    before_s = sum(agent.cpu_times()[:2])
    time.sleep(span_s)
    idle_share = (sum(agent.cpu_times()[:2]) - before_s) / span_s
    memory = agent.memory_full_info()
    return {
        "pause_s": max(pauses),
        "agent_idle_cpu_share": idle_share,
        "agent_rss_mb": memory.rss / _MB,
        "agent_uss_mb": memory.uss / _MB,
    }


# ------------------------------------------------------------------ one runner


def sandboxes(folder: Path) -> tuple[Sandbox, Sandbox]:
    """Return the sandbox chosen here, and none."""
    limits = Limits(cores=1, memory_bytes=2 << 30)
    chosen = choose(SandboxRule("auto", trust=True, limits=limits), folder)
    return chosen, choose(SandboxRule("none", trust=True, limits=limits), folder)


class Bench:
    """One runner, asked task after task."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._answered = asyncio.Event()
        self.runner = RunnerProcess(
            RunnerRule(1, sandbox=sandbox),
            lambda _: self._answered.set(),
            lambda *_: self._died.set(),
        )
        self._running = asyncio.create_task(self.runner.run())
        self._died = asyncio.Event()

    async def seconds_of(self, task: Work) -> float:
        """Run a task; return its round trip."""
        await self.runner.ready.wait()
        self._answered.clear()
        at_s = time.perf_counter()
        self.runner.feed(task)
        await self._answered.wait()
        return time.perf_counter() - at_s

    async def restart_s(self) -> float:
        """Kill the runner; return how long until the next one is ready."""
        await self.runner.ready.wait()
        at_s = time.perf_counter()
        self._died.clear()
        self.runner.kill()
        await self._died.wait()
        await self.runner.ready.wait()
        return time.perf_counter() - at_s

    async def close(self) -> None:
        """End the runner."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)


async def measure_sandbox(options: Options, folder: Path) -> dict[str, float]:
    """Compare a sandbox with none, turn by turn."""
    chosen, none = await asyncio.to_thread(sandboxes, folder)
    say(f"the sandbox here is {chosen.profile.name}")
    inside, outside = Bench(chosen), Bench(none)
    small, large = work(busy, _TASK_S), work(len, x=MB_100)
    pairs, large_pairs = [], []
    try:
        for number in rounds(15 if options.quick else 60, 8.0 if options.quick else 60.0):
            pair = (await inside.seconds_of(small), await outside.seconds_of(small))
            large_pair = (await inside.seconds_of(large), await outside.seconds_of(large))
            if number:
                pairs.append(pair)
                large_pairs.append(large_pair)
        restarts = [await inside.restart_s() for _ in range(2 if options.quick else 5)]
    finally:
        await inside.close()
        await outside.close()
    return {
        "sandbox_overhead_share": median_ratio(pairs) - 1,
        "sandbox_overhead_100_mb_s": statistics.median(a - b for a, b in large_pairs),
        "runner_restart_s": statistics.median(restarts),
    }


def main() -> None:
    """Measure, and print the figures last."""
    options = parse_options(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure_provider(options, Path(folder))
        figures |= asyncio.run(measure_sandbox(options, Path(folder)))
    if not options.quick:
        figures["base_install_mb"] = measure_base_install()["base_install_mb"]
    finish("provider", figures)


if __name__ == "__main__":
    main()
