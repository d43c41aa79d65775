"""One provider's WebSocket: frames in, messages in their order, whatever is wrong ends it.

dialled ──► Handshake ──joined──► Traffic ──► gone: the session's grace time begins
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from eco_dask.carrier import Outbox
from eco_dask.errors import WireError
from eco_dask.gateway.admission import Admission
from eco_dask.gateway.gateway import Gateway
from eco_dask.gateway.handshake import Handshake
from eco_dask.gateway.session import Session
from eco_dask.gateway.traffic import Traffic
from eco_dask.wire import messages as m
from eco_dask.wire.frames import decode_frame
from eco_dask.wire.messages import Direction
from eco_dask.wire.protocol import Conversation, Phase, Side

logger = logging.getLogger(__name__)

#: WebSocket close code for a peer that broke the protocol (RFC 6455, 7.4.2: private use).
CLOSE_VIOLATION = 4400


class ProviderSocket(WebSocketHandler):
    """One connection of one provider."""

    gateway: Gateway

    def initialize(self, gateway: Gateway, admission: Admission) -> None:
        """Take what Tornado's routing passes on."""
        self.gateway = gateway
        self._handshake = Handshake(gateway, admission, self)
        self._session: Session | None = None
        self._traffic: Traffic | None = None
        self._talk = Conversation(Side.GATEWAY)
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def address(self) -> str:
        """Where the peer dials from."""
        return self.request.remote_ip or ""

    def check_origin(self, origin: str) -> bool:  # noqa: ARG002  whichever page it is
        """Refuse browsers: no page has any business here."""
        return False

    def get_compression_options(self) -> None:
        """Leave compression off: it would allow a small message to grow without bound."""

    def open(self, *_: str, **__: str) -> None:
        """Challenge whoever dialled."""
        self.set_nodelay(True)
        self.outbox = Outbox(self._write, self.gateway.rule.limits)
        self.spawn(self.outbox.run())
        self._handshake.begin()
        loop = asyncio.get_running_loop()
        self._timeout = loop.call_later(self.gateway.rule.handshake_s, self._time_out)

    async def _write(self, frame: bytes) -> None:
        await self.write_message(frame, binary=True)

    def on_message(self, frame: str | bytes) -> None:
        """Take in a frame; whatever is wrong with it ends the connection."""
        try:
            if isinstance(frame, str):
                raise WireError("text-frame", "the protocol has binary messages only")
            for message in decode_frame(frame, Direction.TO_GATEWAY, self.gateway.rule.limits):
                self._talk.received(message)
                self._take(message)
        except WireError as error:
            self.violation(error)

    def _take(self, message: m.Message) -> None:
        if isinstance(message, m.Goodbye):
            if (session := self._session) is not None:
                session.outbox = None
                self._end_grace(session)
            self.close()
        elif self._traffic is not None:
            self._traffic.take(message)
        else:
            self._handshake.take(message)

    def on_close(self) -> None:
        """Give the provider its grace time to come back."""
        self._timeout.cancel()
        for task in self._tasks:
            task.cancel()
        session = self._session
        if session is None or session.outbox is not self.outbox:
            return
        self.gateway.away(session)
        grace_s = 0.0 if self._talk.phase is Phase.CLOSED else self.gateway.rule.grace_s
        asyncio.get_running_loop().call_later(grace_s, self._end_grace, session)

    def _end_grace(self, session: Session) -> None:
        gateway = self.gateway
        if session.outbox is None and gateway.sessions.get(session.provider.id) is session:
            logger.info("Provider %s left", session.provider.id)
            gateway.leave(session.provider.id)

    # ------------------------------------------------------------------ what the handshake needs

    def say(self, message: m.Message) -> None:
        """Send a message of the handshake."""
        self._talk.sent(message)
        self.outbox.send(message)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run until done, or until the connection is gone."""
        task = asyncio.get_running_loop().create_task(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def joined(self, session: Session) -> None:
        """The peer is a provider from now on."""
        self._timeout.cancel()
        self._session = session
        self._traffic = Traffic(self.gateway, session, self.spawn)
        session.outbox = self.outbox

    def violation(self, error: WireError) -> None:
        """End the connection of a peer that broke the protocol."""
        who = self._session.provider.id if self._session else self.request.remote_ip
        logger.warning("%s broke the provider protocol: %s", who, error)
        if self._session is not None:
            self.gateway.strike(self._session.provider.id, f"protocol: {error.code}")
        self.close(CLOSE_VIOLATION, error.code[:100])

    async def hang_up(self) -> None:
        """Close once everything is written."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.outbox.drain(), 2.0)
        self.close()

    def _time_out(self) -> None:
        self.close(CLOSE_VIOLATION, "handshake took too long")


async def _quietly(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run until done; a connection that closes meanwhile is no news, ``on_close`` sees it."""
    with contextlib.suppress(WebSocketClosedError, StreamClosedError):
        await coroutine
