"""The live meter of one host: once a second, counters and CPU times become each task's energy.

    readers + psutil + TaskClock ──tick──► Tally ──► energy of the tasks that ended

One per host: the agent is the only one that reads, however many runners it has.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from eco_dask.energy.attribution import HostUse, TaskUse, split_by_cpu, split_by_holder
from eco_dask.energy.baseline import Baseline, IdleInterval, Supply
from eco_dask.energy.host_times import CpuTimesNs, HostTimes
from eco_dask.energy.readers.battery import plugged_in
from eco_dask.energy.reading import Reader, Reading, Tier, Unavailable, readings
from eco_dask.energy.tally import MeteredSplit, Reserve, Tally, TaskEnergy
from eco_dask.energy.task_clock import Drained, TaskClock

_NS_PER_S = 1_000_000_000


def power_supply() -> Supply:
    """Where this machine's power comes from now."""
    return Supply.BATTERY if plugged_in() is False else Supply.AC


@dataclass(frozen=True, slots=True)
class SamplerSetup:
    """What a sampler reads."""

    readers: Sequence[Reader]
    reserve: Reserve
    #: Idle power of modelled devices, microwatts.
    modelled_idle_uw: Mapping[str, int] = field(default_factory=dict)
    times: Callable[[], CpuTimesNs] = field(default_factory=lambda: HostTimes().read)
    supply: Callable[[], Supply] = power_supply
    #: Goes on during suspend or not, as the readers' own gaps tell of it.
    clock_ns: Callable[[], int] = time.monotonic_ns


class EnergySampler:
    """Turns samples into tasks' energy; all of it happens in :meth:`tick`."""

    tally: Tally

    def __init__(self, setup: SamplerSetup) -> None:
        self._setup = setup
        self.tally = Tally(setup.reserve)
        self._baselines: dict[tuple[str, str], Baseline] = {}
        self._missing: tuple[Unavailable, ...] = ()
        self._at_ns = setup.clock_ns()
        self._times = setup.times()
        self._busy_share = 1.0
        self._last = self._read()

    @property
    def missing(self) -> tuple[Unavailable, ...]:
        """What the last tick could not read, with reasons."""
        return self._missing

    def tick(self, drained: Drained) -> dict[str, TaskEnergy | Unavailable]:
        """Close the interval since the last tick; return the energy of the tasks that ended."""
        use = self._use(drained.uses)
        now = self._read()
        splits = []
        for device, reading in now.items():
            before = self._last.get(device)
            if before is None or before.source != reading.source:
                continue
            energy_uj = reading.since(before)
            if energy_uj is not None:
                splits.append(self._split(reading, energy_uj, use))
        self._last = now
        self.tally.add(use, splits)
        return {key: self.tally.finish(key) for key in drained.ended}

    def _use(self, tasks: tuple[TaskUse, ...]) -> HostUse:
        at_ns, times = self._setup.clock_ns(), self._setup.times()
        before, since_ns = self._times, at_ns - self._at_ns
        self._at_ns, self._times = at_ns, times
        self._busy_share = _share(times.busy_ns - before.busy_ns, times.total_ns - before.total_ns)
        return HostUse(
            max(0, since_ns),
            max(0, times.busy_ns - before.busy_ns),
            max(0, times.worker_ns - before.worker_ns),
            max(0, times.service_ns - before.service_ns),
            tasks,
        )

    def _read(self) -> dict[str, Reading]:
        found: dict[str, Reading] = {}
        missing: list[Unavailable] = []
        for reader in self._setup.readers:
            sample = reader.read()
            found.update(readings(sample))
            silent = [sample] if isinstance(sample, Unavailable) else sample.values()
            missing.extend(it for it in silent if isinstance(it, Unavailable))
        self._missing = tuple(missing)
        return found

    def _split(self, reading: Reading, energy_uj: int, use: HostUse) -> MeteredSplit:
        idle_uw = self._idle_uw(reading, energy_uj, use)
        split = split_by_holder if reading.kind == "gpu" else split_by_cpu
        return MeteredSplit(
            split(reading.device, energy_uj, idle_uw or 0, use),
            reading.source,
            reading.tier,
            idle_uw is not None,
        )

    def _idle_uw(self, reading: Reading, energy_uj: int, use: HostUse) -> int | None:
        if reading.tier in (Tier.MODELLED, Tier.DEFAULT):
            return self._setup.modelled_idle_uw.get(reading.device)
        key = reading.device, reading.source
        baseline = self._baselines.get(key, Baseline())
        supply = self._setup.supply()
        if not use.tasks:
            seconds = use.duration_ns / _NS_PER_S
            idle = IdleInterval(reading.at_s, seconds, energy_uj, self._busy_share, supply)
            baseline = self._baselines[key] = baseline.with_interval(idle)
        return baseline.power_uw(supply, reading.at_s)


class SamplerThread:
    """Ticks once a second for tasks of this process, until stopped."""

    def __init__(
        self,
        sampler: EnergySampler,
        clock: TaskClock,
        on_energy: Callable[[dict[str, TaskEnergy | Unavailable]], None],
        period_s: float = 1.0,
    ) -> None:
        self._sampler = sampler
        self._clock = clock
        self._on_energy = on_energy
        self._period_s = period_s
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="eco-energy", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Tick a last time and end the thread; raise what ended it before, if anything did."""
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._period_s):
                self._on_energy(self._sampler.tick(self._clock.drain()))
            self._on_energy(self._sampler.tick(self._clock.drain()))
        except Exception as error:  # noqa: BLE001  it is raised where the thread is joined
            self._error = error


def _share(part: int, whole: int) -> float:
    # No tick passed: nothing says that the host was idle.
    return part / whole if whole > 0 else 1.0
