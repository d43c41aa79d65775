"""Providers that misbehave do so as the table says, and the same way each time."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from eco_dask.agent.runner_process import Done, Raised
from eco_dask.errors import ConfigurationError
from eco_dask.testing import FLEETS, misbehaving
from eco_dask.testing.behaviours import BEHAVIOURS, behaviour_of, falsified
from eco_dask.values import EncodedValue, encode

RAISED = Raised("l", "ValueError", "no", "", 0.1, 0.2)


def done(value: object) -> Done:
    encoded = encode(value)
    return Done("l", encoded.digest, tuple(map(bytes, encoded.parts())), 0.1, 0.2)


def value_of(answer: Done) -> object:
    encoded = EncodedValue.from_bytes(b"".join(answer.parts))
    assert encoded.digest == answer.digest, "a lie is committed to and served consistently"
    return encoded.decode()


VALUES = [
    None, True, 0, -5, 1e300, float("nan"), float("inf"), 2j, "", "x", b"", [], [1, 2], (), ("a",),
    {}, {"a": 1}, set(), np.float32(1), np.int8(5), np.arange(4, dtype="u1"), np.zeros(0),
    np.ones((2, 3)), np.array(["a"]), np.array([True]), np.array(["2020-01-01"], "M8[D]"),
    slice(1, 2), np.arange(3, dtype="f2"),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_lie_is_another_value_that_decodes(value: object) -> None:
    honest = done(value)
    lies = {falsified(honest, Random(seed)).digest for seed in range(5)}
    assert honest.digest not in lies
    # Different liars tell different lies, the same liar the same.
    assert len(lies) > 1
    assert falsified(honest, Random(1)) == falsified(honest, Random(1))
    value_of(falsified(honest, Random(1)))


def test_a_lie_about_numbers_keeps_their_type() -> None:
    for value in (np.ones((2, 3)), np.arange(4, dtype="i2"), "text", 7, [1, "x"]):
        lie = value_of(falsified(done(value), Random(0)))
        assert type(lie) is type(value)
    assert value_of(falsified(done(np.ones((2, 3))), Random(0))).shape == (2, 3)


def test_a_share_of_the_answers_is_false() -> None:
    liar, claimer = behaviour_of("lie:0.25", "s"), behaviour_of("error:0.25", "s")
    honest = done(1)
    assert 60 < sum(liar.say(honest) != honest for _ in range(400)) < 140
    assert 60 < sum(isinstance(claimer.say(honest), Raised) for _ in range(400)) < 140
    assert liar.say(RAISED) == claimer.say(RAISED) == RAISED


def test_colluders_agree_with_each_other_only() -> None:
    one, other = behaviour_of("collude:7", "a"), behaviour_of("collude:7", "b")
    stranger = behaviour_of("collude:8", "a")
    honest = done(np.arange(5))
    assert one.say(honest) == other.say(honest)
    assert len({one.say(honest).digest, stranger.say(honest).digest, honest.digest}) == 3


def test_what_is_served() -> None:
    honest = done(np.arange(5))
    assert behaviour_of("honest", "").serve(honest) == honest.parts
    assert behaviour_of("withhold", "").serve(honest) is None
    wrong = b"".join(behaviour_of("mismatch", "").serve(honest))
    assert wrong != b"".join(honest.parts)
    assert len(wrong) == honest.size_bytes


def test_what_is_sketched() -> None:
    honest = done(np.arange(5.0))
    for name in ("honest", "lie", "collude:7", "sleeper"):
        assert behaviour_of(name, "").sketched(honest) == honest.parts
    assert behaviour_of("sketch-withhold", "").sketched(honest) is None
    liar = behaviour_of("sketch-lie", "")
    assert liar.say(honest) == honest
    assert liar.serve(honest) == honest.parts
    assert EncodedValue.from_bytes(b"".join(liar.sketched(honest))).digest != honest.digest


def test_a_right_sketch_of_what_is_not_served() -> None:
    honest, liar = done(np.arange(5.0)), behaviour_of("sketch-right", "")
    lie = liar.say(honest)
    assert lie.digest != honest.digest
    assert value_of(lie).shape == (5,)
    assert liar.serve(lie) == lie.parts
    assert liar.sketched(lie) == honest.parts
    assert liar.say(RAISED) == RAISED


def test_a_sleeper_is_honest_for_as_long_as_it_says() -> None:
    sleeper, honest = behaviour_of("sleeper:3", ""), done(1)
    assert [sleeper.say(honest) == honest for _ in range(6)] == [True] * 3 + [False] * 3


def test_silence_and_noise() -> None:
    assert behaviour_of("stall", "").say(done(1)) is None
    assert behaviour_of("garbage", "s").noise() == behaviour_of("garbage", "s").noise() != b""
    assert behaviour_of("honest", "").noise() == b""


@pytest.mark.parametrize("text", ["", "nice", "lie:often", "vanish:soon"])
def test_an_unknown_behaviour_is_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(ConfigurationError, match="collude"):
        misbehaving("mallory", text)


def test_each_behaviour_has_a_fleet() -> None:
    used = {
        spec.arguments[1].partition(":")[0]
        for fleet in FLEETS.values()
        for spec in fleet
        if spec.arguments
    }
    assert used | {"honest", "flood"} == set(BEHAVIOURS)
