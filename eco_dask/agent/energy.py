"""What the runner's tasks take: the agent reads the meters whenever the runner tells of its tasks.

runner ──["used", ...]──► EnergyMeter ──EnergySampler.tick──► Metered | Unmetered ──► gateway

The runner, which strangers' code shares, only says how its tasks divide the processor time that the
agent sees from outside. A lie shifts energy between tasks of one recruiter on one machine.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from eco_dask.agent.pipe import PipeError
from eco_dask.energy.attribution import TaskUse
from eco_dask.energy.declared import Declared
from eco_dask.energy.host_times import CpuTimesNs, HostTimes
from eco_dask.energy.readers.choose import Meters
from eco_dask.energy.reading import Unavailable, readings
from eco_dask.energy.sampler import EnergySampler, SamplerSetup
from eco_dask.energy.tally import HostTotals, Reserve, TaskEnergy
from eco_dask.energy.task_clock import Drained
from eco_dask.types import LeaseId
from eco_dask.wire import messages as m

logger = logging.getLogger(__name__)

#: Without a word from the runner the meters are read this often, as a longer silence is a gap.
_EVERY_S = 2.0
#: Faster than this nobody makes the agent read its meters.
_NOT_WITHIN_S = 0.5
#: What is not sent yet, for want of a connection.
_UNSENT_MAX = 10_000
_NS_PER_MS = 1_000_000
_TIME_NS_MAX = 10**15


@dataclass(frozen=True, slots=True)
class EnergyPlan:
    """The meters of this machine, and what its owner declares."""

    meters: Meters = field(default_factory=lambda: Meters((), (), ()))
    declared: Declared = field(default_factory=Declared)
    #: Slots that are offered.
    slots: int = 1

    @property
    def sampler(self) -> SamplerSetup:
        """What a sampler needs, but for the runner's processor time."""
        whole = Reserve(self.slots, max(self.slots, self.declared.threads), self.declared.dedicated)
        return SamplerSetup(self.meters.readers, whole, self.meters.idle_uw)


@dataclass(frozen=True, slots=True)
class Used:
    """What a runner says of its tasks since it last did."""

    uses: tuple[TaskUse, ...]
    ended: tuple[LeaseId, ...]
    #: Whether its tasks hold the machine's GPUs.
    gpu: bool
    #: Another message of the same moment follows.
    more: bool


