"""Stored values show the decoded type wherever Dask asks for the type of what it stores."""

from __future__ import annotations

import pickle
from concurrent.futures import Future

import numpy as np
import pytest
from dask.utils import typename
from distributed.protocol import deserialize, serialize

from eco_dask.gateway.shown import shown_as_decoded
from eco_dask.gateway.submission import Submission
from eco_dask.values import EncodedValue, encode, keep_encoded

VALUES = {
    "array": (np.arange(3), np.ndarray, "numpy.ndarray"),
    "number": (3, int, "int"),
    "text": ("x", str, "str"),
    "none": (None, type(None), "NoneType"),
    "scalar": (np.float64(1), np.float64, "numpy.float64"),
    "dict": ({"a": 1}, dict, "dict"),
}


@pytest.mark.parametrize("name", VALUES)
def test_the_type_pickles_and_is_named_as_the_decoded_one(name: str) -> None:
    value, expected, shown = VALUES[name]
    stored = shown_as_decoded(encode(value))
    assert isinstance(stored, EncodedValue)
    # What Dask's worker sends to the scheduler and on to clients as Future.type.
    assert pickle.loads(pickle.dumps(type(stored), protocol=4)) is expected
    assert typename(type(stored)) == shown


@pytest.mark.parametrize("name", VALUES)
def test_it_is_the_same_value_still(name: str) -> None:
    value = VALUES[name][0]
    stored = shown_as_decoded(encode(value))
    assert stored == encode(value)
    assert hash(stored) == hash(encode(value))
    np.testing.assert_equal(stored.decode(), value)


@pytest.mark.parametrize("kept", [True, False])
def test_moving_it_gives_what_the_process_wants(kept: bool) -> None:
    stored = shown_as_decoded(encode(np.arange(3)))
    header, frames = serialize(stored)
    keep_encoded(kept)
    try:
        moved = deserialize(header, frames)
        pickled = pickle.loads(pickle.dumps(stored))
    finally:
        keep_encoded(False)
    for each in (moved, pickled):
        assert isinstance(each, EncodedValue) is kept
        assert (each.digest == stored.digest) if kept else (each == np.arange(3)).all()


def test_what_dask_is_told_of_a_value() -> None:
    submission = Submission("key", Future(), delay_s=2.0, started_at_s=10.0)
    submission.succeed(encode(np.arange(3)), 11.0, wall_s=0.25)
    message = submission.future.result(0)
    assert (message["op"], message["status"]) == ("task-finished", "OK")
    assert message["type"] is np.ndarray
    assert message["nbytes"] == encode(np.arange(3)).size_bytes
    # By the scheduler's clock.
    assert (message["start"], message["stop"]) == (12.75, 13.0)


def test_a_submission_ends_once() -> None:
    submission = Submission("key", Future(), 0.0, 0.0)
    submission.fail(ValueError("first"), 1.0)
    submission.succeed(encode(1), 2.0)
    submission.fail(ValueError("third"), 3.0)
    assert str(submission.future.result(0)["actual_exception"]) == "first"
