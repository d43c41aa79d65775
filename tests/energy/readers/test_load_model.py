"""Conformance 8, 11: the load model, its laws and its table."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from energy_trees import FIXTURES, HandClock, energies, write
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.energy.readers.cpu_facts import CpuFacts, cpu_facts, linux_cpu_facts
from eco_dask.energy.readers.cpu_table import cpu_power, normal_name, table
from eco_dask.energy.readers.load_law import (
    WALL_FACTOR,
    LawName,
    LoadLaw,
    MachineClass,
    calibrated_law,
    owner_law,
    tdp_law,
)
from eco_dask.energy.readers.load_model import (
    CpuTimes,
    LoadModelReader,
    LoadSettings,
    choose_law,
    host_cpu_times,
)
from eco_dask.energy.reading import Tier

J = 1_000_000
UNKNOWN = CpuFacts("Loongson-3A6000", threads=8)
KNOWN = CpuFacts("12th Gen Intel(R) Core(TM) i7-12700H", threads=20)


@pytest.mark.parametrize(
    ("name", "tdp_w"),
    [
        ("12th Gen Intel(R) Core(TM) i7-12700H", 45),
        ("13th Gen Intel(R) Core(TM) i7-13700H", 45),
        ("Intel(R) Core(TM) i9-14900K", 125),
        ("Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz", 15),
        ("Intel(R) Core(TM) Ultra 7 265H", 28),
        ("AMD Ryzen 7 5800X 8-Core Processor", 105),
        ("AMD Ryzen 7 PRO 4750U with Radeon Graphics", 15),
        ("AMD Ryzen AI 9 HX 370 w/ Radeon 890M", 28),
        ("AMD Ryzen Threadripper PRO 3995WX 64-Cores", 280),
        ("AMD Ryzen Threadripper 1950X 16-Core Processor", 180),
        ("AMD EPYC 7763 64-Core Processor                ", 280),
    ],
)
def test_names_as_systems_say_them_are_found(name: str, tdp_w: float) -> None:
    assert cpu_power(name).tdp_w == tdp_w


@pytest.mark.parametrize(
    "name", ["", "AMD EPYC", "Intel(R) Core(TM) i7", "Apple M2", "ARMv8", "i7"]
)
def test_no_model_is_guessed(name: str) -> None:
    assert cpu_power(name) is None


def test_every_row_is_in_normal_form_with_a_source_and_a_licence() -> None:
    assert all(normal_name(name) == name for name in table())
    assert {row.licence for row in table().values()} == {"MIT", "fact"}
    assert all(row.source for row in table().values())


@pytest.mark.parametrize(
    ("law", "at_tenth", "at_half", "at_full"),
    [(LawName.LINEAR, 0.208, 0.56, 1.0), (LawName.TEADS, 0.32, 0.75, 1.02)],
)
def test_laws_are_shares_of_the_tdp(
    law: LawName, at_tenth: float, at_half: float, at_full: float
) -> None:
    curve = tdp_law(100.0, law)
    assert [curve.watts(u) for u in (0, 0.1, 0.5, 1)] == pytest.approx(
        [12, 100 * at_tenth, 100 * at_half, 100 * at_full]
    )


@given(st.floats(-2, 3), st.floats(-2, 3), st.sampled_from(LawName))
def test_more_load_never_draws_less(one: float, other: float, name: LawName) -> None:
    low, high = sorted((one, other))
    law = tdp_law(65.0, name)
    assert 0 < law.idle_w <= law.watts(low) <= law.watts(high) <= 1.02 * 65.0


@pytest.mark.parametrize(
    "points",
    [
        (),
        ((0.0, 5.0),),
        ((0.0, 5.0), (0.9, 9.0)),
        ((0.1, 5.0), (1.0, 9.0)),
        ((0.0, 9.0), (1.0, 5.0)),
        ((0.0, -1.0), (1.0, 5.0)),
        ((0.0, 1.0), (1.0, float("nan"))),
        ((0.0, 1.0), (1.0, float("inf"))),
        ((0.0, 0.0), (1.0, 0.0)),
        ((0.0, 1.0), (0.5, 2.0), (0.5, 3.0), (1.0, 5.0)),
    ],
)
def test_what_is_no_law_is_refused(points: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError):
        LoadLaw(points)


def test_a_calibrated_law_gives_the_plug_meters_reading_back_at_the_wall() -> None:
    wall = {0.0: 40.0, 0.5: 90.0, 1.0: 120.0}
    law = calibrated_law(wall)
    assert [law.watts(u) * WALL_FACTOR for u in wall] == pytest.approx(list(wall.values()))


@pytest.mark.parametrize(
    ("cpu", "settings", "tier", "idle_w", "full_w"),
    [
        pytest.param(KNOWN, LoadSettings(), Tier.MODELLED, 5.4, 45, id="table"),
        pytest.param(UNKNOWN, LoadSettings(), Tier.DEFAULT, 3.84, 32, id="4-watts-per-thread"),
        pytest.param(
            CpuFacts("AMD EPYC 7763 64-Core Processor", 4, is_virtual=True),
            LoadSettings(), Tier.DEFAULT, 1.92, 16, id="a-guest-has-a-share-only",
        ),
        pytest.param(
            CpuFacts("AMD EPYC 7763 64-Core Processor", 256, sockets=2),
            LoadSettings(), Tier.MODELLED, 67.2, 560, id="two-sockets",
        ),
        pytest.param(
            CpuFacts("new", 32, machine=MachineClass.LAPTOP),
            LoadSettings(), Tier.DEFAULT, 5.4, 45, id="a-laptop-cools-so-much",
        ),
        pytest.param(
            CpuFacts("new", 32, machine=MachineClass.DESKTOP),
            LoadSettings(), Tier.DEFAULT, 15.36, 128, id="a-desktop-cools-more",
        ),
        pytest.param(
            KNOWN, LoadSettings(idle_w=2.0, max_w=60.0), Tier.MODELLED, 2, 60, id="owner-first",
        ),
        pytest.param(
            UNKNOWN, LoadSettings(idle_w=2.0, max_w=60.0), Tier.MODELLED, 2, 60, id="owner-knows",
        ),
        pytest.param(
            KNOWN,
            LoadSettings(idle_w=2.0, max_w=60.0, wall_watts=((0.0, 20.0), (1.0, 50.0))),
            Tier.MODELLED, 16, 40, id="a-plug-meter-knows-better",
        ),
    ],
)  # fmt: skip
def test_the_best_law_for_a_machine(
    cpu: CpuFacts, settings: LoadSettings, tier: Tier, idle_w: float, full_w: float
) -> None:
    choice = choose_law(cpu, settings)
    assert choice.tier is tier
    assert (choice.law.idle_w, choice.law.watts(1)) == pytest.approx((idle_w, full_w))


def test_no_model_is_ever_called_metered() -> None:
    settings = [LoadSettings(), LoadSettings(idle_w=1, max_w=2), LoadSettings(law=LawName.TEADS)]
    for cpu, setting in itertools.product((KNOWN, UNKNOWN), settings):
        assert choose_law(cpu, setting).tier in (Tier.MODELLED, Tier.DEFAULT)


@pytest.mark.parametrize("half", [LoadSettings(idle_w=3.0), LoadSettings(max_w=3.0)])
def test_half_of_the_owners_figures_is_refused(half: LoadSettings) -> None:
    with pytest.raises(ValueError, match="both or neither"):
        choose_law(KNOWN, half)


class Machine:
    """CPU times and a clock that run together."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.times = CpuTimes(100.0, 1000.0)
        choice = choose_law(UNKNOWN, LoadSettings(idle_w=10.0, max_w=50.0))
        self.reader = LoadModelReader(choice, lambda: self.times, self.clock)

    def after(self, seconds: float, busy_s: float, total_s: float) -> tuple[int, int]:
        self.clock.at_s += seconds
        self.times = CpuTimes(self.times.busy_s + busy_s, self.times.total_s + total_s)
        reading = self.reader.read()["cpu:0"]
        return reading.energy_uj, reading.epoch


