"""Recruiters take turns at a runner."""

from __future__ import annotations

import pytest

from eco_dask.agent.turns import TURN_S, Turns


def serving(recruiter: str) -> Turns:
    turns = Turns()
    turns.fed(recruiter)
    return turns


@pytest.mark.parametrize(
    ("waiting", "busy", "expected"),
    [
        ("", 0, []),
        ("aab", 0, ["a", "b"]),
        # The one that is served comes first, whoever came first.
        ("bab", 0, ["a", "b"]),
        ("bab", 3, ["a"]),
        ("bc", 0, ["b", "c"]),
        # The runner holds the tasks of another: it must be empty first.
        ("bc", 1, []),
    ],
)
def test_within_a_turn_one_recruiter_is_served(waiting, busy, expected) -> None:
    assert serving("a").order(waiting, busy, 100.0) == expected


@pytest.mark.parametrize(("busy", "expected"), [(0, ["b", "a"]), (2, [])])
def test_a_turn_ends_when_others_waited_long_enough(busy, expected) -> None:
    turns = serving("a")
    assert turns.order("ab", 2, 100.0) == ["a"]
    assert turns.order("ab", 2, 100.0 + TURN_S / 2) == ["a"]
    assert turns.order("ab", busy, 100.0 + TURN_S) == expected


def test_alone_nobody_s_turn_ends() -> None:
    turns = serving("a")
    assert turns.order("a", 1, 0.0) == ["a"]
    assert turns.order("a", 1, 1e6) == ["a"]


def test_waiting_counts_from_when_another_came_and_anew_with_each_turn() -> None:
    turns = serving("a")
    assert turns.order("a", 1, 0.0) == ["a"]
    assert turns.order("ab", 1, 50.0) == ["a"]
    assert turns.order("ab", 0, 50.0 + TURN_S) == ["b", "a"]
    turns.fed("b")
    assert turns.order("ab", 1, 51.0 + TURN_S) == ["b"]
    # Whoever waited and left is forgotten.
    assert turns.order("b", 1, 52.0 + TURN_S) == ["b"]
    assert turns.order("ba", 1, 99.0 + TURN_S) == ["b"]
