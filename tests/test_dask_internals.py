"""What eco_dask relies on inside of dask and distributed; a failure names what Dask changed."""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import Executor, Future

import pytest
from dask._task_spec import Task
from distributed import worker as dask_worker
from distributed.utils_test import gen_cluster, inc

from eco_dask.dask_internals import (
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
