"""Conformance 18: AMD graphics and batteries on made sysfs trees."""

from __future__ import annotations

from pathlib import Path

import pytest
from energy_trees import HandClock, energies, grow, write

from eco_dask.energy.readers.battery import BatteryReader
from eco_dask.energy.readers.hwmon import AmdGpuReader
from eco_dask.energy.reading import Reading, Tier, Unavailable

J = 1_000_000


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    root = grow("hwmon_amdgpu", tmp_path / "hwmon")
    for number, address in ((1, "0000:03:00.0"), (2, "0000:05:00.0"), (3, "0000:83:00.0")):
        (tmp_path / address).mkdir()
        (root / f"hwmon{number}" / "device").symlink_to(tmp_path / address)
    return root


def test_a_counter_is_metered_and_a_power_sensor_is_sampled(cards: Path) -> None:
    sample = AmdGpuReader(cards, HandClock()).read()
    assert sample["gpu:0000:83:00.0"].tier is Tier.METERED
    assert sample["gpu:0000:03:00.0"].tier is Tier.SAMPLED


def test_graphics_inside_the_cpu_are_not_counted_again(cards: Path) -> None:
    inside = AmdGpuReader(cards, HandClock()).read()["gpu:0000:05:00.0"]
    assert isinstance(inside, Unavailable)
    assert "part of the CPU" in inside.reason


def test_cards_count_on_by_their_bus_address(cards: Path) -> None:
    clock = HandClock()
    reader = AmdGpuReader(cards, clock)
    reader.read()
    clock.at_s += 2
    write(cards / "hwmon1/power1_average", 45 * J)
    write(cards / "hwmon3/energy1_input", 1_000_000_000 + 150 * J)
    (cards / "hwmon1").rename(cards / "hwmon9")
    assert energies(reader.read()) == {"gpu:0000:03:00.0": 80 * J, "gpu:0000:83:00.0": 150 * J}


@pytest.mark.parametrize("content", ["-1", "", "n/a"])
def test_a_sensor_that_tells_no_power_is_unavailable(cards: Path, content: str) -> None:
    write(cards / "hwmon1/power1_average", content)
    assert isinstance(AmdGpuReader(cards, HandClock()).read()["gpu:0000:03:00.0"], Unavailable)


def test_a_machine_without_such_a_card_says_so(tmp_path: Path) -> None:
    assert isinstance(AmdGpuReader(tmp_path, HandClock()).read(), Unavailable)


def test_a_discharging_battery_counts_what_it_gave_and_a_mouse_does_not(tmp_path: Path) -> None:
    root, clock = grow("power_supply_laptop", tmp_path), HandClock()
    reader = BatteryReader(root, clock)
    assert list(energies(reader.read())) == ["battery:BAT0"]
    clock.at_s += 5
    write(root / "BAT0/energy_now", 39_990_000)
    after = reader.read()["battery:BAT0"]
    assert (after.energy_uj, after.tier) == (36 * J, Tier.SAMPLED)


def test_charge_is_turned_into_energy_by_the_design_voltage(tmp_path: Path) -> None:
    root, clock = grow("power_supply_laptop", tmp_path), HandClock()
    (root / "BAT0/energy_now").unlink()
    write(root / "BAT0/charge_now", 4_000_000)
    write(root / "BAT0/voltage_min_design", 11_000_000)
    write(root / "BAT0/voltage_now", 12_700_000)
    reader = BatteryReader(root, clock)
    reader.read()
    clock.at_s += 5
    write(root / "BAT0/charge_now", 3_999_000)
    assert energies(reader.read()) == {"battery:BAT0": int(39.6 * J)}


def test_plugging_in_makes_the_battery_silent_and_unplugging_begins_a_new_epoch(
    tmp_path: Path,
) -> None:
    root, clock = grow("power_supply_laptop", tmp_path), HandClock()
    reader = BatteryReader(root, clock)
    reader.read()
    write(root / "BAT0/status", "Charging")
    clock.at_s += 1
    silent = reader.read()["battery:BAT0"]
    assert isinstance(silent, Unavailable)
    assert "not discharging" in silent.reason
    write(root / "BAT0/status", "Discharging")
    clock.at_s += 1
    again = reader.read()["battery:BAT0"]
    assert isinstance(again, Reading)
    assert (again.energy_uj, again.epoch) == (0, 1)


def test_a_battery_that_tells_neither_energy_nor_voltage_is_unavailable(tmp_path: Path) -> None:
    root = grow("power_supply_laptop", tmp_path)
    (root / "BAT0/energy_now").unlink()
    write(root / "BAT0/charge_now", 4_000_000)
    assert isinstance(BatteryReader(root, HandClock()).read()["battery:BAT0"], Unavailable)
