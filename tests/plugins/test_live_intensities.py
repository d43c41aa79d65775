"""Live carbon intensity: never waited for, never stale, and no stranger chooses what is asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eco_dask.energy.intensity import Intensity, static_table
from eco_dask.energy_config import EnergyRule
from eco_dask.errors import ConfigurationError
from eco_dask.plugins.energy import intensities_of
from eco_dask.plugins.live import ASK_EVERY_S, FRESH_S, LiveIntensities, live_source

LIVE = Intensity("FRA", 20.0, 30.0, 40.0, "now", "hourly", "a source")
TABLE = static_table().intensity("FRA")


class Source:
    """A live source that may be down."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.down = False

    def intensity(self, zone: str) -> Intensity:
        self.asked.append(zone)
        if self.down:
            raise OSError("no network")
        return LIVE


class Desk:
    """Intensities by a made-up clock and a queue in place of a thread."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.source = Source()
        self.queue: list[Callable[[], None]] = []
        self.found = LiveIntensities(
            self.source, static_table(), lambda: self.now_s, self.queue.append
        )

    def work(self) -> None:
        while self.queue:
            self.queue.pop()()


def test_the_table_answers_until_the_live_value_came() -> None:
    desk = Desk()
    assert desk.found.intensity("FRA") == TABLE
    assert desk.found.intensity("FRA") == TABLE
    desk.work()
    assert desk.source.asked == ["FRA"]
    assert desk.found.intensity("FRA") == LIVE


def test_it_is_asked_for_anew_and_used_no_longer_than_it_is_fresh() -> None:
    desk = Desk()
    desk.found.intensity("FRA")
    desk.work()
    desk.source.down = True
    desk.now_s += ASK_EVERY_S
    assert desk.found.intensity("FRA") == LIVE
    desk.work()
    assert len(desk.source.asked) == 2
    desk.now_s += FRESH_S
    assert desk.found.intensity("FRA") == TABLE


def test_zones_that_no_table_has_are_not_asked_for() -> None:
    desk = Desk()
    assert desk.found.intensity("X" * 16).warning
    assert desk.queue == []


@pytest.mark.parametrize(
    ("name", "token", "message"),
    [("oracle", "t", "is one of electricity-maps, watttime"), ("watttime", "", "needs your token")],
)
def test_a_source_needs_a_name_and_a_token(name: str, token: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        live_source(name, token)


def test_only_an_operator_who_opted_in_gets_a_live_source() -> None:
    rule = EnergyRule("", "", "", (), None, "EUR")
    assert intensities_of(rule) is static_table()
    opted = EnergyRule("", "", "", (), None, "EUR", "electricity-maps", "secret")
    assert isinstance(intensities_of(opted), LiveIntensities)
    assert "secret" not in repr(opted)
    with pytest.raises(ConfigurationError, match=r"eco-dask\.energy\.intensity"):
        intensities_of(EnergyRule("", "", "[]", (), None, "EUR"))
