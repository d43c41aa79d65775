"""Stops and goes on when the owner, or whatever the owner wants, says so.

pause(reason) ──► Slots(0), the runner frozen, what has not started given back
... for too long, or near a deadline ──► given back as well, the runner ended
"""

from __future__ import annotations

import time
from collections.abc import Callable

from eco_dask.agent.runner_process import RunnerProcess
from eco_dask.types import LeaseId
from eco_dask.wire import messages as m

#: What is left of a deadline when a frozen task goes back: time for another provider to begin.
MARGIN_S, MARGIN_SHARE = 10.0, 0.25
#: Why leases go back.
PAUSED = "paused"


class Pausing:
    """Whether one provider works, and the deadlines of what it holds.

    Parameters
    ----------
    runner : RunnerProcess
        Is frozen and thawed.
    say : callable
        Sends a message.
    decline : callable
        Gives a lease back, with a reason code and words.
    waiting : callable
        Leases that the runner does not have.
    on_resume : callable
        Goes on with the work.
    """

    def __init__(
        self,
        runner: RunnerProcess,
        say: Callable[[m.Message], bool],
        decline: Callable[[LeaseId, str, str], None],
        waiting: Callable[[], tuple[LeaseId, ...]],
        on_resume: Callable[[], None],
    ) -> None:
        self._runner = runner
        self._say = say
        self._decline = decline
        self._waiting = waiting
        self._on_resume = on_resume
        self._slots = 1
        self._since_s = 0.0
        #: When each lease must be answered, and how long it had.
        self._due_s: dict[LeaseId, tuple[float, float]] = {}
        #: Why it pauses, in words; empty while it works.
        self.reason = ""
        #: Takes nothing new, and finishes what it has.
        self.finishing = False

    @property
    def closed(self) -> bool:
        """Whether nothing new is taken."""
        return bool(self.reason) or self.finishing

    def took(self, lease: m.Lease) -> bool:
        """Note the deadline of a lease; False if it went back at once."""
        self._due_s[lease.lease] = (time.monotonic() + lease.deadline_s, lease.deadline_s)
        if self.closed:
            # It crossed the word of the pause.
            self._decline(lease.lease, PAUSED, self.reason or "the owner finishes")
            return False
        return True

    def over(self, lease: LeaseId) -> None:
        """A lease is not held any more."""
        self._due_s.pop(lease, None)

    def welcomed(self, slots: int) -> None:
        """A connection began, with so many slots; the gateway does not know of a pause."""
        self._slots = slots
        if self.closed:
            self._tell()

    async def pause(self, reason: str) -> None:
        """Stop, or say another reason for the pause."""
        fresh = not self.reason
        if reason == self.reason:
            return
        self.reason = reason
        self._tell()
        if fresh:
            self._since_s = time.monotonic()
            await self._runner.set_frozen(True)
            for lease in self._waiting():
                self._decline(lease, PAUSED, reason)

    async def resume(self) -> None:
        """Go on."""
        if not self.reason:
            return
        self.reason = ""
        await self._runner.set_frozen(False)
        self._tell()
        if not self.finishing:
            self._on_resume()

    def finish(self) -> None:
        """Take nothing new."""
        self.finishing = True
        self._tell()

    def go_on(self) -> None:
        """Take new work again after :meth:`finish`."""
        if self.finishing:
            self.finishing = False
            self._tell()
            self._on_resume()

    def give_back_late(self, after_s: float) -> None:
        """Give frozen tasks back that would miss their deadlines, or after a long pause all."""
        if not self.reason:
            return
        at_s = time.monotonic()
        long = at_s - self._since_s >= after_s
        late = [
            lease
            for lease, (due_s, span_s) in self._due_s.items()
            if long or due_s - at_s < max(MARGIN_S, MARGIN_SHARE * span_s)
        ]
        for lease in late:
            self._decline(lease, PAUSED, self.reason)
        if late and not self._due_s:
            # Nobody waits for any of it, and its memory is the owner's.
            self._runner.kill()

    def _tell(self) -> None:
        slots = 0 if self.closed else self._slots
        self._say(m.Slots(slots, (self.reason or ("finishing" if self.finishing else ""))[:256]))
