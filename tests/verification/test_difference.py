"""describe_difference(): what a recruiter reads when answers never agree."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eco_dask.verification.difference import describe_difference

GENERATOR = np.random.default_rng(0)
ARRAY = GENERATOR.standard_normal((4, 5))


def bent(array: np.ndarray, at: tuple[int, ...], by: float) -> np.ndarray:
    changed = array.copy()
    changed[at] += by
    return changed


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (1, 2, ["at result: 1 here, 2 there"]),
        (1, 1.0, ["1 of type int here, float there"]),
        ("a", "b", ["'a' here, 'b' there"]),
        ([1, [2, 3]], [1, [2, 4]], ["at result[1][1]: 3 here, 4 there"]),
        ([1, 2], [1, 2, 3], ["2 items here, 3 there"]),
        ({"a": 1}, {"b": 1}, ["keys ['a'] only here, ['b'] only there"]),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["at result['a']['b']: 1 here"]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, ["the same keys in another order"]),
        ({1, 2}, {1, 3}, ["{2} only here, {3} only there"]),
        (np.ones(3), np.ones(4), ["float64 of shape (3,) here, float64 of shape (4,) there"]),
        (np.ones(3), np.ones(3, "f4"), ["float32 of shape (3,) there"]),
        (ARRAY, bent(ARRAY, (2, 1), 1.0), ["element (2, 1) is ", "1 of 20 differ", "norm"]),
        (np.array([1.0, 0]), np.array([1.0, np.nan]), ["element 1 is 0.0 here, nan there"]),
        (np.array(["a", "b"]), np.array(["a", "c"]), ["element 1 is b here, c there"]),
        (np.arange(3), np.array([0, 5, 2]), ["element 1 is 1 here, 5 there"]),
        (ARRAY, ARRAY * (1 + 1e-15), ["only last bits differ", 'compare="close"']),
        (ARRAY, GENERATOR.standard_normal((4, 5)), ["unseeded random generator", "seed every"]),
        (np.arange(9.0), np.arange(9.0)[::-1], ["the same numbers in another order", "sort"]),
        (["b", "a", "c"], ["a", "b", "c"], ["the same items in another order", "sort"]),
        (1.7e9, 1.7e9 + 3, ["look like times", "pass the time in"]),
        (dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 2), ["look like times"]),
        (np.datetime64("2026-01-01"), np.datetime64("2026-01-02"), ["look like times"]),
    ],
)
def test_place_size_and_likely_cause_are_named(one: object, other: object, said: list[str]) -> None:
    text = describe_difference(one, other)
    assert all(part in text for part in said), text
    assert "trusted=True" in text
    assert "quorum=1" in text


def test_tables_are_described_by_column() -> None:
    pd = pytest.importorskip("pandas")
    one = pd.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]})
    other = pd.DataFrame({"x": [1.0, 3.0], "y": ["a", "b"]})
    assert "at result['x'], float64 of shape (2,): element 1 is 2.0 here, 3.0" in (
        describe_difference(one, other)
    )
    assert "'y'" in describe_difference(one, one.assign(y=["a", "c"]))
    assert "do not differ" in describe_difference(one, one.copy())


@pytest.mark.parametrize("value", [np.nan, [np.nan], np.array([np.nan, 1]), {"a": {1.5}}, None, ()])
def test_equal_values_do_not_differ(value: object) -> None:
    assert "do not differ" in describe_difference(value, value)


def test_a_strangers_text_is_cleaned_and_cut() -> None:
    text = describe_difference("a" * 10_000, "\x1b[31m\u202e")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text) < 1000


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
VALUES = st.recursive(
    LEAVES,
    lambda v: st.lists(v) | st.dictionaries(st.text(), v) | st.tuples(v, v),
    max_leaves=10,
)


@given(VALUES, VALUES)
@settings(max_examples=100)
def test_anything_is_described_and_a_difference_is_seen_from_both_sides(
    one: object, other: object
) -> None:
    seen = ["do not differ" in describe_difference(*pair) for pair in ((one, other), (other, one))]
    assert seen[0] == seen[1]
    assert "do not differ" in describe_difference(one, one)
