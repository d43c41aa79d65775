"""One Dask task on its way through the provider network, and what Dask is told at its end.

Submission(key, future, package) ──finish──► the message that Dask's worker expects
"""

from __future__ import annotations

from asyncio import Future
from dataclasses import dataclass, field
from typing import Any

from eco_dask.dask_internals import failure_message, success_message
from eco_dask.gateway.calls import KnownCall
from eco_dask.gateway.check_tasks import OwnCall
from eco_dask.gateway.lineage import NONE, Ballots
from eco_dask.gateway.packing import Package
from eco_dask.gateway.shown import shown_as_decoded
from eco_dask.types import JobId, LeaseId
from eco_dask.values import EncodedValue

#: Of a task that no job is known of.
NO_JOB = JobId("no-job")


@dataclass(slots=True)
class Submission:
    """A task between its submission and its end."""

    key: Any
    #: On the gateway's event loop, where everything that ends a task runs.
    future: Future[dict[str, Any]]
    #: Seconds to add to this machine's clock to get the scheduler's.
    delay_s: float
    started_at_s: float
    #: Unsettled ballots that its inputs rest on.
    rests_on: Ballots = NONE
    package: Package | None = None
    #: Bytes of answers that are here, by lease.
    values: dict[LeaseId, EncodedValue] = field(default_factory=dict)
    #: Known once it is packed.
    job: JobId = NO_JOB
    #: Name of its recruiter for providers, likewise.
    party: str = ""
    #: What it calls, where an algebraic check of the answer can be done here.
    call: KnownCall | None = None
    #: The recruiter's own check of it, if one is registered.
    own: OwnCall | None = None
    #: Whether it is such a check itself.
    is_check: bool = False
    #: Whether its accepted result may turn out wrong.
    revocable: bool = False
    #: Most that its result may have, 0 for what the gateway takes.
    result_bytes_max: int = 0
    #: Whether its result may be a pickle.
    unsafe_results: bool = False
    #: Whose value Dask got.
    winner: LeaseId | None = None
    #: Providers that gave it back, by the module that they could not import.
    lacking: dict[str, set[str]] = field(default_factory=dict)
    #: Tags that a provider must have.
    require: frozenset[str] = frozenset()
    cancelled: bool = False

    def succeed(self, value: object, at_s: float, wall_s: float | None = None) -> None:
        """Give Dask a value; ``wall_s`` is how long the work itself took."""
        if self.future.done():
            return
        start_s = at_s - wall_s if wall_s is not None else self.started_at_s
        if isinstance(value, EncodedValue):
            value = shown_as_decoded(value)
            python_type, size_bytes = value.python_type, value.size_bytes
        else:
            from dask.sizeof import sizeof

            python_type, size_bytes = type(value), sizeof(value)
        stop_s = at_s + self.delay_s
        self.future.set_result(
            success_message(value, python_type, size_bytes, start_s + self.delay_s, stop_s)
        )

    def fail(self, error: BaseException, at_s: float) -> None:
        """Give Dask an error."""
        if not self.future.done():
            start_s = self.started_at_s + self.delay_s
            self.future.set_result(failure_message(error, start_s, at_s + self.delay_s))
