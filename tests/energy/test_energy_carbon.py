"""Conformance 9, 10: SCI golden values, unit round trips, the table, and what is unknown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.energy import data_files
from eco_dask.energy.carbon import CarbonRange, Machine, embodied, machine, operational
from eco_dask.energy.figures import in_unit
from eco_dask.energy.intensity import (
    WORLD,
    CarbonIntensityProvider,
    Intensity,
    json_file,
    static_table,
)
from eco_dask.energy.live_intensity import ElectricityMaps, IntensityAnswerError, WattTime

KWH_UJ = 3_600_000_000_000
HALF = Intensity("XYZ", 400, 500, 600, "2023", "made", "this test")


def test_sci_golden_value_of_a_server() -> None:
    """1000 kg over 4 x 365 x 24 h is 28.54 g/h."""
    assert Machine(1_000_000, 4 * 365 * 24, 1).g_per_h == pytest.approx(28.54, abs=0.005)
    assert machine("server", 1).g_per_h == pytest.approx(28.54, abs=0.005)


@pytest.mark.parametrize(
    ("name", "threads", "g_per_thread_hour"), [("laptop", 16, 0.32), ("desktop", 16, 0.33)]
)
def test_embodied_per_thread_hour(name, threads, g_per_thread_hour) -> None:
    it = embodied(machine(name, threads), 3600)
    assert it.central_g == pytest.approx(g_per_thread_hour, abs=0.005)
    assert it.low_g < it.central_g < it.high_g


def test_a_task_never_carries_more_than_the_machine() -> None:
    assert embodied(machine("laptop", 4), 3600, slots=9) == embodied(machine("laptop", 4), 3600, 4)


def test_a_kilowatt_hour_at_half_a_kilo() -> None:
    it = operational(KWH_UJ, 2.0, HALF)
    assert (it.low_g, it.central_g, it.high_g) == (200.0, 500.0, 1200.0)


@given(st.integers(0, 10**16), st.floats(1, 3), st.floats(0, 1500))
def test_joules_to_grams_and_back(energy_uj, spread, g_per_kwh) -> None:
    intensity = Intensity("XYZ", g_per_kwh, g_per_kwh, g_per_kwh, "", "", "")
    grams = operational(energy_uj, spread, intensity).central_g
    assert grams * KWH_UJ == pytest.approx(energy_uj * g_per_kwh, abs=KWH_UJ * 1e-6)


@pytest.mark.parametrize(
    ("zone", "g_per_kwh", "year"),
    [("FRA", 56.039, "2023"), ("pol", 661.926, "2023"), (" SWE ", 40.695, "2023")],
)
def test_a_declared_country_has_its_value(zone, g_per_kwh, year) -> None:
    it = static_table().intensity(zone)
    assert (it.central, it.when, it.warning) == (g_per_kwh, year, "")
    assert it.low < it.central < it.high


@pytest.mark.parametrize(
    ("zone", "says"), [("", "declared no country"), ("FR", "'FR'"), ("CAF", "'CAF'"), ("☃", "☃")]
)
def test_an_unknown_country_gets_the_world_with_a_warning(zone, says) -> None:
    it = static_table().intensity(zone)
    assert (it.zone, it.central) == (WORLD, 480.6)
    assert says in it.warning
    assert it.low < 60
    assert it.high > 700


def test_every_row_can_be_true_and_says_where_from() -> None:
    assert len(static_table().values) == 213
    for row in data_files.rows("intensity.csv"):
        assert row["source"]
        assert row["licence"]
        assert 2009 <= int(row["year"]) <= 2023
        assert len(row["zone"]) == 3


def test_the_operators_own_table_comes_first() -> None:
    table = json_file('{"fra": {"g_per_kwh": 30, "year": 2026, "source": "our contract"}}')
    assert (table.intensity("FRA").central, table.intensity("FRA").when) == (30, "2026")
    assert table.intensity("DEU").zone == WORLD


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"FRA": 5}',
        '{"FRA": {"g_per_kwh": 5}}',
        '{"FRA": {"g_per_kwh": 1e9, "year": 1, "source": "x"}}',
        '{"FRA": {"g_per_kwh": NaN, "year": 1, "source": "x"}}',
    ],
)
def test_a_table_that_cannot_be_is_refused(text) -> None:
    with pytest.raises(ValueError):
        json_file(text)


@pytest.mark.parametrize(
    "made",
    [
        lambda: CarbonRange(2, 1, 3),
        lambda: CarbonRange(-1, 1, 3),
        lambda: Machine(1, 0, 1),
        lambda: operational(-1, 1, HALF),
        lambda: operational(1, 0.5, HALF),
        lambda: embodied(machine("laptop", 4), -1),
        lambda: machine("toaster", 4),
        lambda: Intensity("X", 1, 2, float("inf"), "", "", ""),
        lambda: Intensity("X", 1, float("nan"), 3, "", "", ""),
    ],
)
def test_amounts_that_cannot_be_are_refused(made) -> None:
    with pytest.raises(ValueError):
        made()


# ---------------------------------------------------------------------- live sources

#: In the form of Electricity Maps' documentation.
MAPS = {
    "zone": "FR",
    "carbonIntensity": 42,
    "datetime": "2026-04-26T18:00:00.000Z",
    "updatedAt": "2026-04-26T18:07:00.350Z",
    "emissionFactorType": "lifecycle",
    "isEstimated": True,
    "estimationMethod": "TIME_SLICER_AVERAGE",
}
#: In the form of WattTime's documentation.
WATT = {
    "data": [{"point_time": "2026-04-01T00:00:00+00:00", "value": 412.5}],
    "meta": {"region": "CAISO_NORTH", "signal_type": "co2_moer", "units": "lbs_co2_per_mwh"},
}


class Answers:
    """A fetch function that notes what it was asked."""

    def __init__(self, answer: object) -> None:
        self.text = answer if isinstance(answer, str) else json.dumps(answer)
        self.asked: list[tuple[str, dict]] = []

    def __call__(self, url, headers) -> str:
        self.asked.append((url, dict(headers)))
        return self.text


def test_electricity_maps_is_asked_for_their_zone() -> None:
    fetch = Answers(MAPS)
    provider: CarbonIntensityProvider = ElectricityMaps(fetch, "secret", {"FRA": "FR"})
    it = provider.intensity("FRA")
    assert (it.zone, it.central, it.when) == ("FRA", 42, MAPS["datetime"])
    assert it.basis == "hourly average, lifecycle, estimated"
    assert fetch.asked[0][0].endswith("/v3/carbon-intensity/latest?zone=FR")
    assert fetch.asked[0][1] == {"auth-token": "secret"}


def test_watttime_is_marginal_and_says_so() -> None:
    fetch = Answers(WATT)
    it = WattTime(fetch, "secret", {"USA": "CAISO_NORTH"}).intensity("USA")
    assert it.central == pytest.approx(187.1, abs=0.05)
    assert "not comparable" in it.warning
    assert "region=CAISO_NORTH" in fetch.asked[0][0]


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        (ElectricityMaps, "<html>"),
        (ElectricityMaps, []),
        (ElectricityMaps, MAPS | {"zone": "DE"}),
        (ElectricityMaps, MAPS | {"carbonIntensity": None}),
        (ElectricityMaps, MAPS | {"carbonIntensity": float("nan")}),
        (ElectricityMaps, MAPS | {"carbonIntensity": -1}),
        (ElectricityMaps, MAPS | {"carbonIntensity": True}),
        (WattTime, {"data": []}),
        (WattTime, WATT | {"meta": {"units": "g"}}),
        (WattTime, WATT | {"data": [{"point_time": "x", "value": "much"}]}),
    ],
)
def test_an_answer_of_another_form_is_no_intensity(source, answer) -> None:
    with pytest.raises(IntensityAnswerError):
        source(Answers(answer), "secret", {"FRA": "FR"}).intensity("FRA")


def test_a_token_is_not_shown() -> None:
    assert "secret" not in repr(ElectricityMaps(Answers(""), "secret"))
    assert "secret" not in repr(WattTime(Answers(""), "secret"))


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "0 J"),
        (999.7, "1 kJ"),
        (1240, "1.24 kJ"),
        (-1500, "-1.5 kJ"),
        (0.00123, "1.23 mJ"),
        (3.6e6, "3.6 MJ"),
        (2e-6, "2 µJ"),
        (3e-9, "3.0e-09 J"),
    ],
)
def test_amounts_are_shown_to_three_digits(amount, shown) -> None:
    assert in_unit(amount, "J") == shown
