"""Algebraic checks of answers whose bytes are here, beside the event loop and for a limited time.

CheckValue ──known call, bytes, fresh seed──► a thread ──► CheckArrived

Only numpy's functions, on values of the safe codec, are checked here. A recruiter's own check is a
recruiter's code: see :mod:`eco_dask.gateway.check_tasks`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from eco_dask.engine import events as ev
from eco_dask.errors import ValueCodecError
from eco_dask.gateway.calls import KnownCall
from eco_dask.text import line
from eco_dask.types import LeaseId
from eco_dask.values import EncodedValue
from eco_dask.values.registered import has_registered
from eco_dask.verification.checks import CheckVerdict, Failed, NotApplicable
from eco_dask.verification.sketch import SEED_BYTES

logger = logging.getLogger(__name__)

#: Seconds after which nobody waits for a check any more. Most take milliseconds.
CHECK_S = 30.0
#: Arguments and answer together; decoding copies them.
CHECKED_BYTES_MAX = 512 << 20
#: Checks that run at a time. One that hangs keeps its thread; those behind it time out.
_THREADS = 2


@dataclass(slots=True, eq=False)
class _Check:
    lease: LeaseId
    due_at_s: float
    work: Future[CheckVerdict] | None = None


class Checking:
    """Carries out checks, by lease.

    Parameters
    ----------
    feed : callable
        Takes an event to the engine: one :class:`~eco_dask.engine.events.CheckArrived` for each
        check that is not forgotten. Never called from within :meth:`check`.
    now_s : callable
        The gateway's clock.
    """

    def __init__(self, feed: Callable[[ev.CheckArrived], None], now_s: Callable[[], float]) -> None:
        self._feed = feed
        self._now_s = now_s
        self._checks: dict[LeaseId, _Check] = {}
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="eco-check")

    def check(self, lease: LeaseId, call: KnownCall | None, value: EncodedValue | None) -> None:
        """Check the answer of a lease; a second time under another seed, if asked again.

        Parameters
        ----------
        lease : LeaseId
            Whose answer it is.
        call : KnownCall or None
            As of :func:`~eco_dask.gateway.finding.known_call`; None if the task hides none.
        value : EncodedValue or None
            The answer's bytes; None if they are not here.
        """
        self.forget(lease)
        check = self._checks[lease] = _Check(lease, self._now_s() + CHECK_S)
        loop = asyncio.get_running_loop()
        if call is None or value is None:
            loop.call_soon(self._done, check, NotApplicable("nothing here that can be checked"))
            return
        seed = secrets.token_bytes(SEED_BYTES)
        check.work = self._pool.submit(verdict_on, call, value, seed)
        check.work.add_done_callback(partial(self._tell, loop, check))

    def forget(self, lease: LeaseId) -> None:
        """Wait for no check of a lease any more."""
        check = self._checks.pop(lease, None)
        if check is not None and check.work is not None:
            check.work.cancel()

    def give_up_late(self) -> None:
        """Wait no longer for checks that are overdue."""
        at_s = self._now_s()
        for check in [c for c in self._checks.values() if c.due_at_s <= at_s]:
            logger.warning("The check of lease %s took more than %.0f s", check.lease, CHECK_S)
            self._done(check, NotApplicable(f"the check took more than {CHECK_S:.0f} s"))

    def close(self) -> None:
        """Stop; nothing is fed any more."""
        for lease in tuple(self._checks):
            self.forget(lease)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _tell(
        self, loop: asyncio.AbstractEventLoop, check: _Check, work: Future[CheckVerdict]
    ) -> None:
        # In the thread that did it.
        if not work.cancelled() and not loop.is_closed():
            loop.call_soon_threadsafe(self._done, check, work.result())

    def _done(self, check: _Check, verdict: CheckVerdict) -> None:
        if self._checks.get(check.lease) is not check:
            return
        self.forget(check.lease)
        if isinstance(verdict, Failed):
            logger.info(
                "The answer of lease %s fails its check: %s", check.lease, line(verdict.reason)
            )
        chance = secrets.randbits(64)
        self._feed(ev.CheckArrived(check.lease, verdict, self._now_s(), chance))


def verdict_on(call: KnownCall, value: EncodedValue, seed: bytes) -> CheckVerdict:
    """Check one answer, now.

    Parameters
    ----------
    call : KnownCall
        What was called.
    value : EncodedValue
        What a stranger says that it returned.
    seed : bytes
        32 bytes that nobody knew when the answer was given.

    Returns
    -------
    CheckVerdict
        Not applicable also where the check itself breaks: an answer is wrong only if it was seen
        to be.
    """
    size_bytes = call.size_bytes + value.size_bytes
    if size_bytes > CHECKED_BYTES_MAX:
        return NotApplicable(f"{size_bytes} bytes; {CHECKED_BYTES_MAX} are checked at most")
    if has_registered(value.header):
        return NotApplicable("values of a recruiter's classes are not looked at")
    try:
        given = call.decoded()
        if given is None:
            return NotApplicable("arguments that are no plain arrays")
        answer = call.bare(given, value.decode())
        if isinstance(answer, Failed | NotApplicable):
            return answer
        with np.errstate(all="ignore"):  # a stranger's numbers may be anything
            return call.checker(given, answer, seed)
    except ValueCodecError as error:
        return NotApplicable(f"a value that does not decode: {error}")
    except Exception as error:  # noqa: BLE001  whatever it is, the answer may be right
        # Perhaps by a recruiter's arguments, so no traceback each time.
        logger.warning("A check broke: %s", line(repr(error)))
        return NotApplicable(f"the check broke: {type(error).__name__}")
