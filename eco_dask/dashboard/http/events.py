"""Live updates as server-sent events: what changed, once a tick, until the viewer goes.

Snapshot ──access.live──► "event: snapshot", "data: {...}"
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from eco_dask.dashboard.http import access
from eco_dask.dashboard.http.base import EVERYBODY, ApiHandler, encode
from eco_dask.dashboard.model import Snapshot
from eco_dask.dashboard.view import TICK_S
from eco_dask.ledger.tokens import Scope

#: Viewers at a time; more are asked to come back later.
VIEWERS_MAX: Final = 200
#: Ticks after which the token is looked up again, and something is sent even if nothing changed.
_TICKS_QUIET: Final = 10


class Events(ApiHandler):
    """A stream that says what a snapshot says, without the providers."""

    audience = EVERYBODY
    parameters = ("limit",)
    _viewers: ClassVar[int] = 0
    #: The last message by scope: one encoding serves all viewers.
    _encoded: ClassVar[dict[str, tuple[Snapshot, bytes]]] = {}

    async def get(self) -> None:
        """Send until the viewer goes, or ``limit`` events were sent."""
        limit = self.ask_whole("limit", 0, 1, 1_000_000)
        if Events._viewers >= VIEWERS_MAX:
            self.set_header("Retry-After", "10")
            raise HTTPError(503, reason="too many viewers at a time; come back later")
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("X-Accel-Buffering", "no")
        Events._viewers += 1
        try:
            await self._send_all(limit)
        except StreamClosedError:
            # The viewer is gone, which is how this ends.
            return
        finally:
            Events._viewers -= 1

    async def _send_all(self, limit: int) -> None:
        last, sent, ticks = b"", 0, 0
        while True:
            body = self._body(await self.view.snapshot())
            if body != last:
                last, sent = body, sent + 1
                self.write(b"id: %d\nevent: snapshot\ndata: " % sent + body + b"\n\n")
            elif ticks % _TICKS_QUIET == 0:
                self.write(b": nothing new\n\n")
            await self.flush()
            if sent == limit:
                return
            await asyncio.sleep(TICK_S)
            ticks += 1
            if ticks % _TICKS_QUIET == 0 and await self._is_over():
                return

    async def _is_over(self) -> bool:
        try:
            return await self.find_scope() != self.scope
        except HTTPError:
            # Revoked or expired meanwhile.
            return True

    def _body(self, snapshot: Snapshot) -> bytes:
        known = Events._encoded.get(str(self.scope))
        if known is None or known[0] is not snapshot:
            known = Events._encoded[str(self.scope)] = snapshot, _encode(snapshot, self.scope)
            while len(Events._encoded) > VIEWERS_MAX:
                del Events._encoded[next(iter(Events._encoded))]
        return known[1]

    def compute_etag(self) -> str | None:
        """Return none: a stream has no end to take a tag of."""
        return None


def _encode(snapshot: Snapshot, scope: Scope) -> bytes:
    plain: dict[str, Any] = access.live(snapshot, scope)
    return encode(plain)
