"""What runs in the gateway itself, and that no recruiter's code ever does."""

from __future__ import annotations

import operator

import dask.array as da
import numpy as np
import pytest
from dask._task_spec import Alias, DataNode, Dict, List, Task, TaskRef
from dask.array.core import concatenate3, getter

from eco_dask.errors import TaskRefusedError
from eco_dask.gateway.structural import is_structural, refuse, run_structural, runs_here
from eco_dask.values import EncodedValue, encode


class Trap:
    """A recruiter's object: each of its methods says that it ran."""

    sprung: list[str] = []

    def __getitem__(self, index):
        self.sprung.append("getitem")
        return 0

    def __index__(self):
        self.sprung.append("index")
        return 0

    def __array__(self, *args, **kwargs):
        self.sprung.append("array")
        return np.zeros(3)

    def __class_getitem__(cls, item):
        cls.sprung.append("class_getitem")
        return 0

    def __call__(self, *args):
        self.sprung.append("call")
        return 0


class SubclassedList(list):
    def __getitem__(self, index):
        Trap.sprung.append("subclass")
        return super().__getitem__(index)


PLAIN = {"x": np.arange(6.0).reshape(2, 3), "i": 1}

STRUCTURAL = {
    "an alias": (Alias("k", "x"), lambda found: np.array_equal(found, PLAIN["x"])),
    "a constant": (DataNode("k", [1, 2]), lambda found: found == [1, 2]),
    "indexing": (
        Task("k", operator.getitem, TaskRef("x"), (slice(0, 1), None)),
        lambda found: np.array_equal(found, PLAIN["x"][0:1, None]),
    ),
    "dask's getter": (
        Task("k", getter, TaskRef("x"), (slice(None), slice(1, 3))),
        lambda found: np.array_equal(found, PLAIN["x"][:, 1:3]),
    ),
    "containers": (
        List(TaskRef("i"), Dict({"a": TaskRef("i")})),
        lambda found: found == [1, {"a": 1}],
    ),
    "the end of a compute": (
        Task("k", concatenate3, List(List(TaskRef("x")), List(TaskRef("x")))),
        lambda found: found.shape == (4, 3),
    ),
}

LEASED = {
    "a function of the recruiter's": (Task("k", lambda x: x, TaskRef("x")), {}),
    "numpy's arithmetic": (Task("k", np.add, TaskRef("x"), 1), {}),
    "a callable object": (Task("k", Trap(), TaskRef("x")), {}),
    "indexing a constant of the recruiter's": (Task("k", operator.getitem, Trap(), 0), {}),
    "indexing a nested constant": (
        Task("k", operator.getitem, DataNode("d", Trap()), 0),
        {},
    ),
    "indexing what the client put here": (
        Task("k", getter, TaskRef("t"), 0),
        {"t": Trap()},
    ),
    "an index of the recruiter's": (Task("k", operator.getitem, TaskRef("x"), Trap()), {}),
    "a slice with one": (Task("k", operator.getitem, TaskRef("x"), slice(Trap())), {}),
    "indexing a class": (Task("k", operator.getitem, Trap, 0), {}),
    "a subclass of list": (Task("k", operator.getitem, SubclassedList([1]), 0), {}),
    "a subclass put here": (
        Task("k", operator.getitem, TaskRef("t"), 0),
        {"t": SubclassedList([1])},
    ),
    "an array of objects": (
        Task("k", operator.getitem, TaskRef("t"), 0),
        {"t": np.array([Trap()], dtype=object)},
    ),
}


def encoded(values):
    return {k: encode(v) for k, v in values.items()}


@pytest.mark.parametrize("what", STRUCTURAL)
def test_what_only_moves_data_runs_here(what: str) -> None:
    node, is_right = STRUCTURAL[what]
    inputs = encoded(PLAIN)
    assert runs_here(node, inputs)
    found = run_structural(node, inputs)
    assert is_right(found.decode() if isinstance(found, EncodedValue) else found)


@pytest.mark.parametrize("what", LEASED)
def test_whatever_could_run_a_recruiters_code_is_leased(what: str) -> None:
    node, raw = LEASED[what]
    Trap.sprung.clear()
    assert not runs_here(node, encoded(PLAIN) | raw)
    assert Trap.sprung == []


def test_an_alias_hands_its_value_on_untouched() -> None:
    value = encode(PLAIN["x"])
    assert run_structural(Alias("k", "x"), {"x": value}) is value
    trap = Trap()
    assert run_structural(Alias("k", "x"), {"x": trap}) is trap


def test_a_refusal_runs_here_and_raises() -> None:
    node = Task("k", refuse, "because")
    assert runs_here(node, {})
    with pytest.raises(TaskRefusedError, match="because"):
        run_structural(node, {})


def test_half_of_a_rechunk_only_moves_data() -> None:
    graph = dict(da.ones((8, 8), chunks=4).rechunk((2, 8), method="tasks").__dask_graph__())
    from dask._task_spec import convert_legacy_graph

    nodes = convert_legacy_graph(graph).values()
    structural = [node for node in nodes if is_structural(node)]
    assert len(structural) >= 8
