"""Every private name of dask and distributed that eco_dask touches, in one place.

Each function names what it relies on and the version in which it was read. The tests of this module
fail with the name of what changed when Dask changes it.

Read in dask and distributed 2026.8.0.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from dask._task_spec import Alias, DataNode, Dict, GraphNode, NestedContainer, Task, TaskRef
from distributed.core import _expects_comm, error_message
from distributed.shuffle._core import P2PBarrierTask
from distributed.worker import _run_task_simple
from distributed.worker_state_machine import FreeKeysEvent, UnpauseEvent

if TYPE_CHECKING:
    from distributed import Scheduler, Worker

__all__ = [
    "Alias",
    "DataNode",
    "Dict",
    "GraphNode",
    "NestedContainer",
    "Task",
    "TaskRef",
    "drop_values",
    "expects_comm",
    "failure_message",
    "is_shuffle_barrier",
    "open_comms",
    "set_scheduler_slots",
    "set_worker_slots",
    "success_message",
    "task_of_submission",
]


def expects_comm(handler: Callable[..., Any]) -> bool:
    """Tell whether a server's handler is given the connection (core.py:121)."""
    return bool(_expects_comm(handler))


def open_comms(server: Scheduler | Worker) -> tuple[Any, ...]:
    """Return a server's connections that others opened (core.py:286)."""
    return tuple(server._comms)  # noqa: SLF001


def task_of_submission(
    function: Callable[..., Any], args: tuple[Any, ...]
) -> tuple[GraphNode, dict[Any, Any], float]:
    """Unpack what a worker submits to an executor that is no pool of threads.

    ``Worker.execute`` (worker.py:2213) calls ``loop.run_in_executor(executor, _run_task_simple,
    run_spec, data, scheduler_delay)``.

    Raises
    ------
    TypeError
        If anything else is submitted: the executor runs Dask tasks and nothing more.
    """
    if function is not _run_task_simple or len(args) != 3:  # noqa: PLR2004  the three named above
        raise TypeError(
            f"the provider network runs Dask tasks only; it was handed {function!r} with "
            f"{len(args)} arguments"
        )
    run_spec, data, delay_s = args
    return run_spec, data, delay_s


def is_shuffle_barrier(run_spec: GraphNode) -> bool:
    """Whether it is the barrier of a peer-to-peer shuffle (shuffle/_core.py: P2PBarrierTask)."""
    return isinstance(run_spec, P2PBarrierTask)


def success_message(
    value: object, python_type: type | None, size_bytes: int, start_s: float, stop_s: float
) -> dict[str, Any]:
    """Build what ``_run_task_simple`` returns for a task that finished (worker.py:2821)."""
    return {
        "op": "task-finished",
        "status": "OK",
        "result": value,
        "nbytes": size_bytes,
        "type": python_type,
        "start": start_s,
        "stop": stop_s,
        "thread": threading.get_ident(),
    }


def failure_message(error: BaseException, start_s: float, stop_s: float) -> dict[str, Any]:
    """Build what ``_run_task_simple`` returns for a task that raised (worker.py:2816)."""
    message: dict[str, Any] = error_message(error)
    message["op"] = "task-erred"
    message["actual_exception"] = error
    message["start"] = start_s
    message["stop"] = stop_s
    message["thread"] = threading.get_ident()
    return message


def drop_values(worker: Worker, keys: Iterable[Any]) -> list[Any]:
    """Make a worker lose values, so that the scheduler computes them again where they are needed.

    ``FreeKeysEvent`` (worker_state_machine.py:2732) takes a key out of memory and sends
    ``release-worker-data``; ``Scheduler.release_worker_data`` (scheduler.py:6033) then recomputes a
    key that a client wants or another task waits for, and takes back tasks that were sent with it
    (``_transition_memory_released``, 2547). What waits here for a free slot, and uses such a value,
    is freed first: it would start without its input.

    Returns
    -------
    list
        Keys that cannot go yet: a task that uses them has started and not yet read them. They can
        in one of the next turns of the event loop.
    """
    state, late, freed = worker.state, [], []
    for key in keys:
        ts = state.tasks.get(key)
        if ts is None or ts.state != "memory":
            continue
        if any(d in state.executing and d.key not in worker.active_keys for d in ts.dependents):
            late.append(key)
            continue
        freed += [d.key for d in ts.dependents if d.state in ("waiting", "ready", "constrained")]
        freed.append(key)
    if freed:
        worker.handle_stimulus(FreeKeysEvent(keys=freed, stimulus_id=f"eco-wrong-{time.time()}"))
    return late


def set_worker_slots(worker: Worker, slots: int) -> None:
    """Set how many tasks a worker executes at a time.

    ``WorkerState.nthreads`` bounds it (worker_state_machine.py:1719). Nothing looks at a raised
    bound by itself: ``UnpauseEvent`` makes a running worker look for tasks to start.
    """
    raised = slots > worker.state.nthreads
    worker.state.nthreads = slots
    if raised and worker.state.running:
        worker.handle_stimulus(UnpauseEvent(stimulus_id=f"eco-slots-{time.time()}"))


def set_scheduler_slots(scheduler: Scheduler, address: str, slots: int) -> bool:
    """Set how many tasks the scheduler believes a worker to run at a time.

    ``WorkerState.nthreads`` and ``SchedulerState.total_nthreads`` are set in ``add_worker``
    (scheduler.py:4742) and never again; ``check_idle_saturated`` (3147) re-files the worker, and
    ``stimulus_queue_slots_maybe_opened`` (4995) hands out queued root tasks.

    Returns
    -------
    bool
        Whether the worker is known.
    """
    ws = scheduler.workers.get(address)
    if ws is None:
        return False
    difference = slots - ws.nthreads
    if difference:
        ws.nthreads = slots
        scheduler.total_nthreads += difference
        scheduler.total_nthreads_history.append((time.time(), scheduler.total_nthreads))
        scheduler.check_idle_saturated(ws)
        scheduler.stimulus_queue_slots_maybe_opened(stimulus_id=f"eco-slots-{time.time()}")
    return True
