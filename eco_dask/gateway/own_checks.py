"""A recruiter's own checks carried out: each is a task for a trusted worker, that Dask never sees.

CheckValue ──check_task──► TaskSubmitted(trusted only) ──► its answer ──verdict_of──► CheckArrived
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

from eco_dask.engine import events as ev
from eco_dask.gateway.check_tasks import OwnCheck, check_task, verdict_of
from eco_dask.gateway.submission import Submission
from eco_dask.text import line
from eco_dask.types import LeaseId
from eco_dask.values import EncodedValue
from eco_dask.verification.checks import CheckVerdict, Failed, NotApplicable
from eco_dask.verification.sketch import SEED_BYTES

if TYPE_CHECKING:
    from eco_dask.gateway.gateway import Gateway

logger = logging.getLogger(__name__)


class OwnChecks:
    """Has trusted workers run the checks that recruiters registered; one for each gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._running: set[asyncio.Task[None]] = set()

    def may_check(self, submission: Submission) -> bool:
        """Whether a task has a check of its own and somebody is there who may run it."""
        return submission.own is not None and any(
            s.provider.role == "trusted" and s.provider.slots > 0
            for s in self._gateway.sessions.values()
        )

    def check(self, lease: LeaseId, submission: Submission, value: EncodedValue) -> None:
        """Have the answer of a lease checked; the engine hears of it once that was done."""
        task = asyncio.get_running_loop().create_task(self._check(lease, submission, value))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _check(self, lease: LeaseId, submission: Submission, value: EncodedValue) -> None:
        verdict = await self._verdict(submission, value)
        if isinstance(verdict, Failed):
            logger.info(
                "The answer of lease %s fails its own check: %s", lease, line(verdict.reason)
            )
        gateway, chance = self._gateway, secrets.randbits(64)
        gateway.feed(ev.CheckArrived(lease, verdict, gateway.now_s(), chance))

    async def _verdict(self, submission: Submission, value: EncodedValue) -> CheckVerdict:
        own = submission.own
        if own is None:
            return NotApplicable("the task has no check of its own")
        check = OwnCheck(own.checker, value, secrets.token_bytes(SEED_BYTES), own.vouched)
        try:
            package = await asyncio.to_thread(check_task, own.run_spec, own.inputs, check)
        except Exception as error:  # noqa: BLE001  whatever a recruiter's objects raise
            logger.warning("The check of task %r cannot be sent: %r", submission.key, error)
            return NotApplicable(f"the check cannot be sent: {type(error).__name__}")
        done = self._gateway.intake.submit_check(package, submission)
        message = await done.future
        # Nothing in Dask holds its answer.
        self._gateway.standing.released(done.key)
        if message["status"] != "OK":
            return NotApplicable("the check itself failed, or nobody could run it")
        return verdict_of(message["result"])
