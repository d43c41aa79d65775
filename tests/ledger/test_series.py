"""Time series: what was recorded comes back, coarser the longer ago, and survives restarts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.ledger.database import open_database
from eco_dask.ledger.series import STEPS, SeriesStore


@pytest.fixture
def store(url: str):
    engine = open_database(url)
    yield SeriesStore(engine)
    engine.dispose()


def test_what_was_recorded_comes_back_as_the_last_of_each_step(store: SeriesStore) -> None:
    for at_s, watts in ((1000.0, 5.0), (1004.0, 7.5), (1021.0, 2.0)):
        store.record(at_s, {"watts": watts, "gco2e": None})
    found = store.read("watts", 900, 1100, 100)
    assert (found.step_s, found.samples) == (15, ((990.0, 7.5), (1020.0, 2.0)))
    assert store.read("gco2e", 900, 1100, 100).samples == ()
    assert store.read("slots", 900, 1100, 100).samples == ()


def test_a_longer_time_is_read_in_coarser_steps(store: SeriesStore) -> None:
    for hour in range(50):
        store.record(3600.0 * hour + 30, {"slots": float(hour)})
    assert store.read("slots", 0, 180_000, 10_000).step_s == 300
    assert store.read("slots", 170_000, 180_000, 1000).step_s == 15
    hourly = store.read("slots", 0, 180_000, 60)
    assert hourly.step_s == 3600
    assert [value for _, value in hourly.samples] == list(map(float, range(50)))
    few = store.read("slots", 0, 180_000, 7)
    assert len(few.samples) <= 7
    assert few.samples[-1][1] == 49.0


def test_fine_points_are_forgotten_and_coarse_ones_stay(store: SeriesStore) -> None:
    for at_s in (0.0, 100_000.0, 5e6):
        store.record(at_s, {"slots": at_s})
    store.forget(5e6)
    assert len(store.read("slots", 0, 5e6, 10**9).samples) == 3
    for step_s, kept_s in STEPS.items():
        if kept_s is not None:
            recent = store.read("slots", 5e6 - kept_s, 5e6, int(kept_s // step_s) + 1)
            assert (recent.step_s, recent.samples[-1][1]) == (step_s, 5e6)


def test_history_survives_a_restart(url: str) -> None:
    first = open_database(url)
    SeriesStore(first).record(50.0, {"connected": 3})
    first.dispose()
    again = open_database(url)
    assert SeriesStore(again).read("connected", 0, 60, 10).samples == ((45.0, 3.0),)
    again.dispose()


@pytest.mark.parametrize("values", [{"nothing": 1.0}, {"slots": float("nan")}])
def test_what_is_no_series_is_refused_and_changes_nothing(store: SeriesStore, values) -> None:
    with pytest.raises(ValueError, match="series are"):
        store.record(1.0, {"watts": 1.0} | values)
    assert store.read("watts", 0, 10, 10).samples == ()


@given(since_s=st.floats(0, 1e10), span_s=st.floats(0, 1e9), points_max=st.integers(2, 2000))
def test_any_question_has_a_bounded_answer(since_s, span_s, points_max, empty_store) -> None:
    found = empty_store.read("watts", since_s, since_s + span_s, points_max)
    assert found.step_s >= min(STEPS)
    assert len(found.samples) <= points_max


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('series') / 'books.sqlite'}")
    yield SeriesStore(engine)
    engine.dispose()
