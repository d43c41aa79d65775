"""Providers that nobody wants, many in one process: python hostile_peers.py KIND < links

    crowd ── each lease answered at once with one large value ──► sent when it is asked for
    flood ── small messages that nobody waits for, as fast as the line takes them

They run no task: each answers what it is told beforehand. It says "joined" once all have.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hostile_value import parts_of
from tornado.websocket import WebSocketClosedError

from eco_dask.agent.dialling import Connection, Introduction
from eco_dask.errors import EcoDaskError
from eco_dask.providers.detect import detect
from eco_dask.providers.identity import Identity
from eco_dask.providers.link import JoinLink
from eco_dask.types import Digest
from eco_dask.wire import messages as m
from eco_dask.wire.limits import WireLimits
from eco_dask.wire.values import split

#: A system that no machine here has: tasks that require it go to these only.
SYSTEM = "freebsd"
LIMITS = WireLimits()
FLOOD = [m.Evicted((Digest(bytes(32)),))] * 200


async def joined(link: str) -> Connection:
    """Join with a key of its own."""
    about = Introduction(
        link=JoinLink.parse(link),
        identity=Identity(Ed25519PrivateKey.generate()),
        capability=replace(detect(1, 1 << 30), os=SYSTEM, gpus=()),
        slots=1,
        cache_bytes=1 << 20,
        limits=LIMITS,
        ping_s=60.0,
    )
    connection = await Connection.dial(about)
    # Kept by the connection: a task that nobody holds may vanish.
    connection.writer = asyncio.create_task(connection.outbox.run())  # type: ignore[attr-defined]
    await connection.join(b"")
    return connection


async def answer(connection: Connection, size_bytes: int) -> None:
    """Answer every lease with the large value."""
    digest, parts = parts_of(size_bytes)
    total_bytes = sum(len(part) for part in parts)
    async for message in connection.messages():
        match message:
            case m.Lease(lease):
                connection.say(m.Committed(lease, digest, total_bytes, 0.01, 0.01, b""))
            case m.Fetch():
                connection.outbox.send_value(split(digest, parts, LIMITS.part_bytes))


async def flood(connection: Connection) -> None:
    """Send what nobody waits for, without a pause but for the line's own."""
    reading = asyncio.create_task(answer(connection, 0))
    while not reading.done():
        for message in FLOOD:
            connection.say(message)
        await connection.outbox.drain()


async def main(kind: str, size_bytes: int) -> None:
    """Join with all links on standard input, and go on until it ends."""
    links = sys.stdin.readline().split()
    # A few at a time, as no crowd comes in the same instant.
    room = asyncio.Semaphore(16)

    async def join_in_turn(link: str) -> Connection:
        async with room:
            return await joined(link)

    connections = await asyncio.gather(*map(join_in_turn, links))
    print("joined", flush=True)
    play = [flood(c) if kind == "flood" else answer(c, size_bytes) for c in connections]
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    playing = asyncio.gather(*play, return_exceptions=True)
    await asyncio.wait([playing, ended], return_when=asyncio.FIRST_COMPLETED)
    print("over", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(EcoDaskError, WebSocketClosedError, ConnectionError):
        asyncio.run(main(sys.argv[1], int(sys.argv[2])))
