"""Values of a recruiter's registered classes, from one task to the next in other processes."""

from __future__ import annotations

import collections
import dataclasses
import enum
import operator
import subprocess
import sys

import pytest

from eco_dask.dask_internals import Alias, DataNode, Task, TaskRef
from eco_dask.gateway.packing import pack
from eco_dask.gateway.structural import runs_here
from eco_dask.values import EncodedValue, encode, keep_encoded, register
from eco_dask.values.registered import _registered, _vouched, registered_references

#: A runner that gets one task and one input, and answers with the encoded result.
RUNNER = """
import sys
from eco_dask.agent.runner import run_task
from eco_dask.values import encode
sizes = [int(size) for size in sys.argv[1:]]
task, inputs = sys.stdin.buffer.read(sizes[0]), [bytearray(sys.stdin.buffer.read(sizes[1]))]
sys.stdout.buffer.write(encode(run_task(task, inputs if sizes[1] else [], [])).to_bytes())
"""


def run_elsewhere(package, value=None):
    """Run a packed task in a process that knows nothing of this one; return the encoded result."""
    task, encoded = package.task, b"" if value is None else value.to_bytes()
    command = [sys.executable, "-c", RUNNER, str(len(task)), str(len(encoded))]
    done = subprocess.run(command, input=task + encoded, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return EncodedValue.from_bytes(done.stdout)


def by_value(cls):
    """Make a class look as one of a notebook: no other process can import it."""
    cls.__module__ = "__main__"
    return register(cls)


@pytest.fixture(autouse=True)
def registry():
    before = dict(_registered), dict(_vouched)
    yield
    for registered, known in zip((_registered, _vouched), before, strict=True):
        registered.clear()
        registered.update(known)


def dataclass_of_a_notebook():
    @by_value
    @dataclasses.dataclass
    class Fit:
        slope: float
        names: tuple = ()

    return Fit(2.0, ("a",)), "slope", 2.0


def enum_of_a_notebook():
    @by_value
    class Season(enum.Enum):
        WINTER = 1

    return Season.WINTER, "name", "WINTER"


@pytest.mark.parametrize("make", [dataclass_of_a_notebook, enum_of_a_notebook])
def test_a_class_that_travels_by_value_serves_two_runners_in_turn(make):
    expected, attribute, part = make()
    made = run_elsewhere(pack(Task("a", lambda: [expected]), {}))
    assert made == encode([expected])
    assert made.decode() == [expected]

    use = Task("b", lambda values: getattr(values[0], attribute), TaskRef("a"))
    assert run_elsewhere(pack(use, {"a": made}), made).decode() == part


THIRD_PARTY = "urllib.parse:SplitResult"


def test_a_class_of_a_library_travels_by_the_jobs_word():
    from urllib.parse import SplitResult, urlsplit

    register(SplitResult)
    try:
        assert THIRD_PARTY in registered_references()
        made = run_elsewhere(
            pack(Task("a", urlsplit, "http://x/y"), {}, vouched=registered_references())
        )
        assert made.decode() == urlsplit("http://x/y")
        use = Task("b", lambda url: url.path, TaskRef("a"))
        package = pack(use, {"a": made}, vouched=[THIRD_PARTY])
        assert run_elsewhere(package, made).decode() == "/y"
    finally:
        del SplitResult.__eco_dask_value__


def test_a_class_of_the_notebook_is_not_found_by_a_reference():
    dataclass_of_a_notebook()
    assert not [ref for ref in registered_references() if ref.startswith("__main__")]


@pytest.mark.parametrize("reference", ["no_such_module:Thing", "json:NoSuchThing", "json:loads"])
def test_a_reference_to_no_class_here_is_said_when_it_is_needed(reference):
    from eco_dask.errors import ValueCodecError
    from eco_dask.values.registered import vouch

    cls = collections.namedtuple("Thing", "a")  # noqa: PYI024  its names are what is tested
    cls.__module__, _, cls.__qualname__ = reference.partition(":")
    vouch([reference])
    with pytest.raises(ValueCodecError, match=f"recruiter registered {reference}"):
        encode(cls(1))


@pytest.fixture
def gateway():
    keep_encoded(True)
    yield
    keep_encoded(False)


def test_a_gateway_builds_no_value_of_a_registered_class(gateway):
    @register
    @dataclasses.dataclass
    class Trap:
        a: int

        def __post_init__(self):
            assert self.a == 0, "built from a provider's bytes"

    value = Trap(0)
    value.a = 1
    (decoded,) = encode([value]).decode()
    assert not isinstance(decoded, Trap)


def test_tasks_that_only_move_registered_values_go_to_providers():
    value, _, _ = dataclass_of_a_notebook()
    item = Task("b", operator.getitem, TaskRef("a"), 0)
    assert runs_here(item, {"a": encode([1])})
    assert not runs_here(item, {"a": encode([value])})
    assert runs_here(Alias("b", "a"), {"a": encode(value)})
    assert runs_here(DataNode("b", 1), {})


def test_a_literal_of_the_recruiter_is_only_moved():
    from dask.core import literal

    assert runs_here(Task("a", literal([object()])), {})
    assert not runs_here(Task("a", type("literal", (literal,), {})([1])), {})
