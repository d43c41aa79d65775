"""Messages on their way out over a WebSocket: batched, in order, with back-pressure.

send(message), send_value(parts) ──► queue ──one frame per batch──► write
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator

from eco_dask.wire.frames import encode_frame
from eco_dask.wire.limits import WireLimits
from eco_dask.wire.messages import Evicted, Message, Receipted, Release, ValuePart

#: Messages that nobody waits for: they leave along with the next of another kind, or after this.
PATIENT = (Receipted, Release, Evicted)
PATIENCE_S = 0.05


class Outbox:
    """The one writer of a connection.

    Small messages that are queued together leave in one frame, and those that can wait do so for
    company: this is what makes small tasks cheap, as a frame costs both ends more than what is in
    it. The order is kept. A value leaves part by part, each part cut when its turn comes, so a
    500 MB value costs one part of memory beyond itself and never delays a ping for longer than one
    part takes.
    """

    def __init__(self, write: Callable[[bytes], Awaitable[None]], limits: WireLimits) -> None:
        self._write = write
        self._limits = limits
        self._queue: deque[Message | Iterator[ValuePart]] = deque()
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._timer: asyncio.TimerHandle | None = None

    def send(self, message: Message) -> None:
        """Queue a message."""
        self._queue.append(message)
        self._empty.clear()
        if not isinstance(message, PATIENT):
            self._filled.set()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._filled.set)

    def send_value(self, parts: Iterator[ValuePart]) -> None:
        """Queue a value; later messages leave after it."""
        self._queue.append(parts)
        self._empty.clear()
        self._filled.set()

    async def run(self) -> None:
        """Write until cancelled, or until the connection breaks."""
        while True:
            await self._filled.wait()
            if not (batch := self._next_batch()):
                self._filled.clear()
                self._empty.set()
                if self._timer is not None:
                    self._timer.cancel()
                    self._timer = None
                continue
            await self._write(encode_frame(batch))

    async def drain(self) -> None:
        """Wait until everything queued so far is written."""
        self._filled.set()
        await self._empty.wait()

    def _next_batch(self) -> list[Message]:
        batch: list[Message] = []
        size_bytes = 0
        # Half of the limits, so that headers and one more part always fit.
        while self._queue and len(batch) < self._limits.messages_max // 2:
            if size_bytes >= self._limits.frame_bytes_max // 2:
                break
            head = self._queue[0]
            if isinstance(head, Iterator):
                part = next(head, None)
                if part is None:
                    self._queue.popleft()
                    continue
                batch.append(part)
                # A part is as much as one write should hold up.
                break
            size_bytes += payload_bytes(head)
            if batch and size_bytes > self._limits.frame_bytes_max // 2:
                # A long sketch may need most of a frame.
                break
            batch.append(head)
            self._queue.popleft()
        return batch


def payload_bytes(message: Message) -> int:
    """Return the length of a message's raw buffers."""
    for name in ("task", "value", "data", "sketch"):
        buffer = getattr(message, name, None)
        if buffer is not None:
            return len(buffer)
    return 0
