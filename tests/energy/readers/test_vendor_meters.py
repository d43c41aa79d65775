"""Conformance 7, 11: NVIDIA through a made NVML, Apple Silicon through a made monitor."""

from __future__ import annotations

from types import SimpleNamespace

import pynvml
import pytest
from energy_trees import HandClock, MadeGpu, MadeNvml, NotSupportedError, NVMLError, energies

from eco_dask.energy.readers.apple import AppleReader
from eco_dask.energy.readers.nvidia import NvidiaReader
from eco_dask.energy.reading import Reading, Tier, Unavailable

J = 1_000_000


def test_volta_and_newer_are_metered_and_older_gpus_are_sampled() -> None:
    old = MadeGpu("GPU-old", NotSupportedError("no counter"), 100_000)
    sample = NvidiaReader(MadeNvml(MadeGpu("GPU-new", 5_000), old), HandClock()).read()
    assert {device: it.tier for device, it in sample.items()} == {
        "gpu:GPU-new": Tier.METERED,
        "gpu:GPU-old": Tier.SAMPLED,
    }


def test_counters_are_differences_and_power_is_integrated() -> None:
    new, old = (
        MadeGpu("GPU-new", 5_000),
        MadeGpu("GPU-old", NotSupportedError("no counter"), 100_000),
    )
    clock = HandClock()
    reader = NvidiaReader(MadeNvml(new, old), clock)
    reader.read()
    clock.at_s += 2
    new.energy_mj, old.power_mw = 605_000, 200_000
    assert energies(reader.read()) == {"gpu:GPU-new": 600 * J, "gpu:GPU-old": 300 * J}


def test_a_counter_that_fails_for_a_moment_is_not_replaced_by_another_meter() -> None:
    gpu, clock = MadeGpu("GPU-a", 5_000, 100_000), HandClock()
    reader = NvidiaReader(MadeNvml(gpu), clock)
    reader.read()
    gpu.energy_mj, clock.at_s = NVMLError("timeout"), clock.at_s + 1
    assert isinstance(reader.read()["gpu:GPU-a"], Unavailable)
    gpu.energy_mj, clock.at_s = 305_000, clock.at_s + 1
    assert reader.read()["gpu:GPU-a"] == Reading(
        "gpu:GPU-a", 300 * J, clock.at_s, "nvml", Tier.METERED
    )


def test_a_reloaded_driver_resets_the_counter_and_that_is_a_gap() -> None:
    gpu, clock = MadeGpu("GPU-a", 5_000_000), HandClock()
    reader = NvidiaReader(MadeNvml(gpu), clock)
    reader.read()
    gpu.energy_mj, clock.at_s = 3, clock.at_s + 1
    after = reader.read()["gpu:GPU-a"]
    assert (after.energy_uj, after.epoch) == (0, 1)


def test_gpus_keep_their_counters_when_their_numbers_change() -> None:
    a, b, clock = MadeGpu("GPU-a", 1_000), MadeGpu("GPU-b", 9_000), HandClock()
    nvml = MadeNvml(a, b)
    reader = NvidiaReader(nvml, clock)
    reader.read()
    clock.at_s += 1
    nvml.gpus, b.energy_mj = [b], 10_000
    sample = reader.read()
    assert energies(sample) == {"gpu:GPU-b": 1 * J}
    assert "gone" in sample["gpu:GPU-a"].reason


@pytest.mark.parametrize(
    ("nvml", "word"),
    [(MadeNvml(broken="library not found"), "library not found"), (MadeNvml(), "lists no NVIDIA")],
)
def test_why_there_is_no_gpu_is_said(nvml: MadeNvml, word: str) -> None:
    sample = NvidiaReader(nvml, HandClock()).read()
    assert isinstance(sample, Unavailable)
    assert word in sample.reason


def test_the_driver_is_opened_once_and_let_go() -> None:
    nvml = MadeNvml(MadeGpu("GPU-a", 1))
    reader = NvidiaReader(nvml, HandClock())
    reader.read()
    reader.read()
    assert nvml.opened == 1
    reader.close()
    assert nvml.opened == 0


def test_the_library_has_what_the_reader_asks_for() -> None:
    names = {name for name in vars(MadeNvml) if name.startswith(("nvml", "NVML"))}
    assert names <= set(vars(pynvml))


@pytest.mark.gpu
def test_a_real_gpu_is_read() -> None:
    reader = NvidiaReader(pynvml)
    sample = reader.read()
    reader.close()
    if isinstance(sample, Unavailable):
        pytest.skip(sample.reason)
    assert all(isinstance(it, Reading) for it in sample.values())


class MadeMonitor:
    def __init__(self, **metrics: int | None) -> None:
        self.metrics = SimpleNamespace(**metrics)

    def get_cumulative_energy(self) -> SimpleNamespace:
        return self.metrics


def test_apples_estimates_are_never_called_metered() -> None:
    monitor, clock = MadeMonitor(cpu_total_mj=100, dram_mj=20, gpu_mj=0), HandClock()
    reader = AppleReader(lambda: monitor, clock)
    first = reader.read()
    assert {it.tier for it in first.values()} == {Tier.VENDOR_MODEL}
    clock.at_s += 1
    monitor.metrics.cpu_total_mj = 12_100
    assert energies(reader.read()) == {"cpu:0": 12 * J, "dram:0": 0, "gpu:0": 0}


def test_what_a_chip_does_not_tell_is_unavailable_and_not_zero() -> None:
    monitor = MadeMonitor(cpu_total_mj=100, dram_mj=None, gpu_mj=7)
    sample = AppleReader(lambda: monitor, HandClock()).read()
    assert isinstance(sample["dram:0"], Unavailable)
    assert list(energies(sample)) == ["cpu:0", "gpu:0"]


def raises(error: Exception):
    def open_monitor():
        raise error

    return open_monitor


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (ModuleNotFoundError("zeus_apple_silicon"), "not installed"),
        (RuntimeError("no channels"), "no channels"),
    ],
)
def test_why_the_chip_is_not_read_is_said(error: Exception, word: str) -> None:
    sample = AppleReader(raises(error), HandClock()).read()
    assert isinstance(sample, Unavailable)
    assert word in sample.reason
