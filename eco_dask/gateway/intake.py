"""Dask's tasks on their way in: structural ones are done here, the others packed for providers.

Request ──structural──► done at once                  cancel(key) ──► TaskCancelled
        ──otherwise──► Package ──► TaskSubmitted ──► engine ──► Intake.take(ballot) at its end
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from dask.utils import key_split
from distributed import Reschedule

from eco_dask.config import required_tags, verification_rule
from eco_dask.dask_internals import Alias, GraphNode
from eco_dask.engine import events as ev
from eco_dask.engine.facts import Task
from eco_dask.gateway.packing import Package, encode_input, pack
from eco_dask.gateway.structural import run_structural, runs_here
from eco_dask.gateway.submission import Submission
from eco_dask.jobs import ANNOTATION, JobSpec
from eco_dask.types import BallotId, JobId, LeaseId, TaskKind
from eco_dask.values import EncodedValue
from eco_dask.verification.rules import Rule

#: Inputs up to this are handled on the event loop: cheaper than a thread's round trip.
INLINE_WORK_BYTES_MAX = 256 * 1024
#: Jobs whose terms are remembered, so that they are not read again for each task.
_JOBS_KEPT = 256
_DEFAULT_JOB = JobSpec(JobId("no-job"), "tasks outside of any job")


@dataclass(frozen=True, slots=True)
class Request:
    """One task as Dask's worker hands it over."""

    run_spec: GraphNode
    inputs: dict[Any, object]
    delay_s: float
    annotations: dict[str, Any]


