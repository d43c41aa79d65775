"""Rounds of comparison carried out: a fresh seed, the sketches of all answers, and their bytes.

    AskSketches ──seed──► bytes that are here, sketched in a thread ──┐
                └───────► SketchAsked ─► holder ─► Sketched ──────────┴─► SketchArrived
    bytes fetched later ──matches──► they are those of the sketch, or the holder lied

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
from eco_dask.types import LeaseId
from eco_dask.values import EncodedValue
from eco_dask.verification.compare import Agrees, agree
from eco_dask.verification.sketch import SEED_BYTES, Sketch
from eco_dask.wire import messages as m

logger = logging.getLogger(__name__)

#: Seconds in which a holder must send a sketch: one of 1 GiB takes a slow machine a few.
SKETCH_S = 30.0


@dataclass(slots=True)
class _Asked:
    round: int
    seed: bytes
    session: Session
    due_at_s: float


class Comparing:
    """Sketches asked for and given, by lease.

    Parameters
    ----------
    tell : callable
        Takes a lease, the number of its round and a sketch, or None if none will come.
    now_s : callable
        The gateway's clock.
    """

    def __init__(
        self, tell: Callable[[LeaseId, int, Sketch | None], None], now_s: Callable[[], float]
    ) -> None:
        self._tell = tell
        self._now_s = now_s
        self._asked: dict[LeaseId, _Asked] = {}
        self._said: dict[LeaseId, tuple[bytes, Sketch]] = {}
        self._work: set[asyncio.Task[None]] = set()

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
            if asked.session is session:
                session.send(m.SketchAsked(lease, asked.round, asked.seed))

    def take(self, session: Session, message: m.Sketched) -> None:
        """Take in what a provider sent; what was not asked of it is ignored."""
        asked = self._asked.get(message.lease)
        if asked is None or asked.round != message.round or asked.session is not session:
            return
        del self._asked[message.lease]
        sketch = _read(message)
        if sketch is not None:
            self._said[message.lease] = (asked.seed, sketch)
        self._tell(message.lease, message.round, sketch)

    def give_up_late(self) -> None:
        """Wait no longer for sketches that are overdue."""
        at_s = self._now_s()
        late = [lease for lease, asked in self._asked.items() if asked.due_at_s <= at_s]
        for lease in late:
            asked = self._asked.pop(lease)
            self._tell(lease, asked.round, None)

    def forget(self, lease: LeaseId) -> None:
        """Drop what is known of a lease that ended."""
        self._asked.pop(lease, None)
        self._said.pop(lease, None)

    async def matches(self, lease: LeaseId, value: EncodedValue) -> bool:
        """Say whether fetched bytes are those that a holder's sketch was made of."""
        said = self._said.get(lease)
        if said is None:
            return True
        seed, sketch = said
        own = await asyncio.to_thread(sketch_or_digest, value, seed)
        return isinstance(agree(own, sketch, 0.0), Agrees)

    async def _sketch_here(
        self, lease: LeaseId, number: int, value: EncodedValue, seed: bytes
    ) -> None:
        sketch = await asyncio.to_thread(sketch_or_digest, value, seed)
        self._tell(lease, number, sketch)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)


def _read(message: m.Sketched) -> Sketch | None:
    if not len(message.sketch):
        return None
    try:
        return Sketch.from_bytes(message.sketch)
    except ValueCodecError as error:
        logger.warning("A provider's sketch for lease %s cannot be read: %s", message.lease, error)
        return None
