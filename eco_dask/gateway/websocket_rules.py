"""What a WebSocket's peer may do below the level of messages: Tornado's protocol with our limits.

    frame ──before_frame──► read ──► message      what Tornado aborts ──broke──► a reason code

Tornado answers a frame that breaks the WebSocket rules by closing, without a word to the handler,
and reads control frames and fragments as fast as they come. Both matter here, so this module
overrides two of its private methods; tests show that it still does so.
"""

from __future__ import annotations

from typing import Any, Protocol

from tornado.websocket import WebSocketProtocol13, _WebSocketParams

_TOO_BIG = 1009


class Watched(Protocol):
    """The handler, as far as needed."""

    async def before_frame(self) -> None:
        """Wait until the peer may send another frame."""

    def broke(self) -> None:
        """The peer broke the WebSocket rules."""


class WatchedProtocol(WebSocketProtocol13):
    """The server's side of one WebSocket."""

    def __init__(self, handler: Any, params: _WebSocketParams) -> None:
        super().__init__(handler, False, params)
        self._watched: Watched = handler
        self._reading = False

    def allow_frames_of(self, size_bytes: int) -> None:
        """Take messages up to that size from now on."""
        self.params.max_message_size = size_bytes

    async def _receive_frame(self) -> None:
        await self._watched.before_frame()
        self._reading = True
        try:
            await super()._receive_frame()
        finally:
            self._reading = False

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close; Tornado gives this code when a message is too large."""
        if code == _TOO_BIG:
            self._watched.broke()
        super().close(code, reason)

    def _abort(self) -> None:
        # Of a peer that is gone the stream is closed, and a close of ours may time out.
        gone = self.server_terminated or self.stream is None or self.stream.closed()
        if self._reading and not gone:
            self._watched.broke()
        super()._abort()


def watched_protocol(
    handler: Any, *, ping_s: float, frame_bytes_max: int
) -> WatchedProtocol | None:
    """Return the protocol for a request, None if it asks for another version."""
    if handler.request.headers.get("Sec-WebSocket-Version") != "13":
        return None
    params = _WebSocketParams(
        ping_interval=ping_s,
        ping_timeout=ping_s,
        max_message_size=frame_bytes_max,
        # Off: it would allow a small message to grow without bound.
        compression_options=None,
    )
    return WatchedProtocol(handler, params)
