"""The owner's side of a running agent: looks at the machine, follows settings, takes orders.

Senses ──judge──► pause | resume    worker.yaml ──► limits, rates    order ──► pause, finish, stop
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from eco_dask.agent.agent import Agent
from eco_dask.agent.runner_process import RunnerRule
from eco_dask.agent.settings_file import SettingsFile
from eco_dask.config import sandbox_rule
from eco_dask.errors import ConfigurationError
from eco_dask.host.presence import PresenceRule, Reason, Sight, judge
from eco_dask.host.senses import Senses
from eco_dask.owner_config import TransferRule, give_back_after_s, presence_rule, transfer_rule
from eco_dask.sandbox.limits import Limits

logger = logging.getLogger(__name__)

#: A pause must take hold within 2 s.
LOOK_S = 1.0
_SAVE_S = 10.0


class Order(StrEnum):
    """What the owner said last."""

    RUN = "run"
    PAUSE = "pause"
    FINISH = "finish"
    STOP = "stop"


ORDERED = Reason("owner", "the owner paused it")
FINISHED = "Finished what was under way, as the owner asked"


@dataclass(slots=True)
class Outcome:
    """What the last look came to."""

    sight: Sight
    reasons: tuple[Reason, ...] = ()
    #: Why a change of the settings was not taken over.
    fault: str = ""


class Conduct:
    """How one agent behaves on its owner's machine.

    Parameters
    ----------
    agent : Agent
        Is paused, renewed and stopped.
    settings : SettingsFile
        What the owner changes while it runs.
    runner_rule : RunnerRule
        What the agent started with.
    senses : Senses
        Look at the machine.
    stop : callable
        Ends the agent.
    """

    def __init__(
        self,
        agent: Agent,
        settings: SettingsFile,
        runner_rule: RunnerRule,
        senses: Senses,
        stop: Callable[[], None],
    ) -> None:
        self._agent = agent
        self._settings = settings
        self._runner_rule = runner_rule
        self._senses = senses
        self._stop = stop
        self._stirred = asyncio.Event()
        self._saved_at_s = 0.0
        self.order = Order.RUN
        self.last = Outcome(Sight(time.time()))
        self.started_at_s = time.time()
        self._take_rules()

    @property
    def limits(self) -> Limits:
        """What tasks may use."""
        return self._runner_rule.sandbox.limits

    @property
    def presence(self) -> PresenceRule:
        """When the machine works for others."""
        return self._presence

    @property
    def transfer(self) -> TransferRule:
        """How much it transfers."""
        return self._transfer

    def give(self, order: Order) -> None:
        """Take an order of the owner's; it is carried out at once."""
        self.order = order
        self._stirred.set()

    async def run(self) -> None:
        """Look and act until cancelled."""
        try:
            while True:
                await self._once()
                self._stirred.clear()
                try:
                    await asyncio.wait_for(self._stirred.wait(), LOOK_S)
                except TimeoutError:
                    continue
        finally:
            self._agent.diary.save()

    async def _once(self) -> None:
        self._follow()
        before = {reason.code for reason in self.last.reasons}
        sight = await asyncio.to_thread(self._senses.look, self._presence)
        self.last.sight = sight
        self.last.reasons = judge(self._presence, sight, before)
        await self._act()
        if time.monotonic() - self._saved_at_s >= _SAVE_S:
            self._saved_at_s = time.monotonic()
            await asyncio.to_thread(self._agent.diary.save)

    async def _act(self) -> None:
        pausing = self._agent.pausing
        ordered = (ORDERED,) if self.order is Order.PAUSE else ()
        reasons = (*ordered, *self.last.reasons)
        if reasons:
            await pausing.pause("; ".join(reason.words for reason in reasons))
            pausing.give_back_late(self._give_back_after_s)
        else:
            await pausing.resume()
        if self.order is Order.FINISH:
            if not pausing.finishing:
                pausing.finish()
            elif self._agent.idle:
                self._stop()
        else:
            pausing.go_on()
        if self.order is Order.STOP:
            self._stop()

    # ------------------------------------------------------------------ settings

    def _follow(self) -> None:
        try:
            if self._settings.follow():
                self._take_rules()
                self.last.fault = ""
        except ConfigurationError as error:
            self.last.fault = str(error)
            logger.warning("The changed settings are not taken over: %s", error)

    def _take_rules(self) -> None:
        self._presence, self._transfer = presence_rule(), transfer_rule()
        self._give_back_after_s = give_back_after_s()
        toll = self._agent.toll
        toll.up.bytes_per_s = self._transfer.up_bytes_per_s
        toll.down.bytes_per_s = self._transfer.down_bytes_per_s
        limits = live_limits(self._runner_rule.sandbox.limits, sandbox_rule().limits)
        if limits != self._runner_rule.sandbox.limits:
            sandbox = replace(self._runner_rule.sandbox, limits=limits)
            self._runner_rule = replace(self._runner_rule, sandbox=sandbox)
            self._agent.renew(self._runner_rule)


def live_limits(now: Limits, wanted: Limits) -> Limits:
    """Return the limits that settings ask for; what they leave open stays as it was."""
    return replace(
        wanted,
        cores=wanted.cores or now.cores,
        memory_bytes=wanted.memory_bytes or now.memory_bytes,
    )
