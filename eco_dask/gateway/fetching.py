"""Results on their way in: as many at a time as there is room for, the others in line.

    FetchValue ──ask──► line ──room, provider not busy──► Session.fetch ──► value, or given up

However many providers have results to send, the gateway holds no more than the room's bytes of
them. What waits is held by the providers, which have sworn to it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from eco_dask.config import GuardRule
from eco_dask.errors import WireError
from eco_dask.gateway.session import Session
from eco_dask.text import line
from eco_dask.types import LeaseId
from eco_dask.wire.values import Room

logger = logging.getLogger(__name__)


class Fetching:
    """The line of values to be fetched.

    Parameters
    ----------
    rule : GuardRule
        The limits.
    now_s : callable
        The gateway's clock.
    failed : callable
        Takes a lease whose value cannot be had.
    """

    def __init__(
        self, rule: GuardRule, now_s: Callable[[], float], failed: Callable[[LeaseId], None]
    ) -> None:
        self.room = Room(rule.arriving_bytes_max)
        #: Whether there is memory for more: a gateway that spills to disk takes nothing new.
        self.may_take: Callable[[], bool] = lambda: True
        self._rule = rule
        self._now_s = now_s
        self._failed = failed
        self._line: dict[LeaseId, Session] = {}

    def ask(self, session: Session, lease: LeaseId) -> None:
        """Fetch a value as soon as there is room."""
        self._line[lease] = session
        self.go_on()

    def forget(self, lease: LeaseId) -> None:
        """A lease is over."""
        self._line.pop(lease, None)

    def go_on(self) -> None:
        """Ask for what there is room for, in order."""
        if not self._line or not self.may_take():
            return
        for lease, session in tuple(self._line.items()):
            granted = session.leases.get(lease)
            if granted is None:
                del self._line[lease]
                continue
            if session.outbox is None or not self._may_send(session, granted.size_bytes):
                continue
            if not self.room.has(granted.size_bytes):
                # Who comes after it must not pass for ever.
                return
            del self._line[lease]
            self._start(session, lease)

    def _may_send(self, session: Session, size_bytes: int) -> bool:
        """Whether a provider gets more of the room now; nobody gets all of it."""
        here_bytes = session.assembler.outstanding_bytes
        share_bytes = self._rule.arriving_bytes_max // 4
        return here_bytes == 0 or here_bytes + size_bytes <= share_bytes

    def _start(self, session: Session, lease: LeaseId) -> None:
        try:
            session.fetch(lease, self._now_s(), self._rule.value_bytes_per_s_min)
        except WireError as error:
            # Its size is more than this connection carries: as good as not there.
            logger.warning("A value cannot be fetched: %s", line(str(error)))
            self._failed(lease)

    def give_up_late(self, sessions: Iterable[Session]) -> list[tuple[Session, LeaseId]]:
        """Return the values that were asked for and do not come, or too slowly."""
        at_s = self._now_s()
        return [(session, lease) for session in sessions for lease in session.stalled(at_s)]
