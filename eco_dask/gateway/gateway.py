"""The engine's adapter: tasks and messages become events, and actions are carried out.

    Intake (Dask's tasks) ─┐                           ┌─► leases, fetches, recalls to sessions
    session messages ──────┼─► Event ─► Engine ─► Action ─► books (BookWriter) ─► results to Dask
    clock ─────────────────┘

All of it runs on the gateway worker's event loop; the books have a thread of their own.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from distributed import Reschedule

from eco_dask.config import GatewayRule
from eco_dask.engine import actions as do
from eco_dask.engine import events as ev
from eco_dask.engine.engine import Engine
from eco_dask.engine.facts import EngineRule
from eco_dask.errors import ConfigurationError, WireError
from eco_dask.gateway.comparing import Comparing
from eco_dask.gateway.failures import claimed_error, failure_error
from eco_dask.gateway.intake import Intake
from eco_dask.gateway.memory import Memory
from eco_dask.gateway.session import Granted, Session
from eco_dask.gateway.submission import Submission
from eco_dask.gateway.writer import BookWriter
from eco_dask.ledger.reputations import ReputationStore
from eco_dask.ledger.store import Ledger
from eco_dask.providers.registry import Registry
from eco_dask.types import BallotId, LeaseId, ProviderId
from eco_dask.values import EncodedValue
from eco_dask.verification.attempt import Answer
from eco_dask.verification.layered import LayeredPolicy
from eco_dask.verification.sketch import Sketch
from eco_dask.wire import messages as m

logger = logging.getLogger(__name__)

TICK_S = 0.25
#: Dask is offered this much work beyond the slots, so that the next task is here when one ends.
LOOKAHEAD_S = 0.1


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
        self.registry = registry
        self.sessions: dict[ProviderId, Session] = {}
        self._writer = writer
        #: Part of every id, so that no two lives of a gateway share one.
        self._life = f"{name}/{secrets.token_hex(4)}"
        policy = LayeredPolicy()
        self.engine = Engine(engine_rule, policy, self._life)
        self.memory = Memory(name, policy, ReputationStore(registry.database))
        self.intake = Intake(self._life, self.now_s, self.feed)
        self.comparing = Comparing(self._sketch_arrived, self.now_s)
        self._granted: dict[LeaseId, Session] = {}
        self._clock_offset_s = time.time() - time.monotonic()
        self._task_s = 1.0
        self._ticker: asyncio.Task[None] | None = None
        #: Called with the number of tasks that Dask may run here at a time.
        self.on_slots: Callable[[int], None] = lambda _: None
        self._slots = 0
        self._present: list[ProviderId] = []

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Take over what an earlier life learned, and start the clock."""
        self.memory.restore()
        self._ticker = asyncio.get_running_loop().create_task(self._tick())

    async def close(self) -> None:
        """End every task with an error and write the books."""
        if self._ticker is not None:
            self._ticker.cancel()
        # Another gateway, or this one's next life, does them again.
        self.intake.close(Reschedule())
        for session in tuple(self.sessions.values()):
            session.send(m.Goodbye("the gateway is closing"))
        for provider in tuple(self.sessions):
            self.leave(provider)
        self.memory.save(self.engine, self._writer, self.now_s(), now=True)
        await asyncio.get_running_loop().run_in_executor(None, self._writer.close)

    def now_s(self) -> float:
        """Seconds since the epoch, by a clock that never goes back."""
        return self._clock_offset_s + time.monotonic()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                self._drop_stalled_fetches()
                self.comparing.give_up_late()
                self.feed(ev.Ticked(self.now_s(), _chance()))
                self.memory.save(self.engine, self._writer, self.now_s())
                self._update_slots()
                self._tell_presence()
            except Exception:
                # Without its clock no lease would ever expire again: say what broke and go on.
                logger.exception("The gateway's clock met an error")

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
                session.fetch(lease, self.now_s())
            elif granted.digest is None and lease not in held:
                session.send_lease(lease, self.now_s())
        self.comparing.resend(session)
        self._change_slots(session, session.slots)

    def leave(self, provider: ProviderId) -> None:
        """A provider is gone for good."""
        session = self.sessions.pop(provider, None)
        if session is None:
            return
        for lease in tuple(session.leases):
            self._granted.pop(lease, None)
            self.comparing.forget(lease)
            session.forget(lease)
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

    def connected(self) -> list[ProviderId]:
        """Return the providers with a connection now, not those in their grace time."""
        return sorted(p for p, session in self.sessions.items() if session.outbox is not None)

    def _tell_presence(self) -> None:
        """Tell of comings and goings that left the slots as they were; once a tick is enough."""
        present = self.connected()
        if present != self._present:
            self._present = present
            self.on_slots(self._slots)

    # ------------------------------------------------------------------ answers

    def answer(
        self, session: Session, lease: LeaseId, answer: Answer, cost_s: tuple[float, float]
    ) -> None:
        """Take in a commitment or an error; ``cost_s`` is CPU and wall seconds as claimed."""
        here = False
        if (submission := self._task_of(lease)) is not None:
            here = lease in submission.values
        if lease in session.leases:
            self._task_s += 0.05 * (max(cost_s[1], 1e-4) - self._task_s)
            self.feed(ev.AnswerArrived(lease, answer, *cost_s, here, self.now_s(), _chance()))
        else:
            session.send(m.Release((lease,)))

    def keep_value(self, lease: LeaseId, value: EncodedValue) -> None:
        """Keep the bytes of an answer, checked against its commitment, until the vote is over."""
        if (submission := self._task_of(lease)) is not None:
            submission.values[lease] = value

    def _task_of(self, lease: LeaseId) -> Submission | None:
        ballot = self.engine.ballot_of(lease)
        return self.intake.kept(ballot) if ballot is not None else None

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

    def _drop_stalled_fetches(self) -> None:
        """Give up on values that were asked for and of which nothing comes."""
        at_s = self.now_s()
        for session in tuple(self.sessions.values()):
            for lease in session.stalled(at_s):
                session.forget(lease)
                self.value_failed(lease, mismatch=False)

    # ------------------------------------------------------------------ actions

    def feed(self, event: ev.Event) -> None:
        """Hand an event to the engine and carry out what it answers."""
        ends: list[Callable[[], None]] = []
        record: do.Record | None = None
        for action in self.engine.handle(event):
            match action:
                case do.Record():
                    record = action
                case do.DeliverValue():
                    ends.append(self._value_end(action))
                case do.DeliverError(ballot, error):
                    ends.append(self._error_end(ballot, claimed_error(error)))
                case do.FailTask(ballot, failure):
                    task = self.intake.find(ballot)
                    key = task.key if task is not None else ballot
                    values = task.values if task is not None else None
                    ends.append(self._error_end(ballot, failure_error(key, failure, values)))
                case _:
                    self._carry_out(action)
        if record is not None:
            self._writer.record(record.entries, record.receipts, _all_of(ends))
            self._tell_receipts(record)
        else:
            for end in ends:
                end()

    def _carry_out(self, action: do.Action) -> None:
        match action:
            case do.GrantLease():
                self._grant(action)
            case do.ReleaseAnswer(lease, provider):
                self._release(lease, provider)
            case do.FetchValue(lease, _, _):
                self._fetch(lease)
            case do.AskSketches():
                self._compare(action)
            case do.ForgetTask(ballot):
                self.intake.forget(ballot)
            case do.RecallLease(lease, provider):
                if (session := self.sessions.get(provider)) is not None:
                    session.send(m.Recall((lease,)))
            case do.Strike(provider, reason, _):
                self.strike(provider, reason)
            case _:
                raise NotImplementedError(action)

    def _grant(self, action: do.GrantLease) -> None:
        session, submission = self.sessions[action.provider], self.intake.find(action.ballot)
        if submission is None or submission.package is None:
            raise RuntimeError(f"lease {action.lease!r} granted for a task that is not here")
        due_at_s = self.now_s() + action.deadline_s
        session.leases[action.lease] = Granted(submission.package, action.kind, due_at_s)
        self._granted[action.lease] = session
        session.send_lease(action.lease, self.now_s())

    def _fetch(self, lease: LeaseId) -> None:
        session = self._granted[lease]
        try:
            session.fetch(lease, self.now_s())
        except WireError as error:
            # Its size is more than this connection carries: as good as not there.
            logger.warning("Value of lease %s cannot be fetched: %s", lease, error)
            asyncio.get_running_loop().call_soon(lambda: self.value_failed(lease, mismatch=False))

    def _compare(self, action: do.AskSketches) -> None:
        submission = self.intake.kept(action.ballot)
        values = submission.values if submission is not None else {}
        here = {lease: values[lease] for lease in action.leases if lease in values}
        there = {lease: self._granted.get(lease) for lease in action.leases if lease not in values}
        self.comparing.ask(action.round, here, there)

    def _sketch_arrived(self, lease: LeaseId, number: int, sketch: Sketch | None) -> None:
        self.feed(ev.SketchArrived(lease, number, sketch, self.now_s(), _chance()))

    def _release(self, lease: LeaseId, provider: ProviderId) -> None:
        self._granted.pop(lease, None)
        self.comparing.forget(lease)
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
        submission = self.intake.take(action.ballot)
        if submission is None:
            return _nothing
        if submission.job is not None:
            self.memory.note(submission.job, action.doubt)
        value = submission.values[action.lease]
        # Answers that come late are compared with it.
        self.intake.keep(action.ballot, submission)
        wall_s = min(a.wall_s for a in action.agreeing)
        return lambda: submission.succeed(value, self.now_s(), wall_s)

    def _error_end(self, ballot: BallotId, error: Exception) -> Callable[[], None]:
        submission = self.intake.take(ballot)
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
