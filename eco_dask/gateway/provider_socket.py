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
from eco_dask.gateway.door import Door
from eco_dask.gateway.gateway import Gateway
from eco_dask.gateway.handshake import Handshake
from eco_dask.gateway.pace import Bucket
from eco_dask.gateway.session import Session
from eco_dask.gateway.traffic import Traffic
from eco_dask.gateway.websocket_rules import WatchedProtocol, watched_protocol
from eco_dask.text import line
from eco_dask.wire import messages as m
from eco_dask.wire.frames import decode_frame
from eco_dask.wire.messages import Direction
from eco_dask.wire.protocol import Conversation, Phase, Side

logger = logging.getLogger(__name__)

#: WebSocket close code for a peer that broke the protocol (RFC 6455, 7.4.2: private use).
CLOSE_VIOLATION = 4400
#: Bytes that nobody asked for and that count as one message.
BYTES_PER_MESSAGE = 16 * 1024
#: Seconds for which a peer may be held up before it counts as one that floods, and how much of
#: a second is forgiven each second.
HELD_UP_S_MAX, FORGIVEN = 10.0, 0.2
#: Pause between the frames of a peer that was told to go.
OVER_S = 0.1


class ProviderSocket(WebSocketHandler):
    """One connection of one provider."""

    gateway: Gateway

    def initialize(self, gateway: Gateway, admission: Admission, door: Door) -> None:
        """Take what Tornado's routing passes on."""
        self.gateway = gateway
        self._door = door
        guard = gateway.rule.guard
        self._handshake = Handshake(gateway, admission, self)
        self._session: Session | None = None
        self._traffic: Traffic | None = None
        self._talk = Conversation(Side.GATEWAY)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._pace = Bucket(guard.messages_per_s, guard.messages_burst, gateway.now_s())
        self._patience = Bucket(FORGIVEN, HELD_UP_S_MAX, gateway.now_s())
        self._over = False
        self._writing_since_s: float | None = None

    @property
    def address(self) -> str:
        """Where the peer dials from."""
        return self.request.remote_ip or ""

    def check_origin(self, origin: str) -> bool:  # noqa: ARG002  whichever page it is
        """Refuse browsers: no page has any business here."""
        return False

    def get_websocket_protocol(self) -> WatchedProtocol | None:
        """Return Tornado's protocol with our limits; a stranger's frames are short."""
        rule = self.gateway.rule
        return watched_protocol(
            self, ping_s=rule.ping_s, frame_bytes_max=rule.guard.stranger_bytes_max
        )

    def open(self, *_: str, **__: str) -> None:
        """Challenge whoever dialled."""
        self.set_nodelay(True)
        self.outbox = Outbox(self._write, self.gateway.rule.limits)
        self.spawn(self.outbox.run())
        if self.ws_connection is not None and self.ws_connection.stream is not None:
            self._door.spoke(self.ws_connection.stream)
        self._handshake.begin()
        self._set_timeout(self.gateway.rule.guard.hello_s)
        self.gateway.sockets.add(self)

    async def _write(self, frame: bytes) -> None:
        self._writing_since_s = self.gateway.now_s()
        await self.write_message(frame, binary=True)
        self._writing_since_s = None

    # ------------------------------------------------------------------ frames

    async def before_frame(self) -> None:
        """Hold up a peer that is faster than it may be: it is not read meanwhile."""
        if self._over:
            await asyncio.sleep(OVER_S)
            return
        wait_s = self._pace.wait_s(1, self.gateway.now_s())
        if wait_s > 0:
            if not self._patience.take(wait_s, self.gateway.now_s()):
                self.violation(WireError("message-rate", "more messages than anybody may send"))
            await asyncio.sleep(wait_s)

    def broke(self) -> None:
        """End the connection of a peer that broke the rules of WebSockets."""
        self.violation(WireError("websocket", "broke the rules of WebSockets, or sent too much"))

    def on_message(self, frame: str | bytes) -> None:
        """Take in a frame; whatever is wrong with it ends the connection."""
        if self._over:
            return
        try:
            if isinstance(frame, str):
                raise WireError("text-frame", "the protocol has binary messages only")
            useless = 0
            for message in decode_frame(frame, Direction.TO_GATEWAY, self.gateway.rule.limits):
                self._talk.received(message)
                useless += not self._take(message)
            if not useless:
                self._pace.give_back(1)
            else:
                cost = useless - 1 + len(frame) / BYTES_PER_MESSAGE
                self._pace.wait_s(cost, self.gateway.now_s())
        except WireError as error:
            self.violation(error)

    def _take(self, message: m.Message) -> bool:
        """Take in a message; say whether somebody waited for it."""
        if isinstance(message, m.Goodbye):
            if (session := self._session) is not None:
                session.outbox = None
                self._end_grace(session)
            self._over = True
            self.close()
        elif self._session is not None and isinstance(message, m.NewKey):
            self.spawn(self._handshake.take_key(self._session, message))
        elif self._traffic is not None:
            return self._traffic.take(message)
        else:
            self._handshake.take(message)
        return False

    def on_close(self) -> None:
        """Give the provider its grace time to come back."""
        self._over = True
        self.gateway.sockets.discard(self)
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

    def proven(self) -> None:
        """The peer has shown its key: it has more time for the rest."""
        self._set_timeout(self.gateway.rule.handshake_s)

    def joined(self, session: Session) -> None:
        """The peer is a provider from now on, on this connection alone."""
        self._timeout.cancel()
        former = session.hang_up
        self._session = session
        self._traffic = Traffic(self.gateway, session, self.spawn)
        session.outbox, session.hang_up = self.outbox, self.hang_up_now
        former("replaced")
        connection = self.ws_connection
        if isinstance(connection, WatchedProtocol):
            connection.allow_frames_of(self.gateway.rule.limits.frame_bytes_max)
            if connection.stream is not None:
                self._door.joined(self.address, connection.stream)

    # ------------------------------------------------------------------ endings

    def violation(self, error: WireError) -> None:
        """End the connection of a peer that broke the protocol, and note that it did."""
        if self._over:
            return
        self._over = True
        logger.info("%s: %s", self._name, line(str(error)))
        if (session := self._session) is not None:
            self.gateway.offences.by_provider(session.provider.id, error.code)
            if session.outbox is self.outbox:
                # No grace: its leases go to others now.
                session.outbox = None
                self._end_grace(session)
        else:
            self.gateway.offences.by_stranger(self.address, error.code)
        self.close(CLOSE_VIOLATION, error.code[:100])

    @property
    def _name(self) -> str:
        return self._session.provider.id if self._session is not None else self.address

    def check_stalled(self, at_s: float) -> None:
        """Drop a peer that does not read what it is sent."""
        since_s = self._writing_since_s
        if since_s is not None and at_s - since_s > self.gateway.rule.guard.stall_s:
            self.violation(WireError("slow-reader", "did not read for too long"))
            if self.ws_connection is not None and self.ws_connection.stream is not None:
                # A close frame would wait behind what is not read.
                self.ws_connection.stream.close()

    async def hang_up(self) -> None:
        """Close once everything is written."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.outbox.drain(), 2.0)
        self._over = True
        self.close()

    def hang_up_now(self, code: str) -> None:
        """Close; the session goes on elsewhere, or is over."""
        self._over = True
        self.close(CLOSE_VIOLATION, code)

    def _set_timeout(self, seconds: float) -> None:
        if (timeout := getattr(self, "_timeout", None)) is not None:
            timeout.cancel()
        loop = asyncio.get_running_loop()
        self._timeout = loop.call_later(seconds, self._time_out)

    def _time_out(self) -> None:
        self.violation(WireError("handshake-time", "handshake took too long"))


async def _quietly(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run until done; a connection that closes meanwhile is no news, ``on_close`` sees it."""
    with contextlib.suppress(WebSocketClosedError, StreamClosedError):
        await coroutine
