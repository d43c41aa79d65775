"""The line to a gateway: dialled, kept, and dialled again for as long as the owner wants.

Introduction ──dial──► Connection ──► on_welcome, on_message; lost ──pause──► dial
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

from tornado.httpclient import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketError

from eco_dask.agent.dialling import Connection, Introduction
from eco_dask.errors import RegistrationError, WireError
from eco_dask.text import clean
from eco_dask.wire import messages as m

#: Refusals that time cures: a gateway that restarts, or that is full.
PASSING_CODES = frozenset({"busy", "restarting", "paused", "owner-full"})
_RECONNECT_S_FIRST = 0.25


class Line:
    """One provider's connection to one gateway, through all its interruptions.

    Parameters
    ----------
    on_welcome, on_message : callable
        Take what the gateway says: first a welcome on each connection, then the rest.
    on_change : callable
        Takes what the owner should know, in words.
    """

    def __init__(
        self,
        about: Introduction,
        on_welcome: Callable[[m.Welcome], None],
        on_message: Callable[[m.Message], None],
        *,
        reconnect_max_s: float = 30.0,
        on_change: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._about = about
        self._on_welcome = on_welcome
        self._on_message = on_message
        self._reconnect_max_s = reconnect_max_s
        self._on_change = on_change
        self._leaving = asyncio.Event()
        #: None between two connections.
        self.connection: Connection | None = None
        #: What the gateway said last when it let us in; None if a session cannot be resumed.
        self.welcome: m.Welcome | None = None

    def say(self, message: m.Message) -> bool:
        """Send, if there is a connection; return whether there was."""
        if self.connection is None:
            return False
        self.connection.say(message)
        return True

    def leave(self) -> None:
        """Say goodbye and end :meth:`run`."""
        self._leaving.set()

    async def run(self) -> None:
        """Stay connected until :meth:`leave` is called.

        Raises
        ------
        RegistrationError
            If the gateway refuses this provider for good.
        """
        pause_s = _RECONNECT_S_FIRST
        while not self._leaving.is_set():
            try:
                await self._one_connection()
                pause_s = _RECONNECT_S_FIRST
            except RegistrationError as error:
                if error.code not in PASSING_CODES:
                    raise
                self._on_change(f"The gateway asks to come back later: {error}")
            except (OSError, WebSocketError, WebSocketClosedError, HTTPError) as error:
                self._on_change(
                    f"No connection to {self._about.link.address}: {clean(str(error), 300)}"
                )
            except WireError as error:
                self._on_change(f"The gateway broke the protocol: {error}")
            if self._leaving.is_set():
                return
            # Full jitter: a thousand providers must not come back in the same instant.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), random.uniform(0.1, 1.0) * pause_s)
            pause_s = min(pause_s * 2, self._reconnect_max_s)

    async def _one_connection(self) -> None:
        connection = await Connection.dial(self._about)
        writer = asyncio.create_task(connection.outbox.run())
        reader = asyncio.create_task(self._converse(connection))
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            await asyncio.wait({reader, writer, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done() and not reader.done():
                await connection.close("the owner stops")
            elif writer.done():
                # Its error is the reader's too, which knows what the gateway said last.
                await asyncio.wait({reader}, timeout=1.0)
            if reader.done():
                reader.result()
        finally:
            self.connection = None
            for task in (reader, writer, leaving):
                task.cancel()
            await asyncio.gather(reader, writer, leaving, return_exceptions=True)
            await connection.close()

    async def _converse(self, connection: Connection) -> None:
        session = self.welcome.session if self.welcome is not None else b""
        welcome = await connection.join(session)
        self.welcome, self.connection = welcome, connection
        self._on_welcome(welcome)
        async for message in connection.messages():
            if isinstance(message, m.Goodbye):
                self.welcome = None
                raise ConnectionError(f"the gateway said goodbye: {clean(message.reason, 200)}")
            self._on_message(message)
