"""Dask's tasks on their way in: structural ones are done here, the others packed for providers.

Request ──structural──► done at once, or at a gate     cancel(key) ──► TaskCancelled
        ──otherwise──► Package ──► TaskSubmitted ──► engine ──► Intake.take(ballot) at its end
                                                     Revoke ──► Intake.revoke: again, all of it
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from dask.utils import key_split
from distributed import Reschedule

from eco_dask.config import required_tags
from eco_dask.dask_internals import Alias, GraphNode
from eco_dask.engine import events as ev
from eco_dask.engine.facts import Task
from eco_dask.gateway.check_tasks import OwnCall, own_checker_of
from eco_dask.gateway.finding import known_call
from eco_dask.gateway.lineage import NONE, Ballots
from eco_dask.gateway.packing import Package, encode_input, pack
from eco_dask.gateway.parties import Parties
from eco_dask.gateway.standing import Standing
from eco_dask.gateway.structural import run_structural, runs_here
from eco_dask.gateway.submission import Submission
from eco_dask.gateway.terms import DEFAULT_JOB, Terms
from eco_dask.jobs import ANNOTATION, WANTED
from eco_dask.ledger.totals import CHECK_KIND
from eco_dask.types import BallotId, GateId, TaskKind
from eco_dask.values import EncodedValue
from eco_dask.verification.rules import CredibilityRule, QuorumRule

#: Inputs up to this are handled on the event loop: cheaper than a thread's round trip.
INLINE_WORK_BYTES_MAX = 256 * 1024
#: Jobs whose terms are remembered, so that they are not read again for each task.
_JOBS_KEPT = 256


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
    standing : Standing
        What values here rest on.
    """

    def __init__(
        self,
        life: str,
        now_s: Callable[[], float],
        feed: Callable[[ev.Event], None],
        standing: Standing,
    ) -> None:
        self._life = life
        self._now_s = now_s
        self._feed = feed
        self._count = 0
        self._submissions: dict[BallotId, Submission] = {}
        self._ballots: dict[Any, BallotId] = {}
        self._standing = standing
        #: Structural tasks under way, and the gates that some of them wait at.
        self._structural: dict[Any, Submission] = {}
        self._gate_of: dict[Any, GateId] = {}
        #: Of accepted tasks that could not be made certain: what they fail with if they come back.
        self._failed: dict[Any, Exception] = {}
        #: Called when values that Dask has are wrong: their keys are in :attr:`Lineage.wrong`.
        self.on_wrong: Callable[[], None] = lambda: None
        #: Called with the tags that a task requires, before the engine hears of it.
        self.on_need: Callable[[frozenset[str]], None] = lambda _: None
        self._encoded: dict[Any, tuple[object, object]] = {}
        self._terms = Terms()
        self._parties = Parties()
        self._require = frozenset(required_tags())
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="eco-gateway")

    # ------------------------------------------------------------------ Dask's side

    def submit(self, request: Request) -> asyncio.Future[dict[str, Any]]:
        """Run a task; the future gets the message that Dask's worker expects."""
        submission = Submission(
            request.run_spec.key,
            asyncio.get_running_loop().create_future(),
            request.delay_s,
            self._now_s(),
            self._standing.lineage.of(request.inputs),
        )
        if (error := self._failed.pop(submission.key, None)) is not None:
            submission.fail(error, self._now_s())
            return submission.future
        if self._standing.lineage.is_wrong(request.inputs):
            # Dask is about to lose that input, and comes back with the right one.
            submission.fail(Reschedule(), self._now_s())
            return submission.future
        size_bytes = request.run_spec.__sizeof__() + sum(
            # What has no digest yet may be of any size.
            v.size_bytes if isinstance(v, EncodedValue) else INLINE_WORK_BYTES_MAX
            for v in request.inputs.values()
        )
        small = size_bytes < INLINE_WORK_BYTES_MAX
        if runs_here(request.run_spec, request.inputs):
            inline = small or isinstance(request.run_spec, Alias)
            self._structural[submission.key] = submission
            self._do(inline, run_structural, request, submission, self._on_structural)
        else:
            self._count += 1
            ballot = BallotId(f"{self._life}/{self._count}")
            self._ballots[submission.key] = ballot
            self._submissions[ballot] = submission
            unsafe = _is_unsafe(request.annotations)
            work = partial(self._pack, vouched=_vouched(request.annotations), unsafe=unsafe)
            self._do(small, work, request, submission, self._on_packed)
        return submission.future

    def cancel(self, key: Any) -> None:
        """Dask no longer wants a task: call its leases back and let its slot go."""
        if (gate := self._gate_of.pop(key, None)) is not None:
            self._standing.gates.leave(gate)
            self._structural.pop(key).fail(Reschedule(), self._now_s())
            self._standing.tell_freed()
        ballot = self._ballots.get(key)
        submission = self.take(ballot) if ballot is not None else None
        if ballot is None or submission is None:
            return
        submission.cancelled = True
        self._feed(ev.TaskCancelled(ballot, self._now_s(), secrets.randbits(64)))
        self._standing.forget(ballot)
        # If Dask wants it again by now, it comes back as a new task.
        submission.fail(Reschedule(), self._now_s())

    def released(self, key: Any) -> None:
        """Dask let go of a value: drop its encoded form, and settle what nobody needs now."""
        self._encoded.pop(key, None)
        self._standing.released(key)

    def close(self, error: Exception) -> None:
        """End every task with an error."""
        self._standing.gates.close()
        for ballot in tuple(self._submissions):
            if (submission := self.take(ballot)) is not None:
                submission.cancelled = True
                submission.fail(error, self._now_s())
        self._pool.shutdown(wait=False, cancel_futures=True)

    # ------------------------------------------------------------------ the engine's side

    def find(self, ballot: BallotId) -> Submission | None:
        """Return a ballot's task, also if it was accepted and is kept; None once it is over."""
        return self._submissions.get(ballot) or self._standing.retention.find(ballot)

    def take(self, ballot: BallotId) -> Submission | None:
        """Return the task of a ballot and forget it: Dask is told its end now."""
        submission = self._submissions.pop(ballot, None)
        if submission is not None and self._ballots.get(submission.key) == ballot:
            del self._ballots[submission.key]
        return submission

    def accept(self, ballot: BallotId) -> Submission | None:
        """Take the task of a ballot, and keep its value until it is settled.

        The task itself is kept where it may have to be done again.
        """
        submission = self.take(ballot)
        if submission is not None:
            if not submission.revocable:
                submission.package = None
            self._standing.retention.keep(ballot, submission)
        return submission

    def fail_accepted(self, ballot: BallotId, error: Exception) -> None:
        """An accepted result cannot be made certain: drop it, and fail its task if it comes back.

        Dask knows no other way from a result to an error. It asks again only for what is needed.
        """
        submission = self._standing.retention.find(ballot)
        if submission is not None:
            self._failed[submission.key] = error
            if len(self._failed) > _JOBS_KEPT:
                del self._failed[next(iter(self._failed))]
            self.revoke((ballot,), ())

    def revoke(self, ballots: Iterable[BallotId], gates: Iterable[GateId]) -> None:
        """These results are wrong: let Dask do them again, and all that was made of them."""
        wrong, standing = frozenset(ballots), self._standing
        for ballot in wrong:
            if (submission := self.take(ballot) or standing.retention.forget(ballot)) is not None:
                submission.cancelled = True
                submission.fail(Reschedule(), self._now_s())
        standing.lineage.revoked(wrong)
        standing.gates.broken({*gates, *standing.gates.resting_on(wrong)})
        for key, submission in tuple(self._structural.items()):
            if submission.rests_on & wrong:
                del self._structural[key]
                submission.fail(Reschedule(), self._now_s())
        for submission in tuple(self._submissions.values()):
            if submission.rests_on & wrong:
                # Not here: the engine is in the middle of an event.
                asyncio.get_running_loop().call_soon(self.cancel, submission.key)
        standing.tell_freed()
        if standing.lineage.wrong:
            self.on_wrong()

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
        if self._structural.get(submission.key) is submission:
            del self._structural[submission.key]
        submission.fail(error, self._now_s())

    def _on_structural(self, request: Request, submission: Submission, value: object) -> None:
        key = submission.key
        if self._structural.get(key) is not submission:
            return
        wanted = request.annotations.get(WANTED)
        rests_on = self._standing.lineage.of(request.inputs) if wanted else NONE

        def arrive(stands: bool) -> None:
            self._gate_of.pop(key, None)
            if self._structural.pop(key, None) is None:
                return
            if not stands:
                submission.fail(Reschedule(), self._now_s())
                return
            self._standing.lineage.computed(key, submission.rests_on)
            submission.succeed(value, self._now_s())

        if rests_on:
            self._gate_of[key] = self._standing.gates.wait(rests_on, arrive)
        else:
            arrive(True)

    def _pack(
        self,
        run_spec: GraphNode,
        inputs: dict[Any, object],
        vouched: Sequence[str],
        *,
        unsafe: bool,
    ) -> Package:
        encoded = {key: self._encoded_input(key, v) for key, v in inputs.items()}
        return pack(run_spec, encoded, vouched, unsafe=unsafe)

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
        ballot = self._ballots[submission.key]
        task = self._task(request, package, ballot, submission.rests_on)
        submission.job, submission.require = task.job, task.require
        job, _ = self._terms.of(request.annotations.get(ANNOTATION))
        submission.result_bytes_max = job.result_bytes_max or 0
        submission.unsafe_results = job.unsafe_results
        submission.party = self._parties.of(request.annotations, task.job)
        if task.require:
            self.on_need(task.require)
        if isinstance(task.rule, CredibilityRule):
            submission.own = self._own_call(request)
            if submission.own is None:
                submission.call = known_call(request.run_spec, request.inputs)
            task = replace(task, checkable=bool(submission.own or submission.call))
        # What a quorum decided is final, but for what it was computed of.
        submission.revocable = isinstance(task.rule, CredibilityRule) or bool(task.inputs)
        if submission.revocable:
            self._standing.lineage.submitted(ballot, submission.rests_on)
        self._feed(ev.TaskSubmitted(task, self._now_s(), secrets.randbits(64)))

    def _task(
        self, request: Request, package: Package, ballot: BallotId, rests_on: Ballots
    ) -> Task:
        job, rule = self._terms.of(request.annotations.get(ANNOTATION))
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
            inputs=tuple(sorted(rests_on)),
            wanted=bool(request.annotations.get(WANTED)),
            prefer=job.prefer,
        )

    def _own_call(self, request: Request) -> OwnCall | None:
        job, _ = self._terms.of(request.annotations.get(ANNOTATION))
        checker = own_checker_of(request.run_spec, dict(job.checks))
        if checker is None:
            return None
        inputs = {key: self._encoded_input(key, v) for key, v in request.inputs.items()}
        return OwnCall(request.run_spec, inputs, checker, tuple(_vouched(request.annotations)))

    def submit_check(self, package: Package, about: Submission) -> Submission:
        """Have a trusted worker run a recruiter's own check of an answer, beside Dask's tasks."""
        self._count += 1
        ballot = BallotId(f"{self._life}/{self._count}")
        future = asyncio.get_running_loop().create_future()
        check = Submission((CHECK_KIND, ballot), future, 0.0, self._now_s())
        check.package, check.job, check.is_check = package, about.job, True
        check.party = about.party
        self._submissions[ballot] = check
        # Nobody pays: trusted workers are the operator's own.
        payer = DEFAULT_JOB.payer
        task = Task(ballot, CHECK_KIND, about.job, payer, QuorumRule(1), trusted_only=True)
        self._feed(ev.TaskSubmitted(task, self._now_s(), secrets.randbits(64)))
        return check


def _vouched(annotations: dict[str, Any]) -> Sequence[str]:
    """Return the references to the classes that the job's recruiter registered."""
    annotation = annotations.get(ANNOTATION)
    # Whether the annotation is well-formed is found out where the job's terms are read.
    return annotation.get("classes") or () if isinstance(annotation, dict) else ()


def _is_unsafe(annotations: dict[str, Any]) -> bool:
    """Whether the job takes pickles for results; :class:`Terms` says whether it may."""
    annotation = annotations.get(ANNOTATION)
    return isinstance(annotation, dict) and annotation.get("unsafe_results") is True
