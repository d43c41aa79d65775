"""A hostile peer: speaks WebSocket and the provider protocol by hand, and stops where it likes.

TCP socket ──Line: any frame, whole or in pieces──► Attacker: handshake, messages, lies
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgpack
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

sys.path.insert(0, str(Path(__file__).parents[1] / "wire"))

import wire_samples

from eco_dask.gateway.server import PATH
from eco_dask.providers.capability import Capability
from eco_dask.providers.detect import software
from eco_dask.providers.identity import Identity
from eco_dask.values import EncodedValue, encode
from eco_dask.wire import messages as m
from eco_dask.wire.frames import decode_frame, encode_frame
from eco_dask.wire.layout import LAYOUTS
from eco_dask.wire.limits import WireLimits
from eco_dask.wire.messages import PROTOCOL, Direction

#: Longest wait for anything; a busy machine needs seconds.
PATIENCE_S = 25.0
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
#: A system that no machine here has: jobs that require it go to attackers only.
ONLY_ATTACKERS = "freebsd"
SOFTWARE = {k: v for k, v in software().items() if k != "protocol"}
_PROOF = next(sample for sample in wire_samples.SAMPLES if isinstance(sample, m.Proof))
MACHINE = Capability(
    cores=1,
    memory_bytes=1 << 30,
    gpus=(),
    os=ONLY_ATTACKERS,
    machine="x86_64",
    python=SOFTWARE["python"],
    numpy=SOFTWARE["numpy"],
)


class Hung(AssertionError):  # noqa: N818  a fact about the gateway
    """The gateway said nothing for too long."""


@dataclass
class Closed(Exception):  # noqa: N818  what a test waits for
    """The gateway ended the connection."""

    code: int = 0
    reason: str = ""


class Line:
    """A WebSocket by hand. ``source`` is the address of this machine that it dials from."""

    def __init__(self, address: str, source: str = "127.0.0.1", *, offer: str = "") -> None:
        host, _, port = address.rpartition("//")[2].rpartition(":")
        self.socket = socket.create_connection((host, int(port)), PATIENCE_S, (source, 0))
        self.patience_s = PATIENCE_S
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.raw(
            f"GET {PATH} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n{offer}"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._rest = b""
        while b"\r\n\r\n" not in self._rest:
            self._fill()
        self.response, self._rest = self._rest.split(b"\r\n\r\n", 1)
        if b" 101 " not in self.response.partition(b"\r\n")[0]:
            raise Closed(int(self.response.split(b" ", 2)[1]), self.response.decode("latin-1"))

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Closed(reason=str(error)) from error

    def send(self, payload: bytes, opcode: int = BINARY, *, flags: int = 0x80) -> None:
        """Send one WebSocket frame; ``flags`` are FIN and the reserved bits."""
        self.raw(self.header(len(payload), opcode, flags=flags) + payload)

    @staticmethod
    def header(size_bytes: int, opcode: int = BINARY, *, flags: int = 0x80) -> bytes:
        """Return a frame's header; its mask is zero, so the payload stays as it is."""
        if size_bytes < 126:
            length = bytes([0x80 | size_bytes])
        elif size_bytes < 1 << 16:
            length = bytes([0x80 | 126]) + struct.pack("!H", size_bytes)
        else:
            length = bytes([0x80 | 127]) + struct.pack("!Q", size_bytes)
        return bytes([flags | opcode]) + length + bytes(4)

    def receive(self, timeout_s: float | None = None) -> bytes:
        """Return the next binary message.

        Raises
        ------
        Closed
            The gateway ended the connection, in whichever way.
        Hung
            Nothing came.
        """
        self.socket.settimeout(timeout_s or self.patience_s)
        while True:
            first, second = self._take(2)
            size_bytes = second & 127
            if size_bytes > 125:
                width = 2 if size_bytes == 126 else 8
                size_bytes = int.from_bytes(self._take(width), "big")
            payload = self._take(size_bytes)
            match first & 15:
                case 2:
                    return payload
                case 9:
                    self.send(payload, PONG)
                case 8:
                    code = int.from_bytes(payload[:2], "big")
                    raise Closed(code, payload[2:].decode())

    def closed(self) -> Closed:
        """Wait until the gateway ends the connection; say how."""
        with contextlib.suppress(Hung):
            while True:
                try:
                    self.receive()
                except Closed as how:
                    self.close()
                    return how
        raise Hung("the gateway keeps a connection that it should end")

    def close(self) -> None:
        """Hang up without a word."""
        self.socket.close()

    def _take(self, count: int) -> bytes:
        while len(self._rest) < count:
            self._fill()
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken

    def _fill(self) -> None:
        try:
            more = self.socket.recv(1 << 20)
        except TimeoutError as error:
            raise Hung("the gateway says nothing") from error
        except OSError as error:
            raise Closed(reason=str(error)) from error
        if not more:
            raise Closed(reason="end of stream")
        self._rest += more


