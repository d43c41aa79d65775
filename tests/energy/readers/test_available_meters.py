"""Conformance 11, 15: which meters are chosen, why better ones are not, and that nothing leaks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from energy_trees import HandClock, MadeEmi, MadeGpu, MadeNvml, grow, write
from test_emi import INTEL, meter

from eco_dask.energy.readers import LoadSettings, MeterSetup, available
from eco_dask.energy.readers.cpu_facts import CpuFacts
from eco_dask.energy.readers.load_model import CpuTimes
from eco_dask.energy.reading import Tier, readings

KNOWN = CpuFacts("AMD Ryzen 7 5800X 8-Core Processor", 16)
UNKNOWN = CpuFacts("", 4)
NO_NVML = MadeNvml(broken="library not found")


def setup(platform: str, root: Path, **sides: object) -> MeterSetup:
    facts = {"cpu": KNOWN, "nvml": NO_NVML, "emi": None, "open_apple": no_library} | sides
    return MeterSetup(
        platform=platform,
        sys_root=root,
        cpu_times=lambda: CpuTimes(1, 2),
        clock=HandClock(),
        **facts,
    )


def no_library() -> None:
    raise ModuleNotFoundError("zeus_apple_silicon")


def apple() -> SimpleNamespace:
    metrics = SimpleNamespace(cpu_total_mj=1, dram_mj=None, gpu_mj=2)
    return SimpleNamespace(get_cumulative_energy=lambda: metrics)


@pytest.fixture
def linux(tmp_path: Path) -> Path:
    grow("powercap_intel_laptop", tmp_path / "class/powercap")
    grow("hwmon_amdgpu", tmp_path / "class/hwmon")
    grow("power_supply_laptop", tmp_path / "class/power_supply")
    return tmp_path


def test_linux_with_everything_reads_all_and_models_nothing(linux: Path) -> None:
    meters = available(setup("linux", linux, nvml=MadeNvml(MadeGpu("GPU-a", 1))))
    assert [it.name for it in meters.readers] == ["rapl", "nvml", "amdgpu"]
    assert [it.name for it in meters.checks] == ["battery"]


def test_the_meters_in_use_share_no_device(linux: Path) -> None:
    meters = available(setup("linux", linux, nvml=MadeNvml(MadeGpu("GPU-a", 1))))
    devices = [device for it in meters.readers for device in readings(it.read())]
    assert len(devices) == len(set(devices)) == 5


@pytest.mark.parametrize(
    ("platform", "sides", "used"),
    [
        ("linux", {}, ["load-model"]),
        ("linux", {"nvml": MadeNvml(MadeGpu("GPU-a", 1))}, ["load-model", "nvml"]),
        ("win32", {"emi": MadeEmi({"m": meter(INTEL, 9, 9, 9, 9)})}, ["emi"]),
        ("win32", {"emi": MadeEmi()}, ["load-model"]),
        ("darwin", {"open_apple": apple}, ["apple-silicon"]),
        ("darwin", {}, ["load-model"]),
        ("freebsd14", {}, ["load-model"]),
    ],
)
def test_the_best_meter_of_each_platform_is_used(
    tmp_path: Path, platform: str, sides: dict, used: list[str]
) -> None:
    assert [it.name for it in available(setup(platform, tmp_path, **sides)).readers] == used


@pytest.mark.parametrize(
    ("platform", "sides", "sources"),
    [
        ("linux", {}, {"rapl", "nvml", "amdgpu"}),
        ("linux", {"cpu": UNKNOWN}, {"rapl", "cpu-table", "nvml", "amdgpu"}),
        ("win32", {}, {"emi", "nvml"}),
        ("darwin", {}, {"apple-silicon"}),
        ("freebsd14", {}, {"counters"}),
    ],
)
def test_why_better_meters_are_not_used_is_said(
    tmp_path: Path, platform: str, sides: dict, sources: set[str]
) -> None:
    missing = available(setup(platform, tmp_path, **sides)).missing
    # What psutil says of this very machine's battery is another matter.
    assert {it.source for it in missing} - {"battery"} == sources
    assert all(it.reason for it in missing)


def test_the_owners_figures_leave_nothing_unknown(tmp_path: Path) -> None:
    owner = LoadSettings(idle_w=5.0, max_w=50.0)
    meters = available(setup("linux", tmp_path, cpu=UNKNOWN, load=owner))
    assert "cpu-table" not in {it.source for it in meters.missing}
    assert meters.readers[0].read()["cpu:0"].tier is Tier.MODELLED


def test_a_counter_that_is_not_passed_on_is_modelled_and_the_reason_kept(tmp_path: Path) -> None:
    root = grow("powercap_amd", tmp_path / "class/powercap")
    write(root / "intel-rapl:0/energy_uj", 0)
    meters = available(setup("linux", tmp_path))
    assert meters.readers[0].read()["cpu:0"].tier is Tier.MODELLED
    assert any(it.source == "rapl" and "stands at 0" in it.reason for it in meters.missing)


WATCHED = """
import sys
seen = []
def watch(event, args):
    if event.startswith("socket.") or event in ("subprocess.Popen", "os.system"):
        seen.append((event, str(args)))
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        seen.append((event, str(args)))
    if event in ("os.mkdir", "os.remove", "os.rename", "os.chmod"):
        seen.append((event, str(args)))
from eco_dask.energy.readers import available
sys.addaudithook(watch)
meters = available()
for reader in (*meters.readers, *meters.checks):
    reader.read()
print(seen)
"""


def test_meters_open_no_connection_start_no_program_and_write_no_file() -> None:
    run = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout.strip() == "[]"