class Intake:
    """Tasks between Dask and the engine, by ballot and by key.

    Parameters
    ----------
    life : str
        What ballot ids start with, unique to this life of this gateway.
    now_s : callable
        The gateway's clock.
    feed : callable
        Takes an event to the engine.
    """

    def __init__(
        self, life: str, now_s: Callable[[], float], feed: Callable[[ev.Event], None]
    ) -> None:
        self._life = life
        self._now_s = now_s
        self._feed = feed
        self._count = 0
        self._submissions: dict[BallotId, Submission] = {}
        self._ballots: dict[Any, BallotId] = {}
        self._encoded: dict[Any, tuple[object, object]] = {}
        self._terms: dict[JobId, tuple[JobSpec, Rule]] = {}
        self._require = frozenset(required_tags())
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="eco-gateway")

    # ------------------------------------------------------------------ Dask's side

    def submit(self, request: Request) -> asyncio.Future[dict[str, Any]]:
        """Run a task; the future gets the message that Dask's worker expects."""
        future = asyncio.get_running_loop().create_future()
        submission = Submission(request.run_spec.key, future, request.delay_s, self._now_s())
        size_bytes = request.run_spec.__sizeof__() + sum(
            # What has no digest yet may be of any size.
            v.size_bytes if isinstance(v, EncodedValue) else INLINE_WORK_BYTES_MAX
            for v in request.inputs.values()
        )
        small = size_bytes < INLINE_WORK_BYTES_MAX
        if runs_here(request.run_spec, request.inputs):
            inline = small or isinstance(request.run_spec, Alias)
            self._do(inline, run_structural, request, submission, self._on_structural)
        else:
            self._count += 1
            ballot = BallotId(f"{self._life}/{self._count}")
            self._ballots[submission.key] = ballot
            self._submissions[ballot] = submission
            work = partial(self._pack, vouched=_vouched(request.annotations))
            self._do(small, work, request, submission, self._on_packed)
        return submission.future

    def cancel(self, key: Any) -> None:
        """Dask no longer wants a task: call its leases back and let its slot go."""
        ballot = self._ballots.get(key)
        submission = self.take(ballot) if ballot is not None else None
        if ballot is None or submission is None:
            return
        submission.cancelled = True
        self._feed(ev.TaskCancelled(ballot, self._now_s(), secrets.randbits(64)))
        # If Dask wants it again by now, it comes back as a new task.
        submission.fail(Reschedule(), self._now_s())

    def forget_input(self, key: Any) -> None:
        """Drop the encoded form of a value that Dask released."""
        self._encoded.pop(key, None)

    def close(self, error: Exception) -> None:
        """End every task with an error."""
        for ballot in tuple(self._submissions):
            if (submission := self.take(ballot)) is not None:
                submission.cancelled = True
                submission.fail(error, self._now_s())
        self._pool.shutdown(wait=False, cancel_futures=True)

    # ------------------------------------------------------------------ the engine's side

    def find(self, ballot: BallotId) -> Submission | None:
        """Return the task of a ballot, None once it ended."""
        return self._submissions.get(ballot)

    def of_lease(self, lease: LeaseId) -> Submission | None:
        """Return the task that a lease is for, None once it ended."""
        return self._submissions.get(BallotId(lease.rpartition(".")[0]))

    def take(self, ballot: BallotId) -> Submission | None:
        """Return the task of a ballot and forget it: it ends now."""
        submission = self._submissions.pop(ballot, None)
        if submission is not None and self._ballots.get(submission.key) == ballot:
            del self._ballots[submission.key]
        return submission

    # ------------------------------------------------------------------ the work

    def _do(
        self,
        inline: bool,
        work: Callable[[GraphNode, dict[Any, object]], object],
        request: Request,
        submission: Submission,
        then: Callable[[Request, Submission, object], None],
    ) -> None:
        """Do small work at once and large work in a thread; ``then`` runs on the event loop."""
        if inline:
            try:
                then(request, submission, work(request.run_spec, request.inputs))
            except Exception as error:  # noqa: BLE001  what the recruiter's task raises is its result
                self._fail(submission, error)
            return

        def finish(outcome: Future[object]) -> None:
            try:
                then(request, submission, outcome.result())
            except Exception as error:  # noqa: BLE001  likewise
                self._fail(submission, error)

        loop = asyncio.get_running_loop()
        self._pool.submit(work, request.run_spec, request.inputs).add_done_callback(
            lambda outcome: loop.call_soon_threadsafe(finish, outcome)
        )

    def _fail(self, submission: Submission, error: Exception) -> None:
        ballot = self._ballots.get(submission.key)
        if ballot is not None and self._submissions.get(ballot) is submission:
            self.take(ballot)
        submission.fail(error, self._now_s())

    def _on_structural(self, _: Request, submission: Submission, value: object) -> None:
        submission.succeed(value, self._now_s())

    def _pack(
        self, run_spec: GraphNode, inputs: dict[Any, object], vouched: Sequence[str]
    ) -> Package:
        encoded = {key: self._encoded_input(key, v) for key, v in inputs.items()}
        return pack(run_spec, encoded, vouched)

    def _encoded_input(self, key: Any, value: object) -> object:
        """Encode what a recruiter's client put here, once for all tasks that use it."""
        if isinstance(value, EncodedValue):
            return value
        known = self._encoded.get(key)
        if known is None or known[0] is not value:
            encoded = encode_input(value)
            known = self._encoded[key] = (value, value if encoded is None else encoded)
        return known[1]

    def _on_packed(self, request: Request, submission: Submission, package: object) -> None:
        if not isinstance(package, Package):
            raise TypeError(f"packing returned {type(package).__name__}")
        if submission.cancelled:
            return
        submission.package = package
        task = self._task(request, package, self._ballots[submission.key])
        self._feed(ev.TaskSubmitted(task, self._now_s(), secrets.randbits(64)))

    def _task(self, request: Request, package: Package, ballot: BallotId) -> Task:
        job, rule = self._terms_of(request.annotations.get(ANNOTATION))
        require = self._require.union(job.require)
        if package.uses_gpu or (request.annotations.get("resources") or {}).get("GPU"):
            require |= {"gpu"}
        return Task(
            ballot=ballot,
            kind=TaskKind(key_split(request.run_spec.key)[:200]),
            job=job.id,
            payer=job.payer,
            rule=rule,
            require=require,
            trusted_only=job.trusted or package.touches_storage,
            budget_mpt=job.budget_mpt,
        )

    def _terms_of(self, annotation: Any) -> tuple[JobSpec, Rule]:
        job_id = annotation.get("id") if isinstance(annotation, dict) else _DEFAULT_JOB.id
        terms = self._terms.get(job_id)  # type: ignore[arg-type]
        if terms is None:
            job = JobSpec.from_annotation(annotation) if annotation else _DEFAULT_JOB
            rule = verification_rule(
                quorum=job.quorum,
                error=job.error,
                flow_error=job.flow_error,
                compare=job.compare,
            )
            terms = self._terms[job.id] = (job, rule)
            if len(self._terms) > _JOBS_KEPT:
                del self._terms[next(iter(self._terms))]
        return terms


def _vouched(annotations: dict[str, Any]) -> Sequence[str]:
    """Return the references to the classes that the job's recruiter registered."""
    annotation = annotations.get(ANNOTATION)
    # Whether the annotation is well-formed is found out where the job's terms are read.
    return annotation.get("classes") or () if isinstance(annotation, dict) else ()
