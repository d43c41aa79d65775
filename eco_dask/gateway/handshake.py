"""A stranger's way to a session: challenge, key, invite, benchmark, welcome.

Hello, Proof, BenchmarkDone, Resumed ──Handshake──► Admission ──► Session on its line
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from collections.abc import Coroutine
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from eco_dask.errors import RegistrationError, WireError
from eco_dask.gateway.admission import Admission, Applicant
from eco_dask.gateway.gateway import Gateway
from eco_dask.gateway.session import Session, provider_facts
from eco_dask.providers.identity import verify_succession
from eco_dask.wire import messages as m
from eco_dask.wire.messages import PROTOCOL

logger = logging.getLogger(__name__)

#: Refusal of who answers the benchmark falsely.
BENCHMARK_WRONG = "benchmark-wrong"


class Line(Protocol):
    """The connection, as far as a handshake needs it."""

    @property
    def address(self) -> str:
        """Where the peer dials from."""

    def say(self, message: m.Message) -> None:
        """Send a message of the handshake."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run until done, or until the connection is gone."""

    def violation(self, error: WireError) -> None:
        """End the connection of a peer that broke the protocol."""

    def proven(self) -> None:
        """The peer has shown its key."""

    async def hang_up(self) -> None:
        """Close once everything is written."""

    def joined(self, session: Session) -> None:
        """The peer is a provider from now on."""


class Handshake:
    """One connection until its provider has joined."""

    def __init__(self, gateway: Gateway, admission: Admission, line: Line) -> None:
        self._gateway = gateway
        self._admission = admission
        self._line = line
        self._nonce = secrets.token_bytes(32)
        self._applicant: Applicant | None = None
        self._resuming: Session | None = None
        self._benchmark: asyncio.Future[m.BenchmarkDone] | None = None

    def begin(self) -> None:
        """Challenge whoever dialled."""
        self._line.say(m.Challenge(PROTOCOL, self._nonce))

    def take(self, message: m.Message) -> None:
        """Take in a message that came in its order, Goodbye excepted."""
        match message:
            case m.Hello():
                self._applicant = Applicant(message, address=self._line.address)
            case m.Proof():
                if self._applicant is not None:
                    self._line.spawn(self._admit(self._applicant, message))
            case m.BenchmarkDone():
                if self._benchmark is not None and not self._benchmark.done():
                    self._benchmark.set_result(message)
            case m.Resumed(leases):
                if self._resuming is not None:
                    self._line.joined(self._resuming)
                    self._gateway.back(self._resuming, leases)

    async def take_key(self, session: Session, message: m.NewKey) -> None:
        """Let another key stand for the provider that has joined here."""
        applicant, gateway = self._applicant, self._gateway
        former = applicant.hello.public_key if applicant is not None else b""
        if not verify_succession(former, message.public_key, self._nonce, message.signature):
            self._line.violation(WireError("new-key", "the new key's signature does not fit"))
            return
        provider = session.provider.id
        try:
            await asyncio.to_thread(
                gateway.registry.rotate_key, provider, message.public_key, gateway.now_s()
            )
        except RegistrationError as error:
            self._line.violation(WireError("new-key", str(error)))
        except SQLAlchemyError:
            logger.exception("The new key of provider %s could not be written down", provider)
            session.hang_up("busy")
        else:
            logger.info("Provider %s has a new key", provider)
            session.send(m.KeyTaken(message.public_key))

    async def _admit(self, applicant: Applicant, proof: m.Proof) -> None:
        try:
            await self._admission.admit(applicant, proof, self._nonce)
            self._line.proven()
            self._require_welcome(applicant)
            session = self._resumable(applicant)
            if session is not None:
                self._resuming = session
                session.declared = applicant.declared
                self._welcome(session, resumed=True)
                return
            self._require_patience(applicant)
            if self._admission.asks_benchmark(applicant):
                await self._measure(applicant)
            session = await self._admission.open_session(applicant, self._gateway.fetching.room)
            self._welcome(session, resumed=False)
            self._line.joined(session)
            self._gateway.join(session)
            logger.info("Provider %s joined", provider_facts(session.provider))
        except RegistrationError as error:
            self._gateway.offences.by_stranger(self._line.address, f"refused: {error.code}")
            if error.code == BENCHMARK_WRONG and applicant.record is not None:
                # Looking into it has cost as much as a right one.
                self._gateway.offences.by_provider(applicant.record.id, error.code)
            await self._refuse(error.code, str(error))
        except WireError as error:
            self._line.violation(error)
        except SQLAlchemyError:
            logger.exception("The registry could not be asked about a provider")
            await self._refuse("busy", "the registry cannot be reached now; try again later")

    def _require_patience(self, applicant: Applicant) -> None:
        """Refuse who begins new sessions again and again."""
        record = applicant.record
        if record is not None and not self._gateway.offences.may_join(record.id):
            raise RegistrationError(
                "busy", f"provider {record.id} has joined too often lately; it may come back soon"
            )

    def _require_welcome(self, applicant: Applicant) -> None:
        """Refuse who broke too many rules lately, and one machine too many of an owner."""
        gateway, record = self._gateway, applicant.record
        if record is None:
            raise ValueError("the applicant was not admitted")
        if (pause_s := gateway.offences.pause_s(record.id)) > 0:
            raise RegistrationError(
                "paused",
                f"provider {record.id} broke the protocol too often; it may come back in "
                f"{pause_s:.0f} s",
            )
        others = sum(
            s.provider.owner == record.owner and s.provider.id != record.id
            for s in gateway.sessions.values()
        )
        if others >= gateway.rule.guard.connections_per_owner_max:
            raise RegistrationError(
                "owner-full",
                f"owner {record.owner} has {others} machines here already; the operator allows no "
                "more (eco-dask.gateway.guard.connections-per-owner)",
            )

    async def _refuse(self, code: str, reason: str) -> None:
        self._line.say(m.Refused(code, reason))
        await self._line.hang_up()

    async def _measure(self, applicant: Applicant) -> None:
        rule = self._gateway.rule
        self._benchmark = asyncio.get_running_loop().create_future()
        seed = secrets.token_bytes(32)
        self._line.say(m.BenchmarkAsked(seed, rule.benchmark_steps, rule.benchmark_size))
        started_s = self._gateway.now_s()
        done = await self._benchmark
        elapsed_s = self._gateway.now_s() - started_s
        await self._admission.take_benchmark(applicant, seed, done, elapsed_s)

    def _resumable(self, applicant: Applicant) -> Session | None:
        record, token = applicant.record, applicant.hello.session
        session = self._gateway.sessions.get(record.id) if record is not None else None
        if session is not None and hmac.compare_digest(session.token, token):
            return session
        # A token of an earlier life of this gateway is honest; one that is another's is not.
        if token and any(
            hmac.compare_digest(other.token, token) for other in self._gateway.sessions.values()
        ):
            self._gateway.offences.by_stranger(self._line.address, "stolen-session")
        return None

    def _welcome(self, session: Session, *, resumed: bool) -> None:
        rule = self._gateway.rule
        self._line.say(
            m.Welcome(
                provider=session.provider.id,
                owner=session.provider.owner,
                session=session.token,
                grace_s=rule.grace_s,
                inline_bytes_max=rule.inline_bytes_max,
                value_bytes_max=rule.limits.value_bytes_max,
                resumed=resumed,
                leases=tuple(session.leases) if resumed else (),
            )
        )
