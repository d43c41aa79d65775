"""Rounds of comparison carried out: a fresh seed, the sketches of all answers, and their bytes.

    AskSketches ──seed──► bytes that are here, sketched in a thread ──┐
                └───────► SketchAsked ─► holder ─► Sketched ──────────┴─► SketchArrived
    bytes fetched later ──matches──► they are those of all its sketches, or the holder lied

A value that no sketch can be made of (too many parts) gets one that only equal bytes have.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from eco_dask.errors import ValueCodecError
from eco_dask.gateway.session import Session
from eco_dask.sketches import sketch_or_digest
from eco_dask.text import line
from eco_dask.types import LeaseId
from eco_dask.values import EncodedValue
from eco_dask.verification.compare import Agrees, agree
from eco_dask.verification.sketch import SEED_BYTES, Sketch
from eco_dask.wire import messages as m

logger = logging.getLogger(__name__)

#: Seconds in which a holder must send a sketch: one of 1 GiB takes a slow machine a few.
SKETCH_S = 30.0
#: Longer sketches are read in a thread, as every one is made in one.
INLINE_BYTES_MAX = 64 * 1024
#: Threads that make and read sketches at a time.
_THREADS = 2


@dataclass(slots=True, eq=False)
class _Asked:
    round: int
    seed: bytes
    session: Session
    due_at_s: float
    #: Its answer is here and being read.
    answered: bool = False


class Comparing:
    """Sketches asked for and given, by lease.

    Parameters
    ----------
    tell : callable
        Takes a lease, the number of its round and a sketch, or None if none will come. Never called
        from within :meth:`ask`.
    now_s : callable
        The gateway's clock.
    """

    def __init__(
        self, tell: Callable[[LeaseId, int, Sketch | None], None], now_s: Callable[[], float]
    ) -> None:
        self._tell = tell
        self._now_s = now_s
        self._asked: dict[LeaseId, _Asked] = {}
        #: What each holder said so far: of every round, as any of them may have decided.
        self._said: dict[LeaseId, list[tuple[bytes, Sketch]]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(_THREADS)

    def ask(
        self,
        number: int,
        here: Mapping[LeaseId, EncodedValue],
        there: Mapping[LeaseId, Session | None],
    ) -> None:
        """Start a round: ``here`` are answers whose bytes the gateway has, ``there`` the others."""
        seed = secrets.token_bytes(SEED_BYTES)
        for lease, value in here.items():
            self._spawn(self._sketch_here(lease, number, value, seed))
        for lease, session in there.items():
            if session is None:
                # Not at once: whoever asks is still carrying out what the engine ordered.
                asyncio.get_running_loop().call_soon(self._tell, lease, number, None)
                continue
            self._asked[lease] = _Asked(number, seed, session, self._now_s() + SKETCH_S)
            session.send(m.SketchAsked(lease, number, seed))

    def resend(self, session: Session) -> None:
        """Ask again what a provider may have missed while it was away."""
        for lease, asked in self._asked.items():
            if asked.session is session and not asked.answered:
                session.send(m.SketchAsked(lease, asked.round, asked.seed))

    def take(self, session: Session, message: m.Sketched) -> bool:
        """Take in what a provider sent, if it was asked for; say whether it was."""
        asked = self._asked.get(message.lease)
        if asked is None or asked.round != message.round or asked.session is not session:
            return False
        if asked.answered:
            return False
        asked.answered = True
        # The frame's buffer is shared by all its messages.
        data = bytes(message.sketch)
        if len(data) <= INLINE_BYTES_MAX:
            self._answered(message.lease, asked, _read(data))
        else:
            self._spawn(self._take_long(message.lease, asked, data))
        return True

    def give_up_late(self) -> None:
        """Wait no longer for sketches that are overdue."""
        at_s = self._now_s()
        late = [lease for lease, asked in self._asked.items() if asked.due_at_s <= at_s]
        for lease in late:
            if (asked := self._asked.pop(lease, None)) is not None:
                self._tell(lease, asked.round, None)

    def forget(self, lease: LeaseId) -> None:
        """Drop what is known of a lease that ended."""
        self._asked.pop(lease, None)
        self._said.pop(lease, None)

    async def matches(self, lease: LeaseId, value: EncodedValue) -> bool:
        """Say whether fetched bytes are those that all of a holder's sketches were made of."""
        for seed, said in tuple(self._said.get(lease, ())):
            own = await self._sketch_of(value, seed)
            if own is None or not isinstance(agree(own, said, 0.0), Agrees):
                return False
        return True

    async def _take_long(self, lease: LeaseId, asked: _Asked, data: bytes) -> None:
        async with self._room:
            sketch = await asyncio.to_thread(_read, data)
        self._answered(lease, asked, sketch)

    def _answered(self, lease: LeaseId, asked: _Asked, sketch: Sketch | None) -> None:
        if self._asked.get(lease) is not asked:
            return  # it was given up or forgotten, or asked again, while it was read
        del self._asked[lease]
        if sketch is not None:
            self._said.setdefault(lease, []).append((asked.seed, sketch))
        self._tell(lease, asked.round, sketch)

    async def _sketch_here(
        self, lease: LeaseId, number: int, value: EncodedValue, seed: bytes
    ) -> None:
        self._tell(lease, number, await self._sketch_of(value, seed))

    async def _sketch_of(self, value: EncodedValue, seed: bytes) -> Sketch | None:
        async with self._room:
            try:
                return await asyncio.to_thread(sketch_or_digest, value, seed, m.SKETCHED_BYTES_MAX)
            except ValueCodecError as error:
                # It decodes and yet is not of the codec's making: no honest runner writes that.
                logger.warning("A provider's value has no sketch: %s", line(str(error)))
                return None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)


def _read(data: bytes) -> Sketch | None:
    if not data:
        return None
    try:
        return Sketch.from_bytes(data)
    except ValueCodecError as error:
        logger.warning("A provider's sketch cannot be read: %s", line(str(error)))
        return None
