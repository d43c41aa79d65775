"""What the engine hears of providers' energy, from what their runs took."""

from __future__ import annotations

import pytest

from eco_dask.energy.carbon import CarbonRange
from eco_dask.energy.declared import Declared
from eco_dask.energy.figures import EnergyFigures
from eco_dask.energy.intensity import static_table
from eco_dask.energy.reading import Tier
from eco_dask.engine import events as ev
from eco_dask.engine.facts import Provider
from eco_dask.gateway.offers import JOULES_MIN, OfferBook
from eco_dask.gateway.session import Session
from eco_dask.types import OwnerId, ProviderId
from eco_dask.wire.limits import WireLimits

FAST = Provider(ProviderId("p"), OwnerId("o"), "provider", frozenset(), 1, score=2.0)


def figures(joules: float) -> EnergyFigures:
    uj = round(joules * 1e6)
    return EnergyFigures(uj, uj, uj, 0, CarbonRange(), Tier.MODELLED, frozenset({"load-model"}))


def heard_of(*runs: tuple[float, float]) -> list[ev.Event]:
    heard: list[ev.Event] = []
    book = OfferBook(heard.append, static_table(), lambda: 5.0, 1000.0)
    session = Session(FAST, WireLimits(), 1 << 20, declared=Declared("FRA"))
    for joules, wall_s in runs:
        book.take(session, figures(joules), wall_s)
    book.flush()
    book.flush()
    return heard


def test_runs_add_up_to_joules_per_reference_second_and_are_told_once() -> None:
    (event,) = heard_of((10.0, 1.0), (30.0, 3.0))
    assert isinstance(event, ev.OfferNoted)
    assert event.offer.joules == pytest.approx(5.0, rel=0.01)
    assert event.offer.score == 2.0
    assert event.offer.tier is Tier.MODELLED
    assert event.offer.g_per_kwh == static_table().intensity("FRA").central


def test_nobody_computes_for_nothing() -> None:
    (event,) = heard_of((0.0, 10.0))
    assert isinstance(event, ev.OfferNoted)
    assert event.offer.joules == JOULES_MIN


def test_runs_of_no_time_say_nothing() -> None:
    assert heard_of((1.0, 0.0)) == []
