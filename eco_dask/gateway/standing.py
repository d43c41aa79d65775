"""Whether what is here stands: lineage, gates and what is kept to do tasks again, as one.

told, released, forget ──► Lineage ──freed──► ResultsReleased ──► engine
stand(keys) ──► Gates ──GateReached──► engine ──OpenGate──► values may leave the gateway
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from typing import Any

from eco_dask.engine import events as ev
from eco_dask.gateway.gates import Gates
from eco_dask.gateway.lineage import NONE, Lineage
from eco_dask.gateway.retention import Retention
from eco_dask.gateway.submission import Submission
from eco_dask.types import BallotId


class Standing:
    """What results here rest on, until it is final.

    Parameters
    ----------
    life : str
        What gate ids start with.
    now_s : callable
        The gateway's clock.
    feed : callable
        Takes an event to the engine.
    revocable_bytes : int
        Memory for tasks that may have to be done again, in bytes.
    """

    def __init__(
        self,
        life: str,
        now_s: Callable[[], float],
        feed: Callable[[ev.Event], None],
        revocable_bytes: int,
    ) -> None:
        self._now_s = now_s
        self._feed = feed
        self.lineage = Lineage()
        self.gates = Gates(life, self.lineage, now_s, feed)
        self.retention = Retention(revocable_bytes)
        self._telling = False

    def told(self, ballot: BallotId, submission: Submission, *, a_value: bool) -> None:
        """Dask is told the end of a task now: note what the key's value rests on."""
        own = frozenset((ballot,))
        if a_value and not submission.future.done():
            self.lineage.computed(submission.key, own)
        else:
            # Nothing here rests on it.
            self.lineage.hold(own)
            self.lineage.drop(own)
            self.tell_freed()

    def forget(self, ballot: BallotId) -> Submission | None:
        """A ballot is settled, or came to nothing; return its task if it had been accepted."""
        self.lineage.settled(ballot)
        self.tell_freed()
        return self.retention.forget(ballot)

    def released(self, key: Any) -> None:
        """Dask let go of a key's value."""
        self.lineage.released(key)
        self.tell_freed()

    async def stand(self, keys: Iterable[Any]) -> list[Any]:
        """Wait until what these keys rest on stands; return those that were not found wrong."""
        keys, stood = list(keys), NONE
        # Meanwhile some may have been computed again, of other results.
        while rests_on := self.lineage.of(keys) - stood:
            stands = asyncio.get_running_loop().create_future()
            self.gates.wait(rests_on, stands.set_result)
            if not await stands:
                break
            stood |= rests_on
        return [key for key in keys if not self.lineage.is_wrong((key,))]

    def make_room(self) -> None:
        """Have the oldest tasks settled if more is kept than may be."""
        if excess := self.retention.excess():
            self._feed(ev.SettlingAsked(excess, self._now_s(), secrets.randbits(64)))

    def tell_freed(self) -> None:
        """Tell the engine, after the present event, which results nothing rests on any more."""
        if self.lineage.has_freed and not self._telling:
            self._telling = True
            asyncio.get_running_loop().call_soon(self._on_freed)

    def _on_freed(self) -> None:
        self._telling = False
        if freed := self.lineage.freed():
            self._feed(ev.ResultsReleased(freed, self._now_s(), secrets.randbits(64)))
