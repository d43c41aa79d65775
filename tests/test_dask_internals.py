"""What eco_dask relies on inside of dask and distributed; a failure names what Dask changed."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from concurrent.futures import Executor, Future

import pytest
from dask._task_spec import Task
from distributed import Reschedule, wait
from distributed import worker as dask_worker
from distributed.utils_test import gen_cluster, inc

from eco_dask.dask_internals import (
    drop_values,
    failure_message,
    set_scheduler_slots,
    set_worker_slots,
    success_message,
    task_of_submission,
)


def fail(x):
    raise ValueError("on purpose")


def test_what_a_worker_submits() -> None:
    names = list(inspect.signature(dask_worker._run_task_simple).parameters)
    assert names == ["task", "data", "time_delay"]


def test_the_message_of_a_finished_task_has_dasks_keys() -> None:
    theirs = dask_worker._run_task_simple(Task("k", inc, 1), {}, 0.0)
    ours = success_message(2, int, 28, 1.0, 2.0)
    assert ours.keys() == theirs.keys()
    assert {k: type(v) for k, v in ours.items()} == {k: type(v) for k, v in theirs.items()}
    assert (ours["op"], ours["status"]) == (theirs["op"], theirs["status"])


def test_the_message_of_a_failed_task_has_dasks_keys() -> None:
    theirs = dask_worker._run_task_simple(Task("k", fail, 1), {}, 0.0)
    error = ValueError("on purpose")
    ours = failure_message(error, 1.0, 2.0)
    assert ours.keys() == theirs.keys()
    assert ours["op"] == theirs["op"] == "task-erred"
    assert ours["actual_exception"] is error


@pytest.mark.parametrize("args", [(), (1, 2), (1, 2, 3, 4)])
def test_nothing_but_a_dask_task_is_taken(args) -> None:
    with pytest.raises(TypeError, match="Dask tasks only"):
        task_of_submission(dask_worker._run_task_simple, args)
    with pytest.raises(TypeError, match="Dask tasks only"):
        task_of_submission(inc, (1, {}, 0.0))


class Recording(Executor):
    """Keeps what is submitted, and answers as the provider network does."""

    def __init__(self) -> None:
        self.seen: list[tuple] = []
        self.waiting: list[Future] = []
        self.answers = True

    def submit(self, function, /, *args, **kwargs):
        assert not kwargs
        self.seen.append(task_of_submission(function, args))
        future: Future = Future()
        if self.answers:
            future.set_result(success_message("from the network", str, 16, 1.0, 2.0))
        else:
            self.waiting.append(future)
        return future


def test_a_workers_default_executor_gets_its_tasks() -> None:
    @gen_cluster(client=True, nthreads=[("127.0.0.1", 1)])
    async def check(client, scheduler, worker) -> None:
        executor = worker.executors["default"] = Recording()
        # Dask looks for this word to decide how it calls an executor.
        assert "ThreadPoolExecutor" not in type(executor).__name__
        assert await client.submit(inc, 1, key="k") == "from the network"
        ((run_spec, data, delay_s),) = executor.seen
        assert (run_spec.key, dict(data), type(delay_s)) == ("k", {}, float)

    check()


def test_slots_bound_what_a_worker_executes_and_may_grow() -> None:
    @gen_cluster(client=True, nthreads=[("127.0.0.1", 1)])
    async def check(client, scheduler, worker) -> None:
        executor = worker.executors["default"] = Recording()
        executor.answers = False
        futures = client.map(inc, range(12))
        for slots in (2, 5):
            set_worker_slots(worker, slots)
            assert set_scheduler_slots(scheduler, worker.address, slots)
            async with asyncio.timeout(10):
                while len(executor.waiting) < slots:  # noqa: ASYNC110  Dask has no event for it
                    await asyncio.sleep(0.01)
            assert len(worker.state.executing) == len(executor.waiting) == slots
            assert scheduler.workers[worker.address].nthreads == scheduler.total_nthreads == slots
        executor.answers = True
        for future in executor.waiting:
            future.set_result(success_message(0, int, 28, 1.0, 2.0))
        await client.gather(futures)

    check()


def test_slots_of_an_unknown_worker_change_nothing() -> None:
    @gen_cluster(nthreads=[("127.0.0.1", 3)])
    async def check(scheduler, worker) -> None:
        assert not set_scheduler_slots(scheduler, "tcp://127.0.0.1:1", 5)
        assert scheduler.total_nthreads == 3

    check()


# ------------------------------------------------------------------ values that are computed again


class Counting(Executor):
    """Answers with how often a key was submitted, and with its inputs; holds some back."""

    def __init__(self) -> None:
        self.times: Counter = Counter()
        self.held: dict = {}
        self.holds: set = set()

    def submit(self, function, /, *args, **kwargs):
        run_spec, data, _ = task_of_submission(function, args)
        key = run_spec.key
        self.times[key] += 1
        future: Future = Future()
        if key in self.holds:
            self.held[key] = future
        else:
            value = (self.times[key], *data.values())
            future.set_result(success_message(value, tuple, 16, 1.0, 2.0))
        return future


async def until(fact) -> None:
    async with asyncio.timeout(10):
        while not fact():  # noqa: ASYNC110  Dask has no event for it
            await asyncio.sleep(0.01)


def with_a_chain(check, keep: str = "abc") -> None:
    """Run a check where c depends on b, and b on a; ``keep`` names what the client keeps."""

    @gen_cluster(client=True, nthreads=[("127.0.0.1", 2)])
    async def run(client, scheduler, worker) -> None:
        executor = worker.executors["default"] = Counting()
        a = client.submit(inc, 0, key="a")
        b = client.submit(inc, a, key="b")
        c = client.submit(inc, b, key="c")
        futures = {"a": a, "b": b, "c": c}
        await wait([a, b, c])
        kept = {key: futures[key] for key in keep}
        del a, b, c, futures
        await check(client, scheduler, worker, executor, kept)

    run()


def test_a_value_that_is_dropped_is_computed_again_with_all_that_was_made_of_it() -> None:
    async def check(client, scheduler, worker, executor, kept) -> None:
        assert drop_values(worker, ["a", "b", "c"]) == []
        await until(lambda: executor.times["c"] == 2)
        assert await kept["c"] == (2, (2, (2,)))

    with_a_chain(check)


def test_what_nobody_keeps_is_computed_again_if_what_is_kept_needs_it() -> None:
    async def check(client, scheduler, worker, executor, kept) -> None:
        await until(lambda: not worker.state.tasks.get("b") or "b" not in worker.data)
        assert drop_values(worker, ["c"]) == []
        await until(lambda: executor.times["c"] == 2)
        assert await kept["c"] == (2, (2, (2,)))

    with_a_chain(check, keep="c")


def test_a_task_that_runs_on_a_dropped_value_starts_anew_with_the_new_one() -> None:
    async def check(client, scheduler, worker, executor, kept) -> None:
        executor.holds = {"d"}
        d = client.submit(inc, kept["a"], key="d")
        await until(lambda: "d" in executor.held)
        executor.holds = set()
        # The intake ends it before its input goes.
        executor.held["d"].set_result(failure_message(Reschedule(), 1.0, 2.0))
        assert drop_values(worker, ["a"]) == []
        assert await asyncio.wait_for(d, 10) == (2, (2,))

    with_a_chain(check, keep="a")


def test_a_task_that_waits_for_a_slot_gets_the_new_value() -> None:
    async def check(client, scheduler, worker, executor, kept) -> None:
        executor.holds = {"busy-1", "busy-2"}
        busy = [client.submit(inc, i, key=f"busy-{i}") for i in (1, 2)]
        await until(lambda: len(executor.held) == 2)
        d = client.submit(inc, kept["a"], key="d")
        await until(lambda: "d" in worker.state.tasks and worker.state.tasks["d"].state == "ready")
        assert drop_values(worker, ["a"]) == []
        for future in executor.held.values():
            future.set_result(success_message(0, int, 28, 1.0, 2.0))
        assert await asyncio.wait_for(d, 10) == (1, (2,))
        await client.gather(busy)

    with_a_chain(check, keep="a")


def test_a_value_waits_for_a_task_that_has_started_and_not_yet_read_it() -> None:
    async def check(client, scheduler, worker, executor, kept) -> None:
        executor.holds = {"d"}
        d = client.submit(inc, kept["a"], key="d")
        await until(lambda: "d" in executor.held)
        worker.active_keys.discard("d")
        assert drop_values(worker, ["a", "unknown"]) == ["a"]
        assert "a" in worker.data
        worker.active_keys.add("d")
        executor.held["d"].set_result(success_message(0, int, 28, 1.0, 2.0))
        assert await d == 0

    with_a_chain(check, keep="a")
