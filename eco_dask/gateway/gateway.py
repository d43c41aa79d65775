"""The engine's adapter: tasks and messages become events, and actions are carried out.

    submit(run_spec) ─┐                           ┌─► leases, fetches, recalls to sessions
    session messages ─┼─► Event ─► Engine ─► Action ─► books (BookWriter) ─► results to Dask
    clock ────────────┘

Everything here runs on the gateway worker's event loop, except hashing and pickling of large
values, structural tasks, and the books.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from dask.utils import key_split

from eco_dask.config import GatewayRule, quorum_rule, required_tags
from eco_dask.dask_internals import Alias, GraphNode
from eco_dask.engine import actions as do
from eco_dask.engine import events as ev
from eco_dask.engine.engine import Engine
from eco_dask.engine.facts import EngineRule, Provider, Task
from eco_dask.errors import ConfigurationError, TaskError, WireError, remote_task_error
from eco_dask.gateway.failures import failure_error
from eco_dask.gateway.packing import Package, encode_input, pack
from eco_dask.gateway.session import Granted, Session
from eco_dask.gateway.structural import is_structural, run_structural
from eco_dask.gateway.submission import Submission
from eco_dask.gateway.writer import BookWriter
from eco_dask.jobs import ANNOTATION, JobSpec
from eco_dask.ledger.store import Ledger
from eco_dask.providers.registry import Registry
from eco_dask.text import clean
from eco_dask.types import BallotId, JobId, LeaseId, ProviderId, TaskKind
from eco_dask.values import EncodedValue
from eco_dask.verification.attempt import Answer
from eco_dask.wire import messages as m

logger = logging.getLogger(__name__)

#: Inputs up to this are handled on the event loop: cheaper than a thread's round trip.
INLINE_WORK_BYTES_MAX = 256 * 1024
TICK_S = 0.25
#: Dask is offered this much work beyond the slots, so that the next task is here when one ends.
LOOKAHEAD_S = 0.1
_DEFAULT_JOB = JobSpec(JobId("no-job"), "tasks outside of any job")


@dataclass(frozen=True, slots=True)
class Request:
    """One task as Dask's worker hands it over."""

    run_spec: GraphNode
    inputs: dict[Any, object]
    delay_s: float
    annotations: dict[str, Any]


