"""Conformance 7, 18: RAPL on made powercap trees."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from energy_trees import HandClock, energies, grow, unprivileged, write

from eco_dask.energy.readers.rapl import RaplReader, permission_remedy
from eco_dask.energy.reading import Reading, Tier, Unavailable

J = 1_000_000
LAPTOP_RANGE = 262_143_328_850


@pytest.mark.parametrize(
    ("fixture", "devices"),
    [
        ("powercap_intel_laptop", ["cpu:0", "dram:0"]),
        ("powercap_intel_server", ["cpu:0", "cpu:1", "dram:0", "dram:1"]),
        ("powercap_amd", ["cpu:0"]),
        ("powercap_dies_apart", ["cpu:0.0", "cpu:0.1", "dram:0.0"]),
        ("powercap_dies_duplicated", ["cpu:0.0", "cpu:1.0"]),
    ],
)
def test_each_joule_is_read_once(tmp_path: Path, fixture: str, devices: list[str]) -> None:
    sample = RaplReader(grow(fixture, tmp_path), HandClock()).read()
    assert list(energies(sample)) == devices
    assert all(it.tier is Tier.METERED and it.source == "rapl" for it in sample.values())


def test_a_device_counts_its_own_zone_whatever_the_order_of_zones(tmp_path: Path) -> None:
    root, clock = grow("powercap_intel_server", tmp_path), HandClock()
    reader = RaplReader(root, clock)
    reader.read()
    clock.at_s += 1
    write(root / "intel-rapl:1/energy_uj", 7_000_000_000 + 90 * J)
    write(root / "intel-rapl:0:0/energy_uj", 800_000_000 + 4 * J)
    assert energies(reader.read()) == {
        "cpu:0": 90 * J, "cpu:1": 0, "dram:0": 0, "dram:1": 4 * J,
    }  # fmt: skip


def test_the_memory_mapped_copy_and_psys_change_nothing(tmp_path: Path) -> None:
    root, clock = grow("powercap_intel_laptop", tmp_path), HandClock()
    reader = RaplReader(root, clock)
    reader.read()
    clock.at_s += 1
    for zone in ("intel-rapl-mmio:0", "intel-rapl:1", "intel-rapl:0:0", "intel-rapl:0:1"):
        write(root / zone / "energy_uj", 5)
    assert energies(reader.read()) == {"cpu:0": 0, "dram:0": 0}


def test_a_wrap_uses_the_zones_own_range(tmp_path: Path) -> None:
    root, clock = grow("powercap_intel_laptop", tmp_path), HandClock()
    write(root / "intel-rapl:0/energy_uj", LAPTOP_RANGE - 10 * J)
    reader = RaplReader(root, clock)
    reader.read()
    clock.at_s += 1
    write(root / "intel-rapl:0/energy_uj", 20 * J)
    assert energies(reader.read())["cpu:0"] == 30 * J


def test_a_range_below_the_counter_is_not_believed(tmp_path: Path) -> None:
    root, clock = grow("powercap_amd", tmp_path), HandClock()
    write(root / "intel-rapl:0/max_energy_range_uj", 1000 * J)
    reader = RaplReader(root, clock)
    reader.read()
    clock.at_s += 1
    write(root / "intel-rapl:0/energy_uj", 43_010 * J)
    after = reader.read()["cpu:0"]
    assert (after.energy_uj, after.epoch) == (0, 1)


def test_a_counter_that_stands_still_is_not_passed_on(tmp_path: Path) -> None:
    root, clock = grow("powercap_amd", tmp_path), HandClock()
    reader = RaplReader(root, clock)
    reader.read()
    clock.at_s += 6
    sample = reader.read()
    assert isinstance(sample, Unavailable)
    assert "stands still" in sample.reason


def test_suspend_is_marked_as_a_gap(tmp_path: Path) -> None:
    root, clock = grow("powercap_amd", tmp_path), HandClock()
    reader = RaplReader(root, clock)
    reader.read()
    clock.at_s += 3600
    write(root / "intel-rapl:0/energy_uj", 44_000_000_000 + 400 * J)
    after = reader.read()["cpu:0"]
    assert isinstance(after, Reading)
    assert (after.energy_uj, after.epoch) == (0, 1)


def test_duplicate_dies_stay_duplicates_when_one_runs_ahead_between_two_reads(
    tmp_path: Path,
) -> None:
    root, clock = grow("powercap_dies_duplicated", tmp_path), HandClock()
    reader = RaplReader(root, clock)
    reader.read()
    clock.at_s += 1
    write(root / "intel-rapl:0/energy_uj", 5_000_000_000 + 10 * J)
    write(root / "intel-rapl:1/energy_uj", 5_000_000_000 + 11 * J)
    assert "cpu:0.1" not in energies(reader.read())


@pytest.mark.parametrize("content", ["0", "-5", "nonsense", ""])
def test_what_is_no_counter_is_unavailable_and_not_zero(tmp_path: Path, content: str) -> None:
    root = grow("powercap_amd", tmp_path)
    write(root / "intel-rapl:0/energy_uj", content)
    assert isinstance(RaplReader(root, HandClock()).read(), Unavailable)


def test_one_broken_socket_leaves_the_other_readable(tmp_path: Path) -> None:
    root = grow("powercap_intel_server", tmp_path)
    write(root / "intel-rapl:0/energy_uj", "0")
    sample = RaplReader(root, HandClock()).read()
    assert isinstance(sample["cpu:1"], Unavailable)
    assert isinstance(sample["cpu:0"], Reading)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    # pytest's own folders are closed to other users.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_missing_permission_names_the_recipe_and_what_it_exposes(open_folder: Path) -> None:
    root = grow("powercap_intel_laptop", open_folder)
    for counter in root.glob("*/energy_uj"):
        counter.chmod(0o000)
    with unprivileged():
        sample = RaplReader(root, HandClock()).read()
    assert isinstance(sample, Unavailable)
    assert "no permission" in sample.reason
    assert "udev/rules.d" in sample.remedy
    assert "PLATYPUS" in sample.remedy


def test_the_recipe_is_one_line_and_opens_the_counter_to_one_group_only() -> None:
    recipe = permission_remedy(1000)
    assert "\n" not in recipe
    assert "chgrp 1000" in recipe
    assert "0440" in recipe


def test_a_folder_that_may_not_be_listed_is_a_reason(open_folder: Path) -> None:
    grow("powercap_amd", open_folder).chmod(0o000)
    with unprivileged():
        sample = RaplReader(open_folder, HandClock()).read()
    open_folder.chmod(0o755)
    assert isinstance(sample, Unavailable)
    assert "cannot list" in sample.reason


@pytest.mark.parametrize(
    ("fixture", "word"), [("powercap_psys_only", "only psys"), (None, "no RAPL zones")]
)
def test_a_machine_without_a_package_zone_says_why(
    tmp_path: Path, fixture: str | None, word: str
) -> None:
    root = grow(fixture, tmp_path) if fixture else tmp_path
    sample = RaplReader(root, HandClock()).read()
    assert isinstance(sample, Unavailable)
    assert word in sample.reason


def test_a_machine_without_powercap_says_so(tmp_path: Path) -> None:
    sample = RaplReader(tmp_path / "powercap", HandClock()).read()
    assert isinstance(sample, Unavailable)
    assert "virtual machine" in sample.reason
