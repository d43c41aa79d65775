"""Errors that a task raised on providers: which `except` catches them, and what they say."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from eco_dask.errors import RemoteTaskError, ValueCodecError, remote_task_error


class PickyError(Exception):
    def __init__(self, code, *, reason):
        raise AssertionError("a stranger's text reached the recruiter's constructor")


class StrictlyNewError(Exception):
    def __new__(cls, code, reason):
        return super().__new__(cls, code, reason)


class FinalError(Exception):
    def __init_subclass__(cls):
        raise RuntimeError("no subclasses")


HERE = __name__
CAUGHT_AS = {
    "ZeroDivisionError": ZeroDivisionError,
    "KeyError": KeyError,
    "OSError": OSError,
    "FileNotFoundError": OSError,
    "UnicodeDecodeError": ValueError,
    "numpy.linalg.LinAlgError": np.linalg.LinAlgError,
    "numpy.exceptions.AxisError": IndexError,
    "eco_dask.errors.ValueCodecError": ValueCodecError,
    f"{HERE}.PickyError": PickyError,
}
UNKNOWN = [
    "Exception",
    "KeyboardInterrupt",
    "SystemExit",
    "ExceptionGroup",
    "NoSuchError",
    "no_such_module.SomeError",
    "numpy.linalg.norm",
    "numpy.ndarray",
    "eco_dask.errors.RemoteTaskError",
    f"{HERE}.StrictlyNewError",
    f"{HERE}.FinalError",
    "",
    ".",
    "..a",
    "builtins.",
]


@pytest.mark.parametrize(("name", "base"), CAUGHT_AS.items(), ids=str)
def test_an_imported_class_of_exception_still_catches(name, base):
    error = remote_task_error(name, "the text", "")
    assert isinstance(error, RemoteTaskError)
    assert isinstance(error, base)
    assert str(error) == "the text"


@pytest.mark.parametrize("name", UNKNOWN)
def test_every_other_name_gives_the_plain_error(name):
    error = remote_task_error(name, "the text", "")
    assert type(error) is RemoteTaskError
    assert error.error_type == name
    assert str(error) == "the text"


@pytest.mark.parametrize("name", ["KeyError", f"{HERE}.PickyError", "no_such_module.SomeError"])
def test_pickling_keeps_class_text_and_notes(name):
    error = remote_task_error(name, "the text", "File x, line 1")
    loaded = pickle.loads(pickle.dumps(error))
    assert type(loaded) is type(error)
    assert (str(loaded), loaded.error_type) == ("the text", name)
    assert loaded.__notes__ == error.__notes__ == ["Traceback on the provider:\nFile x, line 1"]


def test_the_name_imports_nothing():
    import sys

    assert "antigravity" not in sys.modules
    remote_task_error("antigravity.SomeError", "", "")
    assert "antigravity" not in sys.modules
