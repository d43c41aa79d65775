"""One connection to a gateway: dial, check the certificate, say who we are, be let in.

JoinLink, Identity ──dial──► Connection(welcome, outbox, messages)
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from eco_dask.agent.energy import EnergyPlan
from eco_dask.agent.toll import Toll
from eco_dask.agent.trimming import trim
from eco_dask.carrier import Outbox
from eco_dask.errors import RegistrationError, WireError
from eco_dask.providers.benchmark import SIZE_MAX, run_benchmark
from eco_dask.providers.capability import Capability
from eco_dask.providers.detect import software
from eco_dask.providers.identity import Identity
from eco_dask.providers.link import JoinLink
from eco_dask.providers.pins import check_fingerprint, client_context
from eco_dask.text import line
from eco_dask.wire import messages as m
from eco_dask.wire.frames import decode_frame
from eco_dask.wire.limits import WireLimits
from eco_dask.wire.messages import PROTOCOL, Direction
from eco_dask.wire.protocol import Conversation, Side, require_version

#: Path of the provider protocol; its versions are told by its first message.
PATH = "/eco/v1/provider"
_CONNECT_S = 15.0


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a provider says of itself when it dials."""

    link: JoinLink
    identity: Identity
    capability: Capability
    slots: int
    cache_bytes: int
    limits: WireLimits
    #: How fast bytes may pass.
    toll: Toll = field(default_factory=Toll, kw_only=True)
    ping_s: float = 10.0
    #: The machine's meters, and what its owner declares.
    energy: EnergyPlan = field(default_factory=EnergyPlan)
    #: What tasks can import, as ``name==version``; empty where that is unknown.
    packages: tuple[str, ...] = ()


class Connection:
    """A dialled connection; :meth:`join` goes through the handshake."""

    def __init__(
        self, socket: WebSocketClientConnection, about: Introduction, binding: bytes = b""
    ) -> None:
        self._socket = socket
        #: SHA-256 of the certificate that the gateway showed, empty for plain text.
        self._binding = binding
        #: What the gateway drew for this connection.
        self.nonce = b""
        self._about = about
        self._talk = Conversation(Side.PROVIDER)
        self.outbox = Outbox(self._write, about.limits)
        self._incoming = self._read()

    @classmethod
    async def dial(cls, about: Introduction) -> Connection:
        """Connect, and check that it is the gateway of the link.

        Raises
        ------
        RegistrationError
            If the certificate is another one.
        OSError
            If nobody answers there.
        """
        link = about.link
        pinned = client_context(link.fingerprint) if link.fingerprint else None
        request = HTTPRequest(
            f"{link.address}{PATH}", ssl_options=pinned, connect_timeout=_CONNECT_S
        )
        socket = await websocket_connect(
            request,
            max_message_size=about.limits.frame_bytes_max,
            ping_interval=about.ping_s,
            ping_timeout=about.ping_s,
        )
        binding = b""
        if pinned is not None:
            certificate = _certificate_of(socket)
            check_fingerprint(certificate, link.fingerprint)
            binding = hashlib.sha256(certificate or b"").digest()
        return cls(socket, about, binding)

    async def _write(self, frame: bytes) -> None:
        wait_s = self._about.toll.going_up(len(frame), time.monotonic())
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        await self._socket.write_message(frame, binary=True)

    async def join(self, session: bytes) -> m.Welcome:
        """Go through the handshake; ``session`` resumes an earlier one.

        Raises
        ------
        RegistrationError
            If the gateway refuses, with its code and message.
        WireError
            If it is no gateway of this protocol.
        ConnectionError
            If the connection ends meanwhile.
        """
        async for message in self.messages():
            match message:
                case m.Challenge(protocol, nonce):
                    require_version(protocol)
                    self.nonce = nonce
                    self._introduce(nonce, session)
                case m.BenchmarkAsked(seed, steps, size):
                    if size > SIZE_MAX:
                        raise WireError(
                            "benchmark-size",
                            f"the gateway asks for matrices of {size} rows; {SIZE_MAX} is the most",
                        )
                    run = await asyncio.to_thread(
                        run_benchmark, seed, steps, size, time.perf_counter, time.process_time
                    )
                    # Its matrices are gone, and an idle agent should be small.
                    trim()
                    self.say(m.BenchmarkDone(tuple(run.digests), run.elapsed_s, run.cpu_s))
                case m.Welcome():
                    return message
                case m.Refused(code, text):
                    raise RegistrationError(line(code, 64), line(text, 1000))
                case m.Goodbye(reason):
                    raise ConnectionError(f"the gateway said goodbye: {line(reason)}")
        raise ConnectionError("the gateway closed the connection during the handshake")

    def _introduce(self, nonce: bytes, session: bytes) -> None:
        about = self._about
        self.say(
            m.Hello(
                protocol=PROTOCOL,
                public_key=about.identity.public_key,
                software={k: v for k, v in software().items() if k != "protocol"},
                invite=about.link.invite,
                session=session,
                slots=about.slots,
            )
        )
        signature = about.identity.sign_challenge(nonce, self._binding)
        facts: dict[str, Any] = about.capability.to_map()
        self.say(
            m.Proof(
                signature, facts, about.cache_bytes, about.packages, about.energy.declared.to_map()
            )
        )

    def say(self, message: m.Message) -> None:
        """Send a message."""
        self._talk.sent(message)
        self.outbox.send(message)

    def messages(self) -> AsyncIterator[m.Message]:
        """Yield what the gateway says, each message once, until the connection ends.

        Raises
        ------
        WireError
            If it breaks the protocol.
        """
        # One iterator for handshake and traffic: the first leases may share a frame with Welcome.
        return self._incoming

    async def _read(self) -> AsyncIterator[m.Message]:
        while (frame := await self._socket.read_message()) is not None:
            if isinstance(frame, str):
                raise WireError("text-frame", "the protocol has binary messages only")
            wait_s = self._about.toll.came_down(len(frame), time.monotonic())
            for message in decode_frame(frame, Direction.TO_PROVIDER, self._about.limits):
                self._talk.received(message)
                yield message
            if wait_s > 0:
                # What is not read holds the sender up.
                await asyncio.sleep(wait_s)

    async def close(self, reason: str | None = None) -> None:
        """Close; with a reason, say goodbye first."""
        if reason is not None:
            with contextlib.suppress(WireError, TimeoutError):
                self.say(m.Goodbye(reason))
                await asyncio.wait_for(self.outbox.drain(), 1.0)
        self._socket.close()


def _certificate_of(socket: WebSocketClientConnection) -> bytes | None:
    stream = socket.protocol.stream if socket.protocol is not None else None
    connected: Any = stream.socket if stream is not None else None
    certificate: bytes | None = connected.getpeercert(binary_form=True) if connected else None
    return certificate