class Gateway:
    """What a gateway worker keeps: engine, sessions, tasks under way, and the way to the books."""

    def __init__(
        self,
        name: str,
        rule: GatewayRule,
        engine_rule: EngineRule,
        writer: BookWriter,
        registry: Registry,
    ) -> None:
        self.name = name
        self.rule = rule
        self.engine = Engine(engine_rule)
        self.registry = registry
        self.sessions: dict[ProviderId, Session] = {}
        self._writer = writer
        #: Part of every id, so that no two lives of a gateway share one.
        self._life = f"{name}/{secrets.token_hex(4)}"
        self._count = 0
        self._submissions: dict[BallotId, Submission] = {}
        self._ballots: dict[Any, BallotId] = {}
        self._granted: dict[LeaseId, Session] = {}
        self._encoded: dict[Any, tuple[object, object]] = {}
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="eco-gateway")
        self._clock_offset_s = time.time() - time.monotonic()
        self._task_s = 1.0
        self._ticker: asyncio.Task[None] | None = None
        #: Called with the number of tasks that Dask may run here at a time.
        self.on_slots: Callable[[int], None] = lambda _: None
        self._slots = 0
        self._require = frozenset(required_tags())

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Start the clock."""
        self._ticker = asyncio.get_running_loop().create_task(self._tick())

    async def close(self) -> None:
        """End every task with an error and write the books."""
        if self._ticker is not None:
            self._ticker.cancel()
        for submission in tuple(self._submissions.values()):
            submission.fail(TaskError("the gateway is closing"), self.now_s())
        for session in tuple(self.sessions.values()):
            session.send(m.Goodbye("the gateway is closing"))
        for provider in tuple(self.sessions):
            self.leave(provider)
        self._pool.shutdown(wait=False, cancel_futures=True)
        await asyncio.get_running_loop().run_in_executor(None, self._writer.close)

    def now_s(self) -> float:
        """Seconds since the epoch, by a clock that never goes back."""
        return self._clock_offset_s + time.monotonic()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.feed(ev.Ticked(self.now_s(), _chance()))
            self._update_slots()

    # ------------------------------------------------------------------ tasks

    def submit(self, request: Request) -> Future[dict[str, Any]]:
        """Run a task on the network; the future gets the message that Dask's worker expects."""
        submission = Submission(request.run_spec.key, Future(), request.delay_s, self.now_s())
        size_bytes = sum(
            v.size_bytes if isinstance(v, EncodedValue) else INLINE_WORK_BYTES_MAX
            for v in request.inputs.values()
        )
        size_bytes += request.run_spec.__sizeof__()
        if is_structural(request.run_spec):
            inline = size_bytes < INLINE_WORK_BYTES_MAX or isinstance(request.run_spec, Alias)
            self._either(inline, run_structural, request, submission, self._on_structural)
        else:
            self._ballots[submission.key] = ballot = self._next_ballot()
            self._submissions[ballot] = submission
            inline = size_bytes < INLINE_WORK_BYTES_MAX
            self._either(inline, self._pack, request, submission, self._on_packed)
        return submission.future

    def cancel(self, key: Any) -> None:
        """Dask no longer wants a task: call its leases back and let its slot go."""
        ballot = self._ballots.get(key)
        submission = self._submissions.get(ballot) if ballot is not None else None
        if ballot is None or submission is None:
            return
        from distributed import Reschedule

        submission.cancelled = True
        self.feed(ev.TaskCancelled(ballot, self.now_s(), _chance()))
        self._forget(ballot)
        # If Dask wants it again by now, it comes back as a new task.
        submission.fail(Reschedule(), self.now_s())

    def forget_input(self, key: Any) -> None:
        """Drop the encoded form of a value that Dask released."""
        self._encoded.pop(key, None)

    def _either(
        self,
        inline: bool,
        work: Callable[[GraphNode, dict[Any, object]], object],
        request: Request,
        submission: Submission,
        then: Callable[[Request, Submission, object], None],
    ) -> None:
        """Do small work at once and large work in a thread; ``then`` runs on the event loop."""

        def finish(outcome: Future[object]) -> None:
            try:
                then(request, submission, outcome.result())
            except Exception as error:  # noqa: BLE001  whatever the recruiter's task raises is its result
                self._forget_submission(submission)
                submission.fail(error, self.now_s())

        if inline:
            done: Future[object] = Future()
            try:
                done.set_result(work(request.run_spec, request.inputs))
            except Exception as error:  # noqa: BLE001  likewise
                done.set_exception(error)
            finish(done)
        else:
            loop = asyncio.get_running_loop()
            self._pool.submit(work, request.run_spec, request.inputs).add_done_callback(
                lambda outcome: loop.call_soon_threadsafe(finish, outcome)
            )

    def _on_structural(self, _: Request, submission: Submission, value: object) -> None:
        submission.succeed(value, self.now_s())

    def _pack(self, run_spec: GraphNode, inputs: dict[Any, object]) -> Package:
        return pack(run_spec, {key: self._encoded_input(key, v) for key, v in inputs.items()})

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
        self.feed(ev.TaskSubmitted(task, self.now_s(), _chance()))

    def _task(self, request: Request, package: Package, ballot: BallotId) -> Task:
        annotation = request.annotations.get(ANNOTATION)
        job = JobSpec.from_annotation(annotation) if annotation else _DEFAULT_JOB
        require = set(job.require) | self._require
        if package.uses_gpu or (request.annotations.get("resources") or {}).get("GPU"):
            require.add("gpu")
        trusted_only = job.trusted or package.touches_storage
        return Task(
            ballot=ballot,
            kind=TaskKind(key_split(request.run_spec.key)[:200]),
            job=job.id,
            payer=job.payer,
            rule=quorum_rule(quorum=job.quorum, error=job.error),
            require=frozenset(require),
            trusted_only=trusted_only,
            budget_mpt=job.budget_mpt,
        )

    def _next_ballot(self) -> BallotId:
        self._count += 1
        return BallotId(f"{self._life}/{self._count}")

    def _forget(self, ballot: BallotId) -> Submission | None:
        submission = self._submissions.pop(ballot, None)
        if submission is not None and self._ballots.get(submission.key) == ballot:
            del self._ballots[submission.key]
        return submission

    def _forget_submission(self, submission: Submission) -> None:
        ballot = self._ballots.get(submission.key)
        if ballot is not None and self._submissions.get(ballot) is submission:
            self._forget(ballot)

    # ------------------------------------------------------------------ sessions

    def join(self, session: Session) -> None:
        """Seat a provider that finished its handshake."""
        if session.provider.id in self.sessions:
            self.leave(session.provider.id)
        self.sessions[session.provider.id] = session
        self.feed(ev.ProviderJoined(session.provider, self.now_s(), _chance()))
        self._update_slots()

    def away(self, session: Session) -> None:
        """A provider's connection is gone; it gets no new leases until it is back."""
        session.outbox = None
        if self.sessions.get(session.provider.id) is session:
            self._change_slots(session, 0)

    def back(self, session: Session, held: tuple[LeaseId, ...]) -> None:
        """A provider resumed: send again what it lost, ask again for what was on its way."""
        for lease in tuple(session.leases):
            granted = session.leases[lease]
            if granted.fetching:
                session.assembler.forget(granted.digest or b"")  # type: ignore[arg-type]
                session.fetch(lease)
            elif granted.digest is None and lease not in held:
                session.send_lease(lease, self.now_s())
        self._change_slots(session, session.slots)

    def leave(self, provider: ProviderId) -> None:
        """A provider is gone for good."""
        session = self.sessions.pop(provider, None)
        if session is None:
            return
        for lease in tuple(session.leases):
            self._granted.pop(lease, None)
        session.leases.clear()
        self.feed(ev.ProviderLeft(provider, self.now_s(), _chance()))
        self._update_slots()

    def change_slots(self, session: Session, slots: int) -> None:
        """A provider offers another number of slots."""
        session.slots = slots
        self._change_slots(session, slots)

    def _change_slots(self, session: Session, slots: int) -> None:
        session.provider = replace(session.provider, slots=slots)
        self.feed(ev.SlotsChanged(session.provider.id, slots, self.now_s(), _chance()))
        self._update_slots()

    def _update_slots(self) -> None:
        by_role = {"provider": 0, "trusted": 0}
        for session in self.sessions.values():
            by_role[session.provider.role] += session.provider.slots
        slots = by_role["provider"] or by_role["trusted"]
        ahead = min(math.ceil(slots * LOOKAHEAD_S / self._task_s), slots * 15)
        # The scheduler divides by it, and a task that waits here fails with a reason in the end.
        wanted = max(1, slots + max(1, ahead))
        if wanted == self._slots or abs(wanted - self._slots) < self._slots // 8:
            return
        self._slots = wanted
        self.on_slots(wanted)

    # ------------------------------------------------------------------ answers

    def answer(
        self, session: Session, lease: LeaseId, answer: Answer, cost_s: tuple[float, float]
    ) -> None:
        """Take in a commitment or an error; ``cost_s`` is CPU and wall seconds as claimed."""
        here = False
        if (submission := self._submission_of(lease)) is not None:
            here = lease in submission.values
        if lease in session.leases:
            self._task_s += 0.05 * (max(cost_s[1], 1e-4) - self._task_s)
            self.feed(ev.AnswerArrived(lease, answer, *cost_s, here, self.now_s(), _chance()))
        else:
            session.send(m.Release((lease,)))

    def keep_value(self, lease: LeaseId, value: EncodedValue) -> None:
        """Keep the bytes of an answer, checked against its commitment, until the vote is over."""
        if (submission := self._submission_of(lease)) is not None:
            submission.values[lease] = value

    def value_arrived(self, lease: LeaseId, value: EncodedValue) -> None:
        """The bytes that were fetched are here and match the commitment."""
        self.keep_value(lease, value)
        self.feed(ev.ValueArrived(lease, self.now_s(), _chance()))

    def value_failed(self, lease: LeaseId, *, mismatch: bool) -> None:
        """The bytes that were fetched did not come, or are others."""
        self.feed(ev.ValueFailed(lease, mismatch, self.now_s(), _chance()))

    def decline(self, lease: LeaseId) -> None:
        """A provider gave a lease back."""
        self.feed(ev.LeaseDeclined(lease, self.now_s(), _chance()))

    def _submission_of(self, lease: LeaseId) -> Submission | None:
        return self._submissions.get(BallotId(lease.rpartition(".")[0]))

    # ------------------------------------------------------------------ actions

    def feed(self, event: ev.Event) -> None:
        """Hand an event to the engine and carry out what it answers."""
        ends: list[Callable[[], None]] = []
        record: do.Record | None = None
        for action in self.engine.handle(event):
            match action:
                case do.GrantLease():
                    self._grant(action)
                case do.Record():
                    record = action
                case do.ReleaseAnswer(lease, provider):
                    self._release(lease, provider)
                case do.DeliverValue():
                    ends.append(self._value_end(action))
                case do.DeliverError(ballot, error):
                    ends.append(
                        self._error_end(
                            ballot,
                            remote_task_error(
                                clean(error.error_type, 200),
                                clean(error.message, 4000),
                                clean(error.traceback, 20000),
                            ),
                        )
                    )
                case do.FailTask(ballot, failure):
                    key = self._submissions[ballot].key if ballot in self._submissions else ballot
                    ends.append(self._error_end(ballot, failure_error(key, failure)))
                case do.FetchValue(lease, _, _):
                    self._fetch(lease)
                case do.RecallLease(lease, provider):
                    if (session := self.sessions.get(provider)) is not None:
                        session.send(m.Recall((lease,)))
                case do.Strike(provider, reason, _):
                    self.strike(provider, reason)
        if record is not None:
            self._writer.record(record.entries, record.receipts, _all_of(ends))
            self._tell_receipts(record)
        else:
            for end in ends:
                end()

    def _grant(self, action: do.GrantLease) -> None:
        session, submission = self.sessions[action.provider], self._submissions.get(action.ballot)
        if submission is None or submission.package is None:
            raise RuntimeError(f"lease {action.lease!r} granted for a task that is not here")
        due_at_s = self.now_s() + action.deadline_s
        session.leases[action.lease] = Granted(submission.package, action.kind, due_at_s)
        self._granted[action.lease] = session
        session.send_lease(action.lease, self.now_s())

    def _fetch(self, lease: LeaseId) -> None:
        session = self._granted[lease]
        try:
            session.fetch(lease)
        except WireError as error:
            # Its size is more than this connection carries: as good as not there.
            logger.warning("Value of lease %s cannot be fetched: %s", lease, error)
            asyncio.get_running_loop().call_soon(lambda: self.value_failed(lease, mismatch=False))

    def _release(self, lease: LeaseId, provider: ProviderId) -> None:
        self._granted.pop(lease, None)
        if (session := self.sessions.get(provider)) is not None:
            session.forget(lease)
            session.send(m.Release((lease,)))

    def strike(self, provider: ProviderId, reason: str) -> None:
        """Note that a provider was caught."""
        logger.info("Strike against provider %s: %s", provider, reason)
        at_s = self.now_s()
        self._writer.write(lambda: self.registry.strike(provider, reason, at_s))

    def _tell_receipts(self, record: do.Record) -> None:
        for receipt in record.receipts:
            session = self.sessions.get(receipt.provider)
            if session is not None:
                session.leases.pop(receipt.lease, None)
                session.send(m.Receipted(receipt.lease, receipt.reason, receipt.amount_mpt))
            self._granted.pop(receipt.lease, None)

    def _value_end(self, action: do.DeliverValue) -> Callable[[], None]:
        submission = self._forget(action.ballot)
        if submission is None:
            return _nothing
        value = submission.values.pop(action.lease)
        wall_s = min(a.wall_s for a in action.agreeing)
        return lambda: submission.succeed(value, self.now_s(), wall_s)

    def _error_end(self, ballot: BallotId, error: Exception) -> Callable[[], None]:
        submission = self._forget(ballot)
        if submission is None:
            return _nothing
        return lambda: submission.fail(error, self.now_s())


def recover(ledger: Ledger, name: str) -> int:
    """Void what an earlier life of this gateway left on hold; return how many."""
    return ledger.void_open(f"{name}/")


def check_name(name: str) -> str:
    """Return a gateway's name if ids can be made from it.

    Raises
    ------
    ConfigurationError
        If they cannot.
    """
    if not name or len(name) > 64 or not all(c.isalnum() or c in "-_." for c in name):  # noqa: PLR2004
        raise ConfigurationError(
            f"a gateway's name has 1 to 64 letters, digits, '-', '_' or '.'; got {name!r}"
        )
    return name


def provider_facts(provider: Provider) -> str:
    """Describe a provider in a log line."""
    return f"{provider.id} of owner {provider.owner} ({provider.role}, {provider.slots} slots)"


def _chance() -> int:
    return secrets.randbits(64)


def _all_of(ends: list[Callable[[], None]]) -> Callable[[], None] | None:
    if not ends:
        return None
    if len(ends) == 1:
        return ends[0]

    def end_all() -> None:
        for end in ends:
            end()

    return end_all


def _nothing() -> None:
    """End nothing: the task was cancelled meanwhile."""
