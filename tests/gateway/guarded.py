"""A gateway with its door open in this process, and peers that say what they like."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tornado.ioloop import IOLoop
from tornado.websocket import WebSocketClientConnection, websocket_connect

from eco_dask.config import engine_rule, gateway_rule
from eco_dask.gateway.admission import Admission
from eco_dask.gateway.certificate import ShownCertificate
from eco_dask.gateway.gateway import Gateway
from eco_dask.gateway.server import PATH, ProviderServer
from eco_dask.gateway.writer import BookWriter
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger
from eco_dask.providers.capability import Capability
from eco_dask.providers.detect import detect, software
from eco_dask.providers.identity import Identity
from eco_dask.providers.registry import Registry
from eco_dask.wire import messages as m
from eco_dask.wire.frames import decode_frame, encode_frame
from eco_dask.wire.limits import WireLimits

LIMITS = WireLimits()


class Door:
    """An open gateway, and what it knows."""

    def __init__(self, gateway: Gateway, server: ProviderServer) -> None:
        self.gateway, self.server = gateway, server
        self.registry = gateway.registry

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}{PATH}"

    def invite(self, owner: str = "ann", **options: Any) -> str:
        return self.registry.invite(owner, at_s=self.gateway.now_s(), **options)

    async def incidents(self) -> dict[str, int]:
        """Reason codes of what strangers did so far."""
        self.gateway.watch.write()
        await self.written()
        return {each.reason: each.count for each in self.registry.incidents.latest()}

    async def strikes(self, peer: Peer) -> list[str]:
        await self.written()
        return [strike.reason for strike in self.registry.strikes(peer.identity.provider_id)]

    async def written(self) -> None:
        """Wait until the books hold all that was queued."""
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        self.gateway.writer.write(lambda: loop.call_soon_threadsafe(done.set))
        await asyncio.wait_for(done.wait(), 10)


@asynccontextmanager
async def open_door(
    folder: Path,
    guard: dict[str, Any] | None = None,
    shown: ShownCertificate | None = None,
    **rules: Any,
) -> AsyncIterator[Door]:
    """Open a gateway on loopback; ``guard`` and ``rules`` change its settings."""
    rule = replace(gateway_rule(), host="127.0.0.1", **{"benchmark_steps": 0} | rules)
    rule = replace(rule, guard=replace(rule.guard, **(guard or {})))
    database = open_database(f"sqlite:///{folder / 'books.sqlite'}")
    ledger, registry = Ledger(database), Registry(database)
    writer = BookWriter(ledger, IOLoop.current())
    gateway = Gateway("gate", rule, engine_rule(), writer, registry)
    binding = shown.binding if shown is not None else bytes
    admission = Admission(registry, rule, binding, gateway.now_s)
    server = ProviderServer(gateway, admission, shown.context if shown is not None else None)
    if shown is not None:
        gateway.watch.looks.append(shown.refresh)
    server.listen(0)
    gateway.start()
    try:
        yield Door(gateway, server)
    finally:
        server.stop()
        await gateway.close()
        database.dispose()


class Peer:
    """A provider without an agent: it holds a key and says what a test tells it to say."""

    def __init__(self, door: Door, invite: str = "", identity: Identity | None = None) -> None:
        self.door = door
        self.invite = invite
        self.identity = identity or Identity(Ed25519PrivateKey.generate())
        self.capability: Capability = detect(1, 1 << 30)
        self.received: list[m.Message] = []

    async def dial(self) -> Peer:
        self.socket: WebSocketClientConnection = await websocket_connect(self.door.url)
        return self

    async def say(self, *messages: m.Message) -> None:
        await self.socket.write_message(encode_frame(messages), binary=True)

    async def send_bytes(self, frame: bytes) -> None:
        await self.socket.write_message(frame, binary=True)

    async def hear(self, kind: type[Any], timeout_s: float = 10.0) -> Any:
        """Wait for a message of a kind."""
        while True:
            for message in self.received:
                if isinstance(message, kind):
                    self.received.remove(message)
                    return message
            frame = await asyncio.wait_for(self.socket.read_message(), timeout_s)
            assert frame is not None, f"closed before {kind.__name__}: {self.closed_with}"
            self.received += decode_frame(frame, m.Direction.TO_PROVIDER, LIMITS)

    @property
    def closed_with(self) -> tuple[int | None, str | None]:
        return self.socket.close_code, self.socket.close_reason

    async def until_closed(self, timeout_s: float = 10.0) -> str | None:
        """Wait for the end of the connection and return the reason code that came with it."""
        while await asyncio.wait_for(self.socket.read_message(), timeout_s) is not None:
            pass
        return self.socket.close_reason

    def hello(self, **changes: Any) -> m.Hello:
        told = {k: v for k, v in software().items() if k != "protocol"}
        hello = m.Hello(m.PROTOCOL, self.identity.public_key, told, self.invite, b"", 1)
        return replace(hello, **changes)

    async def join(self, **changes: Any) -> m.Welcome:
        """Dial and go through the handshake."""
        await self.dial()
        await self.introduce(**changes)
        welcome: m.Welcome = await self.hear(m.Welcome)
        return welcome

    async def introduce(self, **changes: Any) -> None:
        challenge = await self.hear(m.Challenge)
        cache_bytes = changes.pop("cache_bytes", 1 << 20)
        signature = self.identity.sign_challenge(challenge.nonce, b"")
        facts: dict[str, Any] = self.capability.to_map()
        await self.say(self.hello(**changes), m.Proof(signature, facts, cache_bytes, (), {}))
