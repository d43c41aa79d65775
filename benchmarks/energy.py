"""What metering costs, and how far the energy of a task is off on a machine whose truth is known.

    this machine ──sampler at 1 Hz, clock around tasks──► cost
    made machine (idle, turbo, owner's load, mixes) ──the same sampler──► error against the truth
                                                    ──codecarbon──► its error on the same load

The made machine has 8 cores, 6 W idle and 12 W (one core busy) to 7.4 W (all) per core, times a
factor of 0.85 to 1.15 for each task's instruction mix, which no counter can tell. Its owner uses
up to two cores in bursts. Tasks of 0.05 to 30 s run in four slots; some sleep half of the time and
some use two threads. The truth of a task is what its own core-seconds drew when they were run.

Figures
-------
sampling_cpu_share
    CPU time of the sampler at 1 Hz with this machine's meters and four tasks, share of a core.
us_per_task
    What a task costs more for being timed and accounted, microseconds.
median_task_error_counters
    Median over tasks of |metered - true| / true, with counters and an idle power that was learned.
p90_task_error_counters
    The same, of nine tasks in ten.
median_task_error_model, class_c_held_share
    With the load model in place of counters (TDP 65 W); and the share of tasks whose truth lies
    within the spread that its class states.
codecarbon_median_task_error
    codecarbon's own CPU meter (machine mode, load and the same TDP, which is what it uses where no
    counter can be read), one tracker around each task. Left out where it is not installed.
codecarbon_process_median_task_error
    The same in process mode, as if each task were a process of its own.
conservation_residual_uj
    Microjoules of the counter that no part accounts for, over the whole run.
"""

# ruff: noqa: SLF001  codecarbon's meter takes no other load than this process's
from __future__ import annotations

import importlib.util
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from unittest import mock

from common import finish, parse_options, rounds, say

from eco_dask.energy.attribution import TaskUse
from eco_dask.energy.baseline import Supply
from eco_dask.energy.host_times import CpuTimesNs, HostTimes
from eco_dask.energy.readers import available
from eco_dask.energy.readers.load_law import tdp_law
from eco_dask.energy.readers.load_model import CpuTimes, LoadChoice, LoadModelReader
from eco_dask.energy.readers.monotone import Moment
from eco_dask.energy.reading import Reader, Reading, Tier, Unavailable
from eco_dask.energy.sampler import EnergySampler, SamplerSetup
from eco_dask.energy.tally import Reserve
from eco_dask.energy.task_clock import Drained, TaskClock

GOALS = {
    "sampling_cpu_share": "<= 0.002",
    "us_per_task": "<= 20",
    "median_task_error_counters": "<= 0.10",
    "class_c_held_share": ">= 0.9",
    "conservation_residual_uj": "<= 0",
}

CORES, SLOTS = 8, 4
IDLE_W, TDP_W = 6.0, 65.0
STEP_S = 0.01
WARM_UP_S = 120.0


def core_w(busy_cores: float) -> float:
    """Watts per busy core: turbo clocks the fewer the higher."""
    return 12.0 - 4.6 * max(0.0, busy_cores - 1) / (CORES - 1)


@dataclass(slots=True)
class MadeTask:
    """A task and, once it ran, the truth about it."""

    key: str
    cpu_s: float
    threads: int
    busy_share: float
    mix: float
    true_j: float = 0.0
    done_s: float = 0.0
    #: Undrained use.
    own_s: float = 0.0
    wall_s: float = 0.0
    began_s: float = 0.0
    ended_s: float = 0.0


@dataclass(slots=True)
class MadeMachine:
    """The machine, advanced in steps of 10 ms."""

    dice: random.Random
    now_s: float = 0.0
    energy_j: float = 0.0
    busy_s: float = 0.0
    worker_s: float = 0.0
    owner_cores: float = 0.02
    running: list[MadeTask] = field(default_factory=list)
    ended: list[MadeTask] = field(default_factory=list)

    def step(self, waiting: Iterator[MadeTask], *, owner_works: bool) -> None:
        """Let one step pass; slots fill up from the tasks that wait."""
        while len(self.running) < SLOTS and (task := next(waiting, None)) is not None:
            task.began_s = self.now_s
            self.running.append(task)
        if owner_works and self.dice.random() < STEP_S / 4:
            self.owner_cores = self.dice.choice([0.02, 0.02, 0.3, 1.0, 2.0])
        loads = [it.threads * it.busy_share for it in self.running]
        busy = sum(loads) + self.owner_cores
        watts = core_w(busy)
        idle_w = IDLE_W + self.dice.gauss(0, 0.3)
        self.energy_j += STEP_S * (idle_w + watts * self.owner_cores)
        self.busy_s += STEP_S * busy
        self.worker_s += STEP_S * sum(loads)
        self.now_s += STEP_S
        for task, load in zip(self.running, loads, strict=True):
            drawn_j = STEP_S * load * watts * task.mix
            self.energy_j += drawn_j
            task.true_j += drawn_j
            task.done_s += STEP_S * load
            task.own_s += STEP_S * task.busy_share
            task.wall_s += STEP_S
            if task.done_s >= task.cpu_s:
                task.ended_s = self.now_s
                self.ended.append(task)
        self.running = [it for it in self.running if it.done_s < it.cpu_s]

    def drain(self) -> Drained:
        """What a task clock would say: own threads exactly, native threads not at all."""
        tasks = self.ended + self.running
        uses = tuple(TaskUse(it.key, _ns(it.own_s), _ns(it.wall_s)) for it in tasks)
        for it in tasks:
            it.own_s = it.wall_s = 0.0
        ended, self.ended = tuple(it.key for it in self.ended), []
        return Drained(uses, ended)

    def times(self) -> CpuTimesNs:
        """CPU times in ticks of 10 ms, as a system tells them."""
        busy_ns, worker_ns = (round(it, 2) * 1e9 for it in (self.busy_s, self.worker_s))
        return CpuTimesNs(round(busy_ns), _ns(CORES * self.now_s), round(worker_ns), 0)