class Attacker:
    """A provider that says what it likes."""

    def __init__(self, address: str, identity: Identity | None = None, **line: Any) -> None:
        self.address = address
        self.identity = identity or Identity(Ed25519PrivateKey.generate())
        self.line = Line(address, **line)
        self.welcome: m.Welcome | None = None
        self._inbox: list[m.Message] = []
        self.nonce = self.expect(m.Challenge).nonce

    @property
    def id(self) -> str:
        """Its provider id."""
        return self.identity.provider_id

    # ------------------------------------------------------------------ handshake

    def hello(self, word: str = "", **changes: Any) -> m.Hello:
        """Return an honest Hello, or one with some fields changed."""
        plain = m.Hello(PROTOCOL, self.identity.public_key, SOFTWARE, word, b"", 4)
        return replace(plain, **changes)

    def proof(self, **changes: Any) -> m.Proof:
        """Return an honest Proof, or one with some fields changed."""
        signature = self.identity.sign_challenge(self.nonce, b"")
        honest = {"signature": signature, "capability": MACHINE.to_map(), "cache_bytes": 1 << 20}
        return replace(_PROOF, **honest | changes)

    def join(
        self, invite: str = "", hello: Mapping[str, Any] | None = None, **proof: Any
    ) -> m.Welcome:
        """Join; raises :class:`Refusal` where the gateway refuses."""
        self.say(self.hello(invite, **hello or {}), self.proof(**proof))
        answer = self.expect(m.Welcome, m.Refused)
        if isinstance(answer, m.Refused):
            self.line.close()
            raise Refusal(answer.code, answer.message)
        if answer.resumed:
            self.say(m.Resumed(answer.leases))
        self.welcome = answer
        return answer

    def again(self, *, session: bytes | None = None) -> Attacker:
        """Dial again with the same key, resuming the session unless told otherwise."""
        twin = Attacker(self.address, self.identity)
        token = self.welcome.session if self.welcome is not None and session is None else session
        twin.join(hello={"session": token or b""})
        return twin

    # ------------------------------------------------------------------ messages

    def say(self, *messages: m.Message) -> None:
        """Send messages in one frame."""
        self.line.send(encode_frame(messages))

    def expect(self, *kinds: type, where: Callable[[Any], bool] = lambda _: True) -> Any:
        """Return the next message of some kinds, and keep the others for later."""
        for number, message in enumerate(self._inbox):
            if isinstance(message, kinds) and where(message):
                return self._inbox.pop(number)
        # Other messages must not renew the patience.
        deadline_s = time.monotonic() + self.line.patience_s
        while True:
            frame = self.line.receive(max(0.01, deadline_s - time.monotonic()))
            messages = decode_frame(frame, Direction.TO_PROVIDER, WireLimits())
            for number, message in enumerate(messages):
                if isinstance(message, kinds) and where(message):
                    self._inbox += messages[number + 1 :]
                    return message
                self._inbox.append(message)
            if time.monotonic() > deadline_s:
                raise Hung(f"none of {kinds} came, only {self._inbox}")

    def heard(self, kind: type, timeout_s: float = 0.5) -> Any:
        """Return the next message of a kind, None if none comes soon."""
        patience_s, self.line.patience_s = self.line.patience_s, timeout_s
        try:
            return self.expect(kind)
        except Hung:
            return None
        finally:
            self.line.patience_s = patience_s

    def commit(self, lease: str, answer: object, **changes: Any) -> m.Committed:
        """Swear to a value, or to something else; return what was said."""
        encoded = answer if isinstance(answer, EncodedValue) else encode(answer)
        data = b"".join(encoded.parts())
        plain = m.Committed(lease, encoded.digest, len(data), 0.001, 0.001, data)
        said = replace(plain, **changes)
        self.say(said)
        return said

    def receipt(self, lease: str) -> m.Receipted:
        """Wait for what became of a lease."""
        return self.expect(m.Receipted, where=lambda r: r.lease == lease)

    def still_there(self) -> bool:
        """Whether the gateway still listens: it releases what it does not know."""
        probe = f"probe-{os.urandom(4).hex()}"
        self.say(m.Failed(probe, "E", "", "", 0.0, 0.0))
        self.expect(m.Release, where=lambda r: probe in r.leases)
        return True

    def leave(self) -> None:
        """Say goodbye, so that nobody waits for it."""
        with contextlib.suppress(Closed):
            self.say(m.Goodbye("done"))
        self.line.close()


@dataclass
class Refusal(Exception):  # noqa: N818  what a test waits for
    """The gateway did not let it in."""

    code: str
    message: str


def frame_of(message: m.Message, changes: Mapping[str, object]) -> bytes:
    """Write a frame as the protocol does, with header fields replaced by anything."""
    layout = LAYOUTS[type(message)]
    header_names = layout.names[: len(layout.predicates)]
    values = [
        changes.get(name, value)
        for name, value in zip(header_names, layout.header_of(message), strict=True)
    ]
    buffers = [
        changes.get(name, value)
        for name, value in zip(
            layout.names[len(header_names) :], layout.buffers_of(message), strict=True
        )
    ]
    return framed([[layout.code, values, [len(b) for b in buffers]]], buffers)


def framed(header: object, buffers: Iterable[bytes] = ()) -> bytes:
    """Write a frame with any header."""
    packed = header if isinstance(header, bytes) else msgpack.packb(header)
    return struct.pack("!I", len(packed)) + packed + b"".join(buffers)
