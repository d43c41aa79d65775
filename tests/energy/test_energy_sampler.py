"""Conformance 1, 7, 12: the live sampler on a made host, tick by tick."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from eco_dask.energy.attribution import TaskUse
from eco_dask.energy.baseline import Supply
from eco_dask.energy.reading import Reading, Tier, Unavailable
from eco_dask.energy.sampler import (
    CpuTimesNs,
    EnergySampler,
    HostTimes,
    SamplerSetup,
    SamplerThread,
)
from eco_dask.energy.tally import Reserve
from eco_dask.energy.task_clock import Drained, TaskClock

S = 1_000_000_000
J = 1_000_000


class MadeHost:
    """Four CPUs at 5 W idle and 10 W per busy one, with a meter, read second by second."""

    name = "made"

    def __init__(self, tier: Tier = Tier.METERED) -> None:
        self.tier = tier
        self.now_ns = self.energy_uj = self.busy_ns = self.worker_ns = self.epoch = 0
        self.silent = self.supply = None
        self.more: dict[str, Reading] = {}

    def passes(self, seconds: int, worker: int = 0, other: int = 0) -> None:
        """Let CPU-seconds be used in some seconds."""
        self.now_ns += seconds * S
        self.energy_uj += (5 * seconds + 10 * (worker + other)) * J
        self.worker_ns += worker * S
        self.busy_ns += (worker + other) * S

    def read(self):
        if self.silent is not None:
            return self.silent
        at_s = self.now_ns / S
        cpu = Reading("cpu:0", self.energy_uj, at_s, self.name, self.tier, self.epoch)
        return {"cpu:0": cpu, **self.more}

    def times(self) -> CpuTimesNs:
        return CpuTimesNs(self.busy_ns, 4 * self.now_ns, self.worker_ns, 0)

    def sampler(self, **given) -> EnergySampler:
        return EnergySampler(
            SamplerSetup(
                [self],
                Reserve(2, 4),
                times=self.times,
                supply=lambda: self.supply or Supply.AC,
                clock_ns=lambda: self.now_ns,
                **given,
            )
        )


def drained(*uses: TaskUse, ended: tuple[str, ...] = ()) -> Drained:
    return Drained(uses, ended)


def idle(host: MadeHost, sampler: EnergySampler, seconds: int = 90) -> None:
    for _ in range(seconds // 3):
        host.passes(3)
        sampler.tick(drained())


def test_a_known_idle_power_is_taken_off_and_the_rest_is_shared_by_cpu_time() -> None:
    host = MadeHost()
    sampler = host.sampler()
    idle(host, sampler)
    host.passes(2, worker=3, other=1)
    uses = TaskUse("a", 2 * S, 2 * S), TaskUse("b", S, 2 * S), TaskUse("sleeps", 0, 2 * S)
    it = sampler.tick(drained(*uses, ended=("a", "b", "sleeps")))
    marginal_j = [it[key].marginal_uj / J for key in ("a", "b", "sleeps")]
    # The idle power is known to the middle of a class of 50 mW.
    assert marginal_j == pytest.approx([20, 10, 0], abs=0.05)
    assert it["a"].baseline_known
    assert sampler.tally.totals.residual_uj == 0
    assert sampler.tally.totals.total_uj == host.energy_uj


def test_an_unknown_idle_power_is_said() -> None:
    host = MadeHost()
    sampler = host.sampler()
    host.passes(1, worker=1)
    it = sampler.tick(drained(TaskUse("a", S, S), ended=("a",)))["a"]
    assert (it.marginal_uj, it.baseline_known) == (15 * J, False)


def test_idle_power_on_mains_is_not_that_on_battery() -> None:
    host = MadeHost()
    sampler = host.sampler()
    idle(host, sampler)
    host.supply = Supply.BATTERY
    host.passes(1, worker=1)
    assert not sampler.tick(drained(TaskUse("a", S, S), ended=("a",)))["a"].baseline_known


def test_a_busy_host_teaches_no_idle_power() -> None:
    host = MadeHost()
    sampler = host.sampler()
    for _ in range(90):
        host.passes(1, other=1)
        sampler.tick(drained())
    host.passes(1, worker=1)
    assert not sampler.tick(drained(TaskUse("a", S, S), ended=("a",)))["a"].baseline_known


def test_a_task_that_sleeps_teaches_no_idle_power() -> None:
    host = MadeHost()
    sampler = host.sampler()
    for _ in range(90):
        host.passes(1)
        sampler.tick(drained(TaskUse("sleeps", 0, S)))
    host.passes(1, worker=1)
    assert not sampler.tick(drained(TaskUse("a", S, S), ended=("a",)))["a"].baseline_known


def test_a_model_brings_its_own_idle_power() -> None:
    host = MadeHost(Tier.MODELLED)
    sampler = host.sampler(modelled_idle_uw={"cpu:0": 5 * J})
    host.passes(1, worker=1)
    it = sampler.tick(drained(TaskUse("a", S, S), ended=("a",)))["a"]
    assert (it.marginal_uj, it.baseline_known, it.tier) == (10 * J, True, Tier.MODELLED)


def test_a_suspended_machine_leaves_a_gap_not_a_zero() -> None:
    host = MadeHost()
    sampler = host.sampler()
    host.passes(1, worker=1)
    sampler.tick(drained(TaskUse("a", S, S)))
    host.passes(3600)
    host.epoch += 1
    sampler.tick(drained(TaskUse("a", 0, 3600 * S)))
    host.passes(1, worker=1)
    it = sampler.tick(drained(TaskUse("a", S, S), ended=("a",)))["a"]
    assert (it.marginal_uj, it.gap_ns) == (30 * J, 3600 * S)


def test_a_silent_meter_is_named_and_makes_no_figure() -> None:
    host = MadeHost()
    sampler = host.sampler()
    host.silent = Unavailable("made", "permission withdrawn")
    host.passes(1, worker=1)
    it = sampler.tick(drained(TaskUse("a", S, S), ended=("a",)))
    assert isinstance(it["a"], Unavailable)
    assert sampler.missing == (host.silent,)
    assert sampler.tally.totals.total_uj == 0


def test_a_device_that_appears_counts_from_its_second_reading() -> None:
    host = MadeHost()
    sampler = host.sampler()
    use = TaskUse("a", S, S, gpus=frozenset({"gpu:x"}))
    for energy_j in (100, 130):
        host.more = {"gpu:x": Reading("gpu:x", energy_j * J, host.now_ns / S, "nvml", Tier.METERED)}
        host.passes(1, worker=1)
        sampler.tick(drained(use))
    assert sampler.tally.totals.total_uj == host.energy_uj + 30 * J
    it = sampler.tick(drained(ended=("a",)))["a"]
    assert it.marginal_uj == host.energy_uj + 30 * J
    assert it.sources == {"made", "nvml"}


def test_a_meter_that_replaces_another_begins_anew() -> None:
    host = MadeHost()
    sampler = host.sampler()
    host.name = "another"
    host.passes(1, worker=1)
    it = sampler.tick(drained(TaskUse("a", S, S), ended=("a",)))["a"]
    assert isinstance(it, Unavailable)


def test_two_ticks_at_once_change_nothing() -> None:
    host = MadeHost()
    sampler = host.sampler()
    host.passes(1, worker=1)
    sampler.tick(drained(TaskUse("a", S, S)))
    sampler.tick(drained(TaskUse("a", 0, 0)))
    assert sampler.tally.totals.total_uj == host.energy_uj
    assert sampler.tick(drained(ended=("a",)))["a"].marginal_uj == 15 * J


# ---------------------------------------------------------------------- this machine


def test_times_of_this_machine_hold_each_other() -> None:
    it = HostTimes().read()
    assert 0 < it.service_ns <= it.worker_ns
    assert 0 < it.busy_ns <= it.total_ns


def test_a_runners_time_counts_and_stays_after_its_end() -> None:
    code = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as runner:
        times = HostTimes(lambda: [runner.pid])
        assert runner.stdout.readline()
        own = psutil.Process(os.getpid()).cpu_times()
        before = times.read()
        runner.communicate(b"\n")
        after = times.read()
    assert before.worker_ns / 1e9 >= own.user + own.system + 0.19
    assert after.worker_ns >= before.worker_ns
    assert after.worker_ns - after.service_ns >= 0.18e9


def test_the_thread_delivers_each_task_once_and_a_last_time_at_its_stop() -> None:
    host, clock, got = MadeHost(), TaskClock(), {}
    thread = SamplerThread(host.sampler(), clock, got.update, period_s=0.01)
    with clock.running("a"):
        host.passes(1, worker=1)
    thread.stop()
    assert got["a"].marginal_uj == 15 * J


def test_what_ends_the_thread_is_raised_at_its_stop() -> None:
    def refuse(_: object) -> None:
        raise OSError("disk full")

    thread = SamplerThread(MadeHost().sampler(), TaskClock(), refuse, period_s=0.01)
    with pytest.raises(OSError, match="disk full"):
        thread.stop()