@dataclass(frozen=True, slots=True)
class MadeCounter:
    """The machine's package counter."""

    machine: MadeMachine
    name: str = "made-counter"

    def read(self) -> dict[str, Reading | Unavailable]:
        it = self.machine
        uj = round(it.energy_j * 1e6)
        return {"cpu:0": Reading("cpu:0", uj, it.now_s, self.name, Tier.METERED)}


def made_tasks(count: int, dice: random.Random) -> list[MadeTask]:
    """Tasks of many lengths and kinds."""
    made = []
    for number in range(count):
        cpu_s = min(30.0, max(0.05, dice.lognormvariate(0.7, 1.2)))
        threads = 2 if dice.random() < 0.1 else 1
        busy_share = 0.5 if dice.random() < 0.2 else 1.0
        made.append(MadeTask(str(number), cpu_s, threads, busy_share, dice.uniform(0.85, 1.15)))
    return made


Watch = Callable[[MadeMachine], None]


def simulate(
    count: int, reader_of: Callable[[MadeMachine], Reader], idle_uw: Mapping[str, int], watch: Watch
) -> tuple[list[MadeTask], dict[str, float], int]:
    """Run tasks on a made machine; return them, joules by task, and the residual.

    ``watch`` is called about once a second, before the sampler's tick.
    """
    machine = MadeMachine(random.Random(7))
    tasks = made_tasks(count, random.Random(11))
    sampler = EnergySampler(
        SamplerSetup(
            [reader_of(machine)],
            Reserve(SLOTS, CORES),
            idle_uw,
            machine.times,
            lambda: Supply.AC,
            lambda: _ns(machine.now_s),
        )
    )
    metered: dict[str, float] = {}
    waiting, tick_s, last_s = iter(tasks), 1.0, 0.0
    nobody: Iterator[MadeTask] = iter(())
    while len(metered) < count:
        warm = machine.now_s >= WARM_UP_S
        machine.step(waiting if warm else nobody, owner_works=warm)
        if machine.now_s < tick_s:
            continue
        tick_s = machine.now_s + 1.0 + machine.dice.uniform(-0.02, 0.02)
        watch(machine)
        last_s = machine.now_s
        for key, it in sampler.tick(machine.drain()).items():
            if isinstance(it, Unavailable):
                raise TypeError(f"task {key} has no figure: {it.reason}")
            metered[key] = it.marginal_uj / 1e6
    say(f"{count} tasks in {last_s:.0f} s of a made machine")
    totals = sampler.tally.totals
    if isinstance(reader_of(machine), MadeCounter):
        return tasks, metered, round(machine.energy_j * 1e6) - totals.total_uj + totals.residual_uj
    return tasks, metered, totals.residual_uj


def errors(tasks: list[MadeTask], found_j: Mapping[str, float]) -> list[float]:
    """Relative errors, smallest first."""
    return sorted(abs(found_j[it.key] - it.true_j) / it.true_j for it in tasks)


def load_model(machine: MadeMachine) -> Reader:
    """The load model, where the machine had no counter."""
    choice = LoadChoice(tdp_law(TDP_W), Tier.MODELLED, "made")
    return LoadModelReader(
        choice,
        lambda: CpuTimes(round(machine.busy_s, 2), CORES * machine.now_s),
        lambda: Moment(machine.now_s, ""),
    )


