"""Conformance 3, 14: tasks' CPU time, whole and in parts, against the thread's own and Dask's."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from distributed import Client, LocalCluster

from eco_dask.energy.task_clock import TaskClock, system_thread_cpu

#: One clock for tasks of an in-process cluster.
CLOCK = TaskClock()
READABLE = system_thread_cpu(threading.get_ident()) is not None


def burn(cpu_s: float) -> int:
    """Use CPU time; return how much of this thread's, nanoseconds."""
    began_ns = time.thread_time_ns()
    while time.thread_time_ns() - began_ns < cpu_s * 1e9:
        sum(range(1000))
    return time.thread_time_ns() - began_ns


def test_a_task_between_drains_has_its_threads_time() -> None:
    clock = TaskClock()
    with clock.running("a", slots=2, gpus=frozenset({"gpu:x"})):
        used_ns = burn(0.05)
    it = clock.drain()
    assert it.ended == ("a",)
    assert it.uses[0].cpu_ns == pytest.approx(used_ns, abs=2_000_000)
    assert it.uses[0].overlap_ns >= it.uses[0].cpu_ns - 1_000_000
    assert (it.uses[0].slots, it.uses[0].gpus) == (2, {"gpu:x"})
    assert clock.drain().uses == ()


@pytest.mark.skipif(not READABLE, reason="this system tells a thread's time to itself only")
def test_parts_of_a_long_task_add_up_to_its_threads_time() -> None:
    clock = TaskClock()
    with ThreadPoolExecutor(1) as pool, clock.running("sleeps"):
        began, go_on = threading.Event(), threading.Event()
        began_ns = time.perf_counter_ns()

        def task() -> int:
            with clock.running("a"):
                used_ns = burn(0.05)
                began.set()
                go_on.wait()
                return used_ns + burn(0.05)

        future = pool.submit(task)
        began.wait()
        first = {it.key: it for it in clock.drain().uses}
        go_on.set()
        used_ns = future.result()
        second = clock.drain()
        wall_ns = time.perf_counter_ns() - began_ns
    last = {it.key: it for it in second.uses}
    assert second.ended == ("a",)
    assert first["a"].cpu_ns >= 50_000_000
    assert first["a"].cpu_ns + last["a"].cpu_ns == pytest.approx(used_ns, rel=0.02, abs=2_000_000)
    assert used_ns - 2_000_000 <= first["a"].overlap_ns + last["a"].overlap_ns <= wall_ns
    assert first["sleeps"].cpu_ns < 20_000_000 < first["sleeps"].overlap_ns


def test_where_a_running_thread_cannot_be_read_wall_time_stands_in() -> None:
    clock = TaskClock(thread_cpu=lambda _: None)
    with clock.running("a"):
        used_ns = burn(0.02)
        running = clock.drain().uses[0]
    ended = clock.drain().uses[0]
    assert running.cpu_ns == running.overlap_ns >= used_ns
    # What the thread used since then is below what stood in for it.
    assert ended.cpu_ns <= ended.overlap_ns + 1_000_000


def test_a_task_that_raises_is_timed_and_its_error_passes() -> None:
    clock = TaskClock()
    with pytest.raises(KeyError), clock.running("a"):
        raise KeyError
    assert clock.drain().ended == ("a",)


def test_a_key_is_timed_once_until_it_is_drained() -> None:
    clock = TaskClock()
    with clock.running("a"):
        pass
    with pytest.raises(ValueError, match="'a'"), clock.running("a"):
        pytest.fail("it was not refused")
    clock.drain()
    with clock.running("a"):
        pass


def test_many_threads_lose_no_task() -> None:
    clock, ended = TaskClock(), []

    def task(key: int) -> None:
        with clock.running(str(key)):
            sum(range(100))

    with ThreadPoolExecutor(4) as pool:
        for chunk in range(10):
            done = [pool.submit(task, chunk * 100 + k) for k in range(100)]
            ended += clock.drain().ended
            for future in done:
                future.result()
    ended += clock.drain().ended
    assert sorted(map(int, ended)) == list(range(1000))


def _timed_burn(key: int, cpu_s: float) -> None:
    with CLOCK.running(str(key)):
        burn(cpu_s)


def test_thread_time_equals_dasks_own_metric_within_a_percent() -> None:
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        tasks = [client.submit(_timed_burn, k, 0.05 * (k + 1), pure=False) for k in range(6)]
        client.gather(tasks)
        totals = cluster.workers[0].digests_total
        dask_s = sum(
            value
            for key, value in totals.items()
            if isinstance(key, tuple)
            and key[0] == "execute"
            and key[-2:] == ("thread-cpu", "seconds")
        )
    own_s = sum(it.cpu_ns for it in CLOCK.drain().uses) / 1e9
    assert own_s == pytest.approx(dask_s, rel=0.01)
    assert own_s >= 1.05