@pytest.mark.parametrize(
    ("steps", "last"),
    [
        ([(2, 0, 16)], (20 * J, 0)),
        ([(2, 16, 16)], (100 * J, 0)),
        ([(2, 8, 16)], (60 * J, 0)),
        ([(2, 8, 16), (1, 0, 8)], (70 * J, 0)),
        pytest.param([(1, 0, 0), (1, 8, 16)], (60 * J, 0), id="an-interval-without-ticks-waits"),
        pytest.param([(0, 0, 0)], (0, 0), id="D-of-zero-is-nothing"),
        pytest.param([(2, 20, 16)], (100 * J, 0), id="a-late-tick-is-clipped"),
        pytest.param([(2, -1, 16)], (20 * J, 0), id="a-tick-taken-back-is-clipped"),
        pytest.param([(11, 8, 88)], (0, 1), id="a-sleep-is-a-gap"),
        pytest.param([(1, -50, -500)], (0, 1), id="a-cpu-taken-offline-is-a-gap"),
    ],
)
def test_energy_is_power_at_the_intervals_mean_load(
    steps: list[tuple[float, float, float]], last: tuple[int, int]
) -> None:
    machine = Machine()
    machine.after(0, 0, 0)
    for step in steps:
        found = machine.after(*step)
    assert found == last


def test_splitting_an_interval_of_even_load_changes_at_most_a_microjoule() -> None:
    whole, split = Machine(), Machine()
    whole.after(0, 0, 0)
    split.after(0, 0, 0)
    one = whole.after(9.0, 24, 72)[0]
    for _ in range(90):
        many = split.after(0.1, 24 / 90, 72 / 90)[0]
    assert abs(one - many) <= 1


def test_this_machines_cpu_times_grow_and_hold_the_busy_part() -> None:
    first, second = host_cpu_times(), host_cpu_times()
    assert 0 < first.busy_s < first.total_s
    assert first.total_s <= second.total_s


def test_this_machine_is_modelled_from_its_own_times() -> None:
    clock = HandClock()
    reader = LoadModelReader(choose_law(cpu_facts(), LoadSettings()), clock=clock)
    assert energies(reader.read()) == {"cpu:0": 0}


def test_cpu_facts_of_a_laptop(tmp_path: Path) -> None:
    write(tmp_path / "cpuinfo", (FIXTURES / "cpuinfo_laptop.txt").read_text())
    write(tmp_path / "class/dmi/id/chassis_type", 10)
    facts = linux_cpu_facts(tmp_path, tmp_path, threads=99)
    assert facts == CpuFacts(
        "12th Gen Intel(R) Core(TM) i7-12700H", threads=2, machine=MachineClass.LAPTOP
    )


def test_cpu_facts_of_a_virtual_machine(tmp_path: Path) -> None:
    write(tmp_path / "cpuinfo", (FIXTURES / "cpuinfo_virtual.txt").read_text())
    facts = linux_cpu_facts(tmp_path, tmp_path, threads=99)
    assert (facts.is_virtual, facts.sockets, facts.threads) == (True, 2, 2)


def test_a_machine_that_tells_nothing_has_an_unknown_cpu(tmp_path: Path) -> None:
    assert linux_cpu_facts(tmp_path, tmp_path, threads=4) == CpuFacts("", 4)


def test_owner_law_is_straight() -> None:
    assert owner_law(10, 50).watts(0.25) == 20
