"""The provider network as the executor of an ordinary Dask worker.

Worker.execute ──submit(_run_task_simple, run_spec, data, delay)──► ProviderExecutor ──► Gateway
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

from eco_dask.dask_internals import task_of_submission
from eco_dask.errors import TaskRefusedError
from eco_dask.gateway.gateway import Gateway
from eco_dask.gateway.intake import Request

if TYPE_CHECKING:
    from distributed import Worker


class ProviderExecutor(Executor):
    """Runs Dask tasks on providers.

    Its name must not contain the name of Dask's pool of threads: the worker looks for that word to
    decide how to call an executor.
    """

    def __init__(self, gateway: Gateway, worker: Worker) -> None:
        self._gateway = gateway
        self._worker = worker

    def submit(  # type: ignore[override]
        self, function: Callable[..., Any], /, *args: Any
    ) -> asyncio.Future[dict[str, Any]]:
        """Submit a Dask task; called on the worker's event loop.

        The future is asyncio's own: ``loop.run_in_executor`` passes it through as it is
        (``asyncio.wrap_future``), which saves a lock and a wake-up per task.
        """
        run_spec, inputs, delay_s = task_of_submission(function, args)
        task = self._worker.state.tasks.get(run_spec.key)
        annotations = task.annotations if task is not None and task.annotations else {}
        return self._gateway.intake.submit(Request(run_spec, inputs, delay_s, annotations))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: the gateway plugin closes the gateway, before the worker closes executors."""


class RefusingExecutor(Executor):
    """Stands where code would run in the gateway itself, such as actors."""

    def __init__(self, what: str) -> None:
        self._what = what

    def submit(
        self,
        function: Callable[..., Any],  # noqa: ARG002  whatever it is
        /,
        *args: Any,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> Future[Any]:
        """Refuse."""
        future: Future[Any] = Future()
        future.set_exception(TaskRefusedError(refusal(self._what)))
        return future


def refusal(what: str) -> str:
    """Say why something cannot run on the network, and what to do instead."""
    return (
        f"{what} cannot run on an eco_dask network: they would run in the operator's gateway "
        "instead of on providers. Use plain functions, or a Dask cluster of your own machines."
    )
