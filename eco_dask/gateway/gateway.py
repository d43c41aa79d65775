"""The engine's adapter: tasks and messages become events, and actions are carried out.

    Intake (Dask's tasks) ─┐
    session messages ──────┼─► Event ─► Engine ─► Action ─► Orders ─► sessions, books, Dask
    clock ─────────────────┘

All of it runs on the gateway worker's event loop; the books have a thread of their own.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from distributed import Reschedule

from eco_dask.config import GatewayRule
from eco_dask.energy.intensity import CarbonIntensityProvider, static_table
from eco_dask.energy.own_work import OwnWork
from eco_dask.engine import events as ev
from eco_dask.engine.engine import Engine
from eco_dask.engine.facts import EngineRule
from eco_dask.errors import ConfigurationError
from eco_dask.gateway.energy import EnergyBook
from eco_dask.gateway.environments import Environments, describe, module_name
from eco_dask.gateway.fetching import Fetching
from eco_dask.gateway.intake import Intake
from eco_dask.gateway.memory import Memory
from eco_dask.gateway.offences import Offences
from eco_dask.gateway.offers import OfferBook
from eco_dask.gateway.orders import Orders
from eco_dask.gateway.outlooks import Outlooks
from eco_dask.gateway.session import Session
from eco_dask.gateway.standing import Standing
from eco_dask.gateway.watch import Watch
from eco_dask.gateway.writer import BookWriter
from eco_dask.ledger.energy_entries import EnergyEntry, own_entries
from eco_dask.ledger.reputations import ReputationStore
from eco_dask.ledger.store import Ledger
from eco_dask.providers.registry import Registry
from eco_dask.types import JobId, LeaseId, ProviderId
from eco_dask.values import EncodedValue
from eco_dask.verification.attempt import Answer
from eco_dask.verification.layered import LayeredPolicy
from eco_dask.wire import messages as m

logger = logging.getLogger(__name__)

TICK_S = 0.25
#: How often this process's own energy is read.
OWN_WORK_S = 2.0
#: Dask is offered this much work beyond the slots, so that the next task is here when one ends.
LOOKAHEAD_S = 0.1


class Socket(Protocol):
    """One connection, as far as the clock needs it."""

    def check_stalled(self, at_s: float) -> None:
        """End it if its peer does not read."""


class Gateway:
    """What a gateway worker keeps: engine, sessions, tasks under way, and the way to the books."""

    def __init__(
        self,
        name: str,
        rule: GatewayRule,
        engine_rule: EngineRule,
        writer: BookWriter,
        registry: Registry,
        intensities: CarbonIntensityProvider | None = None,
    ) -> None:
        self.name = name
        self.rule = rule
        self.registry = registry
        self.sessions: dict[ProviderId, Session] = {}
        self.writer = writer
        #: Part of every id, so that no two lives of a gateway share one.
        self._life = f"{name}/{secrets.token_hex(4)}"
        policy = LayeredPolicy()
        self.engine = Engine(engine_rule, policy, self._life)
        self.memory = Memory(name, policy, ReputationStore(registry.database))
        self.standing = Standing(self._life, self.now_s, self.feed, rule.revocable_bytes)
        self.intake = Intake(self._life, self.now_s, self.feed, self.standing)
        self.environments = Environments()
        self.intake.on_need = self._learn_needs
        intensities = intensities or static_table()
        self.energy = EnergyBook(self._write_energy, intensities, self.now_s)
        self.offers = OfferBook(self.feed, intensities, self.now_s, engine_rule.price_mpt)
        self.energy.on_figures = self.offers.take
        #: Energy of this process by job; None while nobody meters it.
        self.own_work: OwnWork | None = None
        self._own_ticked_at_s = 0.0
        self._orders = Orders(self)
        self.fetching = Fetching(
            rule.guard, self.now_s, lambda lease: self.value_failed(lease, mismatch=False)
        )
        self.offences = Offences(rule.guard, self.now_s, self.strike, self._expel)
        #: Connections that are open, joined or not.
        self.sockets: set[Socket] = set()
        self.watch = Watch(self)
        self.comparing, self.checking = self._orders.comparing, self._orders.checking
        self.tallies, self.belief = self._orders.tallies, policy.belief
        self._clock_offset_s = time.time() - time.monotonic()
        self._task_s = 1.0
        self._outlooks = Outlooks(self)
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
        self.checking.close()
        for session in tuple(self.sessions.values()):
            session.send(m.Goodbye("the gateway is closing"))
        for provider in tuple(self.sessions):
            self.leave(provider)
        self._tell_energy(now=True)
        self.memory.save(self.engine, self.writer, self.now_s(), now=True)
        self.watch.write()
        await asyncio.get_running_loop().run_in_executor(None, self.writer.close)

    def now_s(self) -> float:
        """Seconds since the epoch, by a clock that never goes back."""
        return self._clock_offset_s + time.monotonic()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                self.watch.tick()
                for socket in tuple(self.sockets):
                    socket.check_stalled(self.now_s())
                self._drop_stalled_fetches()
                self.comparing.give_up_late()
                self.checking.give_up_late()
                self.feed(ev.Ticked(self.now_s(), _chance()))
                self.memory.save(self.engine, self.writer, self.now_s())
                self.standing.make_room()
                self._update_slots()
                self._tell_presence()
                self._tell_energy()
                self._outlooks.tell(self.now_s())
            except Exception:
                # Without its clock no lease would ever expire again: say what broke and go on.
                logger.exception("The gateway's clock met an error")

    # ------------------------------------------------------------------ sessions

    def join(self, session: Session) -> None:
        """Seat a provider that finished its handshake."""
        if (former := self.sessions.get(session.provider.id)) is not None:
            self.leave(session.provider.id)
            former.hang_up("replaced")
        self.sessions[session.provider.id] = session
        session.provider = self.environments.tagged(session.provider, session.packages)
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
                granted.fetching = False
                self.fetching.ask(session, lease)
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
            self._orders.forget_lease(lease)
            session.forget(lease)
        self.energy.left(provider)
        self.offers.forget(provider)
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

    def _learn_needs(self, require: frozenset[str]) -> None:
        """A task needs packages that nobody was asked about: describe those who have them anew."""
        if not self.environments.learn(require):
            return
        for session in self.sessions.values():
            described = self.environments.tagged(session.provider, session.packages)
            if described.tags != session.provider.tags:
                session.provider = described
                self.feed(ev.ProviderJoined(described, self.now_s(), _chance()))

    # ------------------------------------------------------------------ energy

    def count_work(self, job: JobId) -> None:
        """Something was done for a job, so that this gateway's own energy is its, too."""
        if self.own_work is not None:
            self.own_work.count(job)

    def _tell_energy(self, *, now: bool = False) -> None:
        at_s = self.now_s()
        if self.own_work is not None and (now or at_s - self._own_ticked_at_s >= OWN_WORK_S):
            self._own_ticked_at_s = at_s
            grown = self.own_work.tick()
            self._write_energy(own_entries(f"{self._life}/own", grown, at_s))
        self.energy.flush()
        if not now:
            self.offers.flush()

    def _write_energy(self, entries: Sequence[EnergyEntry]) -> None:
        if entries:
            self.writer.write(lambda: self.writer.ledger.take_energy(entries))

    # ------------------------------------------------------------------ answers

    def answer(
        self, session: Session, lease: LeaseId, answer: Answer, cost_s: tuple[float, float]
    ) -> None:
        """Take in a commitment or an error; ``cost_s`` is CPU and wall seconds as claimed."""
        here = False
        if (submission := self._orders.submission_of(lease)) is not None:
            here = lease in submission.values
        if lease in session.leases:
            self._task_s += 0.05 * (max(cost_s[1], 1e-4) - self._task_s)
            self.feed(ev.AnswerArrived(lease, answer, *cost_s, here, self.now_s(), _chance()))
        else:
            session.send(m.Release((lease,)))

    def keep_value(self, lease: LeaseId, value: EncodedValue) -> None:
        """Keep the bytes of an answer, checked against its commitment, until the vote is over."""
        if (submission := self._orders.submission_of(lease)) is not None:
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

    def lacks_module(self, session: Session, lease: LeaseId, module: str) -> None:
        """Note why a provider gives a lease back: its environment lacks a module."""
        submission = self._orders.submission_of(lease)
        if submission is not None and (name := module_name(module)) is not None:
            submission.lacking.setdefault(name, set()).add(describe(session.provider))

    def _drop_stalled_fetches(self) -> None:
        """Give up on values that were asked for and of which nothing comes."""
        late = self.fetching.give_up_late(tuple(self.sessions.values()))
        for session, lease in late:
            session.forget(lease)
            self.value_failed(lease, mismatch=False)
        self.fetching.go_on()

    # ------------------------------------------------------------------ the engine

    def feed(self, event: ev.Event) -> None:
        """Hand an event to the engine and carry out what it answers."""
        self._orders.carry_out(self.engine.handle(event))

    def holder_of(self, lease: LeaseId) -> Session | None:
        """Return the session that a lease was granted to, None once it is over."""
        return self._orders.holder_of(lease)

    def _expel(self, provider: ProviderId) -> None:
        """End the session of a provider that broke too many rules, once its message is read."""
        asyncio.get_running_loop().call_soon(self.watch.drop, (provider,), "paused")

    def strike(self, provider: ProviderId, reason: str) -> None:
        """Note that a provider was caught."""
        self._orders.strike(provider, reason)

    def tally(self, job: JobId) -> dict[str, Any] | None:
        """Return what verification did for a job here, None if nothing of it was leased."""
        tally = self.tallies.find(job)
        return tally.to_plain() if tally is not None else None


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
