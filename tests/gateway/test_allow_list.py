"""Each function of the allow-list runs in a gateway, and its near neighbours are leased."""

from __future__ import annotations

import operator
from functools import partial

import dask.array as da
import numpy as np
import pytest
from dask._task_spec import Alias, DataNode, Dict, List, Task, TaskRef, convert_legacy_graph
from dask.array.chunk import getitem
from dask.array.core import concatenate3, getter, getter_inline, getter_nofancy

from eco_dask.gateway.structural import is_structural, run_structural, runs_here
from eco_dask.values import EncodedValue, encode

X = TaskRef("x")
ARRAY = np.arange(12).reshape(3, 4)


class Spy(list):
    """A recruiter's class whose methods must never run in a gateway."""

    def __getitem__(self, index):
        raise AssertionError("a recruiter's code ran in the gateway")

    __array__ = __hash__ = __getitem__


class SpyIndex:
    def __index__(self):
        raise AssertionError("a recruiter's code ran in the gateway")

    __hash__ = None


def recruiters(x, *_):
    raise AssertionError("a recruiter's code ran in the gateway")


RUN_HERE = {
    "alias": (Alias("k", "x"), ARRAY),
    "data": (DataNode("k", [1, 2]), [1, 2]),
    "operator.getitem": (Task("k", operator.getitem, X, 1), ARRAY[1]),
    "getitem": (Task("k", getitem, X, (slice(1, None), 2)), ARRAY[1:, 2]),
    "getter": (Task("k", getter, X, (slice(0, 2), slice(None))), ARRAY[:2]),
    "getter_inline": (Task("k", getter_inline, X, (slice(0, 2),)), ARRAY[:2]),
    "getter_nofancy": (Task("k", getter_nofancy, X, (slice(0, 2),)), ARRAY[:2]),
    "concatenate": (Task("k", concatenate3, List(List(X, X))), np.hstack([ARRAY, ARRAY])),
    "list": (List(X, 1), [ARRAY, 1]),
    "dict": (Dict({"a": X}), {"a": ARRAY}),
}


@pytest.mark.parametrize("name", RUN_HERE)
def test_what_only_moves_data_runs_here(name: str) -> None:
    node, expected = RUN_HERE[name]
    inputs = {"x": encode(ARRAY)} if node.dependencies else {}
    assert is_structural(node)
    assert runs_here(node, inputs)
    result = run_structural(node, inputs)
    assert isinstance(result, EncodedValue)
    assert result == encode(expected)


LEASED = {
    "a recruiter's function": Task("k", recruiters, X),
    "one in disguise": Task("k", partial(operator.getitem), X, 1),
    "a lambda": Task("k", lambda x: x, X),
    "a numpy function": Task("k", np.sum, X),
    "apply": Task("k", lambda f, x: f(x), recruiters, X),
    "a recruiter's container": Task("k", operator.getitem, Spy([1]), 0),
    "a recruiter's index": Task("k", operator.getitem, X, SpyIndex()),
    "a recruiter's index within a slice": Task("k", operator.getitem, X, slice(SpyIndex(), None)),
    "a recruiter's index within a tuple": Task("k", getitem, X, (slice(None), SpyIndex())),
    "a recruiter's asarray": Task("k", getter, X, (slice(1),), asarray=recruiters),
    "a recruiter's lock": Task("k", getter, X, (slice(1),), lock=SpyIndex()),
    "a recruiter's function within a list": List(X, Task("i", recruiters, X)),
    "an unhashable callable": Task("k", SpyIndex, X),
    "a subclass of an array": Task("k", getitem, np.arange(3).view(np.recarray), 0),
}


@pytest.mark.parametrize("name", LEASED)
def test_whatever_could_run_a_recruiters_code_is_leased(name: str) -> None:
    assert not runs_here(LEASED[name], {"x": encode(ARRAY)})


def test_most_of_a_rechunk_runs_here() -> None:
    x = da.from_array(np.arange(400.0).reshape(20, 20), chunks=(5, 20)).rechunk((20, 5))
    graph = convert_legacy_graph(dict(x.dask))
    nodes = [node for node in graph.values() if not isinstance(node, DataNode)]
    inputs = {key: encode(ARRAY) for node in nodes for key in node.dependencies}
    here = sum(runs_here(node, inputs) for node in nodes)
    assert here > len(nodes) / 2