class EnergyMeter:
    """Turns what the runner tells into messages about leases.

    Parameters
    ----------
    plan : EnergyPlan
        The meters.
    say : callable
        Sends a message; False where there is no connection.
    runner_pids : callable
        Process ids of the runner now; those below are found.
    hidden : bool
        The runner is no process below this one, as in a container: its own word must do.
    """

    def __init__(
        self,
        plan: EnergyPlan,
        say: Callable[[m.Message], bool],
        runner_pids: Callable[[], Iterable[int]],
        *,
        hidden: bool = False,
    ) -> None:
        self._say = say
        self._host = HostTimes(runner_pids)
        self._hidden = hidden
        self._told_ns = 0
        self._sampler = EnergySampler(replace(plan.sampler, times=self._times))
        self._gpus = frozenset(
            device
            for reader in plan.meters.readers
            for device, it in readings(reader.read()).items()
            if it.kind == "gpu"
        )
        #: Leases that the runner has and whose energy is not told.
        self._held: set[LeaseId] = set()
        self._uses: dict[LeaseId, TaskUse] = {}
        self._ended: dict[LeaseId, None] = {}
        self._unsent: list[m.Message] = []
        self._ticked_at_s = 0.0

    @property
    def totals(self) -> HostTotals:
        """Where the energy of the machine went since the start."""
        return self._sampler.tally.totals

    async def run(self) -> None:
        """Read the meters also while the runner is silent; until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_EVERY_S)
            if loop.time() - self._ticked_at_s >= _EVERY_S:
                self._tick(loop.time())

    def fed(self, lease: LeaseId) -> None:
        """The runner got a task."""
        self._held.add(lease)

    def over(self, leases: Iterable[LeaseId]) -> None:
        """Tasks ended, by themselves or with their runner."""
        self._ended.update(dict.fromkeys(it for it in leases if it in self._held))

    def take(self, header: list[Any]) -> None:
        """Take in what the runner says, and read the meters.

        Raises
        ------
        PipeError
            It is of another form than an honest runner's.
        """
        told = parse_used(header, self._gpus)
        for use in told.uses:
            lease = LeaseId(use.key)
            if lease in self._held:
                self._told_ns += use.cpu_ns
                before = self._uses.get(lease)
                self._uses[lease] = use if before is None else _both(before, use)
        self.over(told.ended)
        now_s = asyncio.get_running_loop().time()
        if not told.more and now_s - self._ticked_at_s >= _NOT_WITHIN_S:
            self._tick(now_s)

    def send(self) -> None:
        """Send what could not be sent before."""
        unsent, self._unsent = self._unsent, []
        for message in unsent:
            if not self._say(message):
                self._unsent.append(message)
        del self._unsent[:-_UNSENT_MAX]

    def _tick(self, now_s: float) -> None:
        self._ticked_at_s = now_s
        uses, ended = self._uses, self._ended
        self._uses, self._ended = {}, {}
        found = self._sampler.tick(Drained(tuple(uses.values()), tuple(ended)))
        for key, energy in found.items():
            self._held.discard(LeaseId(key))
            self._unsent.append(_message(LeaseId(key), energy))
        if self._unsent:
            self.send()

    def _times(self) -> CpuTimesNs:
        times = self._host.read()
        if not self._hidden:
            return times
        return replace(times, worker_ns=times.service_ns + self._told_ns)


def parse_used(header: list[Any], gpus: frozenset[str]) -> Used:
    """Read what a runner says of its tasks, which strangers' code may have forged.

    Raises
    ------
    PipeError
        If it is not of the form that :mod:`eco_dask.agent.runner` writes.
    """
    match header:
        case ["used", list(items), bool(gpu), bool(more)]:
            pass
        case _:
            raise PipeError(f"uses of an unknown form: {str(header)[:200]}")
    uses: dict[LeaseId, TaskUse] = {}
    ended: list[LeaseId] = []
    for item in items:
        match item:
            case [str(name), int(cpu_ns), int(wall_ns), bool(has_ended)] if (
                0 <= cpu_ns <= _TIME_NS_MAX and 0 <= wall_ns <= _TIME_NS_MAX
            ):
                lease = LeaseId(name)
                use = TaskUse(lease, cpu_ns, wall_ns, gpus=gpus if gpu else frozenset())
                uses[lease] = use if lease not in uses else _both(uses[lease], use)
                if has_ended:
                    ended.append(lease)
            case _:
                raise PipeError(f"a use of an unknown form: {str(item)[:200]}")
    return Used(tuple(uses.values()), tuple(ended), gpu, more)


def _both(first: TaskUse, second: TaskUse) -> TaskUse:
    return TaskUse(
        first.key,
        first.cpu_ns + second.cpu_ns,
        first.overlap_ns + second.overlap_ns,
        first.slots,
        first.gpus | second.gpus,
    )


def _message(lease: LeaseId, energy: TaskEnergy | Unavailable) -> m.Message:
    if isinstance(energy, Unavailable):
        return m.Unmetered(lease, energy.reason[:256])
    return m.Metered(
        lease,
        energy.marginal_uj,
        energy.marginal_metered_uj,
        energy.share_uj,
        energy.share_metered_uj,
        energy.tier.value,
        tuple(sorted(energy.sources)),
        -(-energy.overlap_ns // _NS_PER_MS),
        -(-energy.gap_ns // _NS_PER_MS),
        energy.slots,
        energy.assumed_exclusive,
        energy.baseline_known,
    )
