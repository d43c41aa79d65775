"""The gateway's door: a WebSocket that providers dial.

    handshake (Admission) ──► Session ──► on_message ──► Gateway

Tornado serves it on the Dask worker's own event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import secrets
import ssl
from typing import Any, ClassVar

from distributed.utils import get_ip
from sqlalchemy.exc import SQLAlchemyError
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from eco_dask.carrier import Outbox
from eco_dask.errors import RegistrationError, WireError
from eco_dask.gateway.admission import Admission, Applicant
from eco_dask.gateway.arrivals import checked_value, decodable
from eco_dask.gateway.gateway import Gateway
from eco_dask.gateway.session import Session, provider_facts
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.types import Digest, LeaseId
from eco_dask.verification.attempt import ErrorAnswer, ValueAnswer
from eco_dask.wire import messages as m
from eco_dask.wire.frames import decode_frame
from eco_dask.wire.messages import PROTOCOL, Direction
from eco_dask.wire.protocol import Conversation, Phase, Side

logger = logging.getLogger(__name__)

#: Path of the provider protocol, version 1.
PATH = "/eco/v1/provider"
#: WebSocket close code for a peer that broke the protocol (RFC 6455, 7.4.2: private use).
CLOSE_VIOLATION = 4400


class ProviderSocket(WebSocketHandler):
    """One connection of one provider."""

    gateway: Gateway
    admission: Admission

    def initialize(self, gateway: Gateway, admission: Admission) -> None:
        """Take what Tornado's routing passes on."""
        self.gateway = gateway
        self.admission = admission
        self.session: Session | None = None
        self.applicant: Applicant | None = None
        self.resuming: Session | None = None
        self.talk = Conversation(Side.GATEWAY)
        self.nonce = secrets.token_bytes(32)
        self.tasks: set[asyncio.Task[Any]] = set()
        self.benchmark: asyncio.Future[m.BenchmarkDone] | None = None

    def check_origin(self, origin: str) -> bool:  # noqa: ARG002  whichever page it is
        """Refuse browsers: no page has any business here."""
        return False

    def get_compression_options(self) -> None:
        """Leave compression off: it would allow a small message to grow without bound."""

    def open(self, *_: str, **__: str) -> None:
        """Challenge whoever dialled."""
        self.set_nodelay(True)
        self.outbox = Outbox(self._write, self.gateway.rule.limits)
        self._spawn(self.outbox.run())
        self.say(m.Challenge(PROTOCOL, self.nonce))
        loop = asyncio.get_running_loop()
        self.timeout = loop.call_later(self.gateway.rule.handshake_s, self._time_out)

    async def _write(self, frame: bytes) -> None:
        await self.write_message(frame, binary=True)

    def say(self, message: m.Message) -> None:
        """Send a message of the handshake."""
        self.talk.sent(message)
        self.outbox.send(message)

    def on_message(self, frame: str | bytes) -> None:
        """Take in a frame; whatever is wrong with it ends the connection."""
        try:
            if isinstance(frame, str):
                raise WireError("text-frame", "the protocol has binary messages only")
            limits = self.gateway.rule.limits
            for message in decode_frame(frame, Direction.TO_GATEWAY, limits):
                self.talk.received(message)
                if self.session is not None:
                    self._on_joined(self.session, message)
                else:
                    self._on_handshake(message)
        except WireError as error:
            self._violation(error)

    def on_close(self) -> None:
        """Give the provider its grace time to come back."""
        self.timeout.cancel()
        for task in self.tasks:
            task.cancel()
        session = self.session
        if session is None or session.outbox is not self.outbox:
            return
        self.gateway.away(session)
        grace_s = 0.0 if self.talk.phase is Phase.CLOSED else self.gateway.rule.grace_s
        asyncio.get_running_loop().call_later(grace_s, self._end_grace, session)

    def _end_grace(self, session: Session) -> None:
        gateway = self.gateway
        if session.outbox is None and gateway.sessions.get(session.provider.id) is session:
            logger.info("Provider %s left", session.provider.id)
            gateway.leave(session.provider.id)

    # ------------------------------------------------------------------ handshake

    def _on_handshake(self, message: m.Message) -> None:
        match message:
            case m.Hello():
                self.applicant = Applicant(message, address=self.request.remote_ip or "")
            case m.Proof():
                if self.applicant is not None:
                    self._spawn(self._admit(self.applicant, message))
            case m.BenchmarkDone():
                if self.benchmark is not None and not self.benchmark.done():
                    self.benchmark.set_result(message)
            case m.Resumed(leases):
                if self.resuming is not None:
                    self._joined(self.resuming)
                    self.gateway.back(self.resuming, leases)
            case m.Goodbye():
                self.close()

    async def _admit(self, applicant: Applicant, proof: m.Proof) -> None:
        try:
            await self.admission.admit(applicant, proof, self.nonce)
            session = self._resumable(applicant)
            if session is None and self.admission.asks_benchmark(applicant):
                await self._measure(applicant)
            if session is None:
                session = await self.admission.open_session(applicant, self.gateway.rule.limits)
                self._welcome(session, resumed=False)
                self._joined(session)
                self.gateway.join(session)
                logger.info("Provider %s joined", provider_facts(session.provider))
            else:
                self.resuming = session
                self._welcome(session, resumed=True)
        except RegistrationError as error:
            self.say(m.Refused(error.code, str(error)))
            await self._hang_up()
        except WireError as error:
            self._violation(error)
        except SQLAlchemyError:
            logger.exception("The registry could not be asked about a provider")
            self.say(m.Refused("busy", "the registry cannot be reached now; try again later"))
            await self._hang_up()

    async def _measure(self, applicant: Applicant) -> None:
        rule = self.gateway.rule
        self.benchmark = asyncio.get_running_loop().create_future()
        seed = secrets.token_bytes(32)
        self.say(m.BenchmarkAsked(seed, rule.benchmark_steps, rule.benchmark_size))
        started_s = self.gateway.now_s()
        done = await self.benchmark
        elapsed_s = self.gateway.now_s() - started_s
        await self.admission.take_benchmark(applicant, seed, done, elapsed_s)

    def _resumable(self, applicant: Applicant) -> Session | None:
        session = self.gateway.sessions.get(applicant.provider)
        token = applicant.hello.session
        if session is None or not token or not hmac.compare_digest(session.token, token):
            return None
        return session

    def _welcome(self, session: Session, *, resumed: bool) -> None:
        rule = self.gateway.rule
        self.say(
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

    def _joined(self, session: Session) -> None:
        self.timeout.cancel()
        self.session = session
        session.outbox = self.outbox

    # ------------------------------------------------------------------ traffic

    def _on_joined(self, session: Session, message: m.Message) -> None:
        gateway = self.gateway
        match message:
            case m.Committed():
                self._on_committed(session, message)
            case m.Failed():
                if message.lease in session.leases:
                    error = ErrorAnswer(message.error_type, message.message, message.traceback)
                    cost_s = (message.cpu_s, message.wall_s)
                    gateway.answer(session, message.lease, error, cost_s)
                else:
                    session.send(m.Release((message.lease,)))
            case m.Declined(lease):
                self._on_declined(session, lease)
            case m.ValuePart():
                self._on_part(session, message)
            case m.ValueGone(lease):
                self._on_value_gone(session, lease)
            case m.Sketched():
                gateway.comparing.take(session, message)
            case m.Missing(lease, digests):
                granted = session.leases.get(lease)
                if granted is not None:
                    session.mirror.evicted(digests)
                    session.send_blobs(granted.package, digests, again=True)
            case m.Evicted(digests):
                session.mirror.evicted(digests)
            case m.Slots(slots, reason):
                logger.info("Provider %s: %d slots (%s)", session.provider.id, slots, reason)
                gateway.change_slots(session, slots)
            case m.Goodbye():
                self._end_grace_now(session)

    def _end_grace_now(self, session: Session) -> None:
        session.outbox = None
        self._end_grace(session)
        self.close()

    def _on_declined(self, session: Session, lease: LeaseId) -> None:
        granted = session.leases.get(lease)
        if granted is not None and granted.digest is not None:
            # It has answered: what it can still take back is the promise of the bytes.
            self._on_value_gone(session, lease)
        elif granted is not None:
            session.forget(lease)
            self.gateway.decline(lease)

    def _on_value_gone(self, session: Session, lease: LeaseId) -> None:
        if lease in session.leases and session.leases[lease].fetching:
            session.forget(lease)
            self.gateway.value_failed(lease, mismatch=False)

    def _on_committed(self, session: Session, message: m.Committed) -> None:
        lease = message.lease
        granted = session.leases.get(lease)
        if granted is None:
            session.send(m.Release((lease,)))
            return
        if granted.digest is not None:
            return
        if message.size_bytes > session.limits.value_bytes_max:
            raise WireError(
                "value-size",
                f"result of {message.size_bytes} bytes; at most "
                f"{session.limits.value_bytes_max} are taken",
            )
        granted.digest, granted.size_bytes = message.digest, message.size_bytes
        if len(message.value):
            value = checked_value(message.value, message.digest)
            if value is None or value.size_bytes != message.size_bytes:
                session.forget(lease)
                self.gateway.strike(session.provider.id, ReceiptReason.VALUE_MISMATCH)
                self.gateway.decline(lease)
                return
            self.gateway.keep_value(lease, value)
        answer = ValueAnswer(message.digest, message.size_bytes)
        self.gateway.answer(session, lease, answer, (message.cpu_s, message.wall_s))

    def _on_part(self, session: Session, part: m.ValuePart) -> None:
        try:
            data = session.assembler.feed(part)
        except WireError as error:
            if error.code != "digest-mismatch":
                raise
            self._fail_arriving(session, part.digest)
            return
        session.progress(part.digest, self.gateway.now_s())
        if data is not None:
            self._spawn(self._take_value(session, part.digest, data))

    async def _take_value(self, session: Session, digest: Digest, data: bytearray) -> None:
        """Accept a fetched value once it is known to decode: a client would choke on it later."""
        value = await asyncio.to_thread(decodable, data)
        if value is None:
            self._fail_arriving(session, digest)
            return
        for lease in tuple(session.arriving.get(digest, ())):
            matches = await self.gateway.comparing.matches(lease, value)
            if lease not in session.arriving.get(digest, ()):
                continue  # it ended meanwhile
            session.arriving[digest].remove(lease)
            session.leases[lease].fetching = False
            if matches:
                self.gateway.value_arrived(lease, value)
            else:
                self.gateway.value_failed(lease, mismatch=True)
        if not session.arriving.get(digest):
            session.arriving.pop(digest, None)

    def _fail_arriving(self, session: Session, digest: Digest) -> None:
        leases: list[LeaseId] = session.arriving.pop(digest, [])
        for lease in leases:
            self.gateway.value_failed(lease, mismatch=True)

    # ------------------------------------------------------------------ endings

    def _violation(self, error: WireError) -> None:
        who = self.session.provider.id if self.session else self.request.remote_ip
        logger.warning("%s broke the provider protocol: %s", who, error)
        if self.session is not None:
            self.gateway.strike(self.session.provider.id, f"protocol: {error.code}")
        self.close(CLOSE_VIOLATION, error.code[:100])

    def _time_out(self) -> None:
        self.close(CLOSE_VIOLATION, "handshake took too long")

    async def _hang_up(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.outbox.drain(), 2.0)
        self.close()

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(_quietly(coroutine))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def _quietly(coroutine: Any) -> None:
    """Run until done; a connection that closes meanwhile is no news, ``on_close`` sees it."""
    with contextlib.suppress(WebSocketClosedError, StreamClosedError):
        await coroutine


class ProviderServer:
    """Listens for providers on one address."""

    _KIND: ClassVar[dict[bool, str]] = {False: "ws", True: "wss"}

    def __init__(
        self, gateway: Gateway, admission: Admission, context: ssl.SSLContext | None
    ) -> None:
        rule = gateway.rule
        application = Application(
            [(PATH, ProviderSocket, {"gateway": gateway, "admission": admission})],
            websocket_max_message_size=rule.limits.frame_bytes_max,
            websocket_ping_interval=rule.ping_s,
            websocket_ping_timeout=rule.ping_s,
            log_function=lambda _: None,
        )
        self._server = HTTPServer(application, ssl_options=context, max_body_size=0)
        self._tls = context is not None
        self._host = rule.host
        self.port = 0

    def listen(self, port: int) -> None:
        """Start to listen; port 0 takes any free one.

        Raises
        ------
        OSError
            If the port is taken or the address is not this machine's.
        """
        sockets = bind_sockets(port, self._host)
        self.port = sockets[0].getsockname()[1]
        self._server.add_sockets(sockets)

    @property
    def address(self) -> str:
        """What providers on this network dial."""
        # Listening on every address is no address that anyone could dial.
        host = get_ip() if self._host in ("", "0.0.0.0", "::") else self._host  # noqa: S104
        host = f"[{host}]" if ":" in host else host
        return f"{self._KIND[self._tls]}://{host}:{self.port}"

    def stop(self) -> None:
        """Stop listening."""
        self._server.stop()