def measure_errors(count: int) -> dict[str, float]:
    """Compare what is metered, modelled and tracked with the truth."""
    carbon = CodeCarbon.try_to_make()
    tasks, counted, residual = simulate(
        count, MadeCounter, {}, carbon.watch if carbon else lambda _: None
    )
    by_counter = errors(tasks, counted)
    modelled_idle_uw = {"cpu:0": round(tdp_law(TDP_W).idle_w * 1e6)}
    same, modelled, model_residual = simulate(count, load_model, modelled_idle_uw, lambda _: None)
    spread = Tier.MODELLED.component_spread
    held = [
        it for it in same if modelled[it.key] / spread <= it.true_j <= modelled[it.key] * spread
    ]
    figures = {
        "median_task_error_counters": statistics.median(by_counter),
        "p90_task_error_counters": by_counter[len(by_counter) * 9 // 10],
        "median_task_error_model": statistics.median(errors(same, modelled)),
        "class_c_held_share": len(held) / count,
        "conservation_residual_uj": max(abs(residual), abs(model_residual)),
    }
    if carbon is None:
        say("codecarbon_* are left out: codecarbon is not installed (pip install codecarbon)")
        return figures
    machine_j, process_j = carbon.joules(tasks)
    figures["codecarbon_median_task_error"] = statistics.median(errors(tasks, machine_j))
    figures["codecarbon_process_median_task_error"] = statistics.median(errors(tasks, process_j))
    return figures


class CodeCarbon:
    """codecarbon's own CPU meter, with the made machine's load in place of psutil's."""

    def __init__(self) -> None:
        from codecarbon.external import hardware

        self._hardware = hardware
        self._cpu = self._make("machine")
        #: (from, to, watts) by machine mode.
        self._power: list[tuple[float, float, float]] = []
        self._last = (0.0, 0.0)

    @classmethod
    def try_to_make(cls) -> CodeCarbon | None:
        return cls() if importlib.util.find_spec("codecarbon") else None

    def _make(self, mode: str):
        cpu = self._hardware.CPU(
            "", self._hardware.MODE_CPU_LOAD, "made", TDP_W, tracking_mode=mode
        )
        cpu._cpu_count = CORES
        return cpu

    def watch(self, machine: MadeMachine) -> None:
        """Let it measure an interval."""
        began_s, busy_s = self._last
        self._last = (machine.now_s, machine.busy_s)
        percent = 100 * (machine.busy_s - busy_s) / (machine.now_s - began_s) / CORES
        self._cpu._cpu_load_meter = mock.Mock(percent=lambda: percent)
        watts = self._cpu._get_power_from_cpu_load().W
        self._power.append((began_s, machine.now_s, watts))

    def joules(self, tasks: list[MadeTask]) -> tuple[dict[str, float], dict[str, float]]:
        """Joules by task, by a tracker around each: machine mode and process mode."""
        return (
            {it.key: self._window_j(it.began_s, it.ended_s) for it in tasks},
            {it.key: self._process_j(it) for it in tasks},
        )

    def _window_j(self, began_s: float, ended_s: float) -> float:
        overlaps = ((min(b, ended_s) - max(a, began_s), watts) for a, b, watts in self._power)
        return sum(overlap_s * watts for overlap_s, watts in overlaps if overlap_s > 0)

    def _process_j(self, task: MadeTask) -> float:
        wall_s = task.ended_s - task.began_s
        cpu = self._make("process")
        with mock.patch.object(self._hardware.time, "time", side_effect=[0.0, wall_s]):
            cpu._get_process_cpu_times = lambda: {1: 0.0}
            cpu._get_power_from_cpu_load()
            cpu._get_process_cpu_times = lambda: {1: task.done_s}
            return cpu._get_power_from_cpu_load().W * wall_s


# ---------------------------------------------------------------------- costs


def measure_sampling(seconds: int) -> dict[str, float]:
    """Sample this machine once a second and see what that takes."""
    meters = available()
    say(f"meters here: {', '.join(it.name for it in meters.readers)}")
    clock = TaskClock()
    times = HostTimes().read
    sampler = EnergySampler(SamplerSetup(meters.readers, Reserve(SLOTS, CORES), times=times))
    used_s = []
    with clock.running("a"), clock.running("b"), clock.running("c"), clock.running("d"):
        for _ in range(seconds + 1):
            time.sleep(1.0)
            began_s = time.thread_time()
            sampler.tick(clock.drain())
            used_s.append(time.thread_time() - began_s)
    # The first tick also imports and opens what later ones have.
    return {"sampling_cpu_share": statistics.mean(used_s[1:])}


def measure_tasks(repeats: int) -> dict[str, float]:
    """Compare tasks that are timed and accounted with the same ones alone."""
    count, per_tick = 5_000, 1_000
    machine = MadeMachine(random.Random(7))
    setup = SamplerSetup(
        [MadeCounter(machine)],
        Reserve(SLOTS, CORES),
        times=machine.times,
        supply=lambda: Supply.AC,
    )
    costs_us = []
    for number in rounds(repeats, 20.0):
        sampler, clock = EnergySampler(setup), TaskClock()
        began_s = time.process_time()
        for _ in range(count):
            sum(range(50))
        alone_s, began_s = time.process_time() - began_s, time.process_time()
        for k in range(count):
            with clock.running(f"{number}-{k}"):
                sum(range(50))
            if k % per_tick == per_tick - 1:
                sampler.tick(clock.drain())
        costs_us.append((time.process_time() - began_s - alone_s) / count * 1e6)
    return {"us_per_task": statistics.median(costs_us[1:])}


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def main() -> None:
    """Measure everything and print the figures."""
    quick = parse_options(__doc__).quick
    figures = measure_errors(150 if quick else 1_000)
    figures |= measure_tasks(3 if quick else 9)
    figures |= measure_sampling(8 if quick else 60)
    finish("energy", figures)


if __name__ == "__main__":
    main()
