"""Badges: each rule at its bound, what is never given, and what is never said."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from made_figures import figures

from eco_dask.energy.badges import (
    Badge,
    PeriodFacts,
    Withheld,
    below_cloud,
    efficient,
    low_carbon_grid,
    metered,
)
from eco_dask.energy.cloud import CloudWork, compare
from eco_dask.energy.intensity import static_table
from eco_dask.energy.reading import Tier

KWH_J = 3.6e6
FACTS = PeriodFacts(figures(12.4 * KWH_J), days=7.0, busy_s=1e6, tdp_w=65.0)


def of(joules: float, tier: Tier = Tier.METERED, share: float | None = None) -> PeriodFacts:
    return replace(FACTS, figures=figures(joules, tier=tier, metered=share))


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (FACTS, "100 % metered, 12.4 kWh in 7 days"),
        (of(KWH_J, Tier.MODELLED, 0.9), "90 % metered, 1 kWh in 7 days"),
        (of(KWH_J, Tier.MODELLED, 0.899), None),
        (replace(FACTS, days=6.9), None),
        (of(KWH_J, Tier.DEFAULT, 0.95), None),
        (of(0), None),
        (replace(FACTS, busy_s=0.0), None),
    ],
)
def test_metered_wants_nine_tenths_over_a_week(facts, message) -> None:
    it = metered(facts)
    assert it == Badge("energy", message) if message else isinstance(it, Withheld)


@pytest.mark.parametrize(
    ("zone", "message"),
    [("FRA", "56 g/kWh, FRA 2023"), ("DEU", None), ("", None), ("WLD", None), ("nowhere", None)],
)
def test_low_carbon_grid_wants_a_declared_country(zone, message) -> None:
    it = low_carbon_grid(FACTS, static_table().intensity(zone))
    assert it == Badge("grid", message) if message else isinstance(it, Withheld)


@pytest.mark.parametrize(
    ("mine", "peers", "given"),
    [
        (2.0, [(Tier.METERED, float(k)) for k in range(1, 9)], True),
        (3.0, [(Tier.METERED, float(k)) for k in range(1, 9)], False),
        (1.0, [(Tier.METERED, float(k)) for k in range(1, 8)], False),
        # Providers of another class neither count nor compete.
        (2.0, [(Tier.METERED, float(k)) for k in range(1, 9)] + [(Tier.MODELLED, 0.1)] * 9, True),
        (1.0, [(Tier.MODELLED, float(k)) for k in range(1, 9)], False),
    ],
)
def test_efficient_is_the_best_quarter_of_its_class(mine, peers, given) -> None:
    it = efficient(of(mine * 1000), 1000.0, peers)
    assert isinstance(it, Badge) == given


def test_efficient_needs_work() -> None:
    assert isinstance(efficient(FACTS, 0.0, []), Withheld)


def test_below_cloud_wants_the_whole_range_below() -> None:
    facts = of(2 * KWH_J)
    clear, close = (
        compare(CloudWork(vcpu_h), facts.figures) for vcpu_h in (2.9 / 0.00225, 2.7 / 0.00225)
    )
    it = below_cloud(facts, clear)
    assert it.label == "vs cloud baseline"
    assert it.message.startswith("901 Wh less (101 Wh to ")
    assert "no clear difference" in below_cloud(facts, close).reason


@pytest.mark.parametrize("name", ["typical", "upper"])
def test_below_cloud_wants_the_conservative_baseline(name) -> None:
    facts = of(2 * KWH_J)
    assert isinstance(below_cloud(facts, compare(CloudWork(1e6), facts.figures, name)), Withheld)


def test_below_cloud_wants_the_same_energy_and_enough_of_it() -> None:
    other = compare(CloudWork(1e6), figures(5 * KWH_J))
    assert isinstance(below_cloud(of(2 * KWH_J), other), Withheld)
    little = of(0.99 * KWH_J)
    assert "1 kWh" in below_cloud(little, compare(CloudWork(1e6), little.figures)).reason


def test_a_power_that_cannot_be_gets_no_badge() -> None:
    """1.5 times 65 W are 97.5 W; at the wall that is 1.25 times as much."""
    possible, impossible = (
        replace(FACTS, busy_s=1e6, figures=figures(watts * 1.25e6)) for watts in (97, 98)
    )
    assert isinstance(metered(possible), Badge)
    assert "cannot be" in metered(impossible).reason


@pytest.mark.parametrize(
    "claim",
    [
        "100 % green",
        "Greenest 5",
        "eco 5",
        "carbon neutral 5",
        "CO2-free 5",
        "net zero 0",
        "sustainable 5",
        "climate 5",
        "clean 100 %",
        "environmentally sound 1",
    ],
)
def test_a_claim_is_no_badge(claim) -> None:
    with pytest.raises(ValueError, match="is a claim"):
        Badge("energy", claim)
    with pytest.raises(ValueError, match="is a claim"):
        Badge(claim, "5 J")


def test_a_badge_without_a_figure_is_refused() -> None:
    with pytest.raises(ValueError, match="has none"):
        Badge("energy", "metered")


def test_the_picture_is_xml_with_a_title_and_no_outside_reference() -> None:
    root = ET.fromstring(Badge('a<b>&"c"', "5 < 6 & 7 > 2").svg())
    assert root.find("{http://www.w3.org/2000/svg}title").text == 'a<b>&"c": 5 < 6 & 7 > 2'
    names = {name for it in root.iter() for name in it.attrib}
    assert not {name for name in names if "href" in name or name.startswith("on")}


def test_the_json_is_of_shields_form() -> None:
    assert json.loads(Badge("energy", "91 % metered").shields()) == {
        "schemaVersion": 1,
        "label": "energy",
        "message": "91 % metered",
        "color": "blue",
    }
