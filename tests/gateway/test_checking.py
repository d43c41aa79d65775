"""Checks at the gateway: known calls are found in Dask's graphs, right answers pass, wrong fail."""

from __future__ import annotations

import asyncio
import operator
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import dask
import dask.array as da
import numpy as np
import pytest
from dask._task_spec import (
    Alias,
    DataNode,
    Task,
    TaskRef,
    _execute_subgraph,
    convert_legacy_graph,
    execute_graph,
)
from dask.array import linalg, routines
from dask.array.chunk import getitem

from eco_dask.engine.events import CheckArrived
from eco_dask.gateway.calls import KnownCall
from eco_dask.gateway.checking import CHECK_S, CHECKED_BYTES_MAX, Checking, verdict_on
from eco_dask.gateway.finding import known_call
from eco_dask.gateway.functions import (
    MATMUL,
    PASSED_THROUGH,
    SAME_AS,
    TENSORDOT,
    known_functions,
)
from eco_dask.values import EncodedValue, encode, register
from eco_dask.verification.checks import BUILTIN, Failed, NotApplicable, Passed

SEED = bytes(range(32))
N = 420
GENERATOR = np.random.default_rng(0)
A, B = GENERATOR.standard_normal((2, N, N))
TALL = GENERATOR.standard_normal((900, N))
ROW = GENERATOR.standard_normal(1 << 15)
DEFINITE = np.kron(np.eye(2), A @ A.T / N + np.eye(N))
X, Y = TaskRef("x"), TaskRef("y")


class Anything(dict):
    """Inputs of whatever name."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: object) -> None:
        return None


def is_checkable(node: Any) -> bool:
    """Whether a task may have a check, by its form alone."""
    return known_call(node, Anything()) is not None


def bent(answer: Any) -> Any:
    """Change one number of the first array by one part in a hundred."""
    if isinstance(answer, tuple):
        first, *others = answer
        items = (bent(first), *others)
        return type(answer)(*items) if hasattr(answer, "_fields") else items
    changed = answer.copy()
    changed.flat[np.abs(answer).argmax()] *= 1.01
    return changed


def verdict(node: Any, inputs: Mapping[Any, Any], answer: Any) -> object:
    call = known_call(node, {key: encode(value) for key, value in inputs.items()})
    assert call is not None
    return verdict_on(call, encode(answer), SEED)


# ------------------------------------------------------------------ plain tasks

PLAIN = {
    "matmul": (Task("k", np.matmul, X, Y), A, B),
    "dot": (Task("k", np.dot, X, Y), A, B),
    "@": (Task("k", operator.matmul, X, Y), A, B),
    "tensordot": (Task("k", np.tensordot, X, Y, axes=((1,), (0,))), A, B),
    "tensordot, positional": (Task("k", np.tensordot, X, Y, 1), A, B),
    "solve": (Task("k", np.linalg.solve, X, Y), A, B),
    "lstsq": (Task("k", np.linalg.lstsq, X, Y, None), TALL, TALL[:, 0] + 1),
    "inv": (Task("k", np.linalg.inv, X), A + 60 * np.eye(N), None),
    "qr": (Task("k", np.linalg.qr, X), TALL, None),
    "qr, mode": (Task("k", np.linalg.qr, X, "reduced"), TALL, None),
    "svd": (Task("k", np.linalg.svd, X, full_matrices=False), TALL[:, :210], None),
    "svd, positional": (Task("k", np.linalg.svd, X, False), TALL[:, :210], None),
    "cholesky": (Task("k", np.linalg.cholesky, X), DEFINITE, None),
    "eigh": (Task("k", np.linalg.eigh, X), DEFINITE, None),
    "fft": (Task("k", np.fft.fft, X), A, None),
    "fft as of dask": (
        Task("k", np.fft.fft, X, *(DataNode(None, v) for v in (None, 0, None))), A, None,
    ),
    "fft of one long row": (
        Task("k", np.fft.fft, X, *(DataNode(None, v) for v in (None, 0, None))), ROW, None,
    ),
    "rfft": (Task("k", np.fft.rfft, X, 300), A, None),
    "sort": (Task("k", np.sort, X, axis=0), A, None),
    "partial": (Task("k", partial(np.sort, axis=0), X), A, None),
    "constants": (Task("k", np.matmul, A, DataNode(None, B)), None, None),
    "by another name": (Task("k", np.matmul, Alias("x"), Y), A, B),
    "dask's qr": (Task("k", linalg._wrapped_qr, X), TALL, None),
    "dask's cholesky": (Task("k", linalg._cholesky_lower, X), DEFINITE, None),
    "dask's matmul": (Task("k", routines._matmul, X, Y), A, B),
    "dask's tensordot": (
        Task("k", routines._tensordot, X, Y, axes=((0,), (1,)), is_sparse=False), A, B,
    ),
    "dask's tensordot over two": (
        Task("k", routines._tensordot, X, Y, axes=((0, 2), (1, 0)), is_sparse=False),
        A.reshape(20, N, 21), B[:, : 20 * 20].reshape(21 * 20, 20, 20)[:21],
    ),
}  # fmt: skip


def inputs_of(name: str) -> dict[str, Any]:
    _, x, y = PLAIN[name]
    return {key: value for key, value in {"x": x, "y": y}.items() if value is not None}


#: Products too thin, and a row too long, for a check that sees each wrong number.
WEAK = {"dask's tensordot over two", "fft of one long row"}


@pytest.mark.parametrize("name", sorted(PLAIN.keys() - WEAK))
def test_right_answers_pass_and_wrong_ones_fail(name: str) -> None:
    node, inputs = PLAIN[name][0], inputs_of(name)
    assert is_checkable(node)
    answer = node(inputs)
    passed = verdict(node, inputs, answer)
    assert isinstance(passed, Passed), passed
    assert passed.power > 0.5
    assert isinstance(verdict(node, inputs, bent(answer)), Failed)


def test_a_long_row_is_checked_at_some_places() -> None:
    node, inputs = PLAIN["fft of one long row"][0], inputs_of("fft of one long row")
    answer = node(inputs)
    assert isinstance(verdict(node, inputs, answer), Passed)
    assert isinstance(verdict(node, inputs, answer * 1.01), Failed)


def test_every_function_that_has_a_check_is_found_by_identity() -> None:
    checked = {known.checker for known in known_functions().values() if not isinstance(known, str)}
    assert checked == set(BUILTIN.values())
    # A release of Dask that renames one of its own would silently lose its checks.
    assert len(known_functions()) == len(BUILTIN) + len(PASSED_THROUGH) + len(SAME_AS) + 2
    assert MATMUL.endswith(routines._matmul.__name__)
    assert TENSORDOT.endswith(routines._tensordot.__name__)


def test_several_contracted_axes_are_put_back_where_dask_puts_them() -> None:
    name = "dask's tensordot over two"
    node, inputs = PLAIN[name][0], inputs_of(name)
    answer = node(inputs)
    assert 1 in answer.shape
    assert not isinstance(verdict(node, inputs, answer), Failed)
    assert isinstance(verdict(node, inputs, answer.reshape(-1)), Failed)


# ------------------------------------------------------------------ Dask's own graphs


def blocks(array: np.ndarray, *chunks: int) -> Any:
    return da.from_array(array, chunks=chunks, name=False, inline_array=False).persist()


CHUNK = 2 * N
C, D = GENERATOR.standard_normal((2, CHUNK, CHUNK))
GRAPHS: dict[str, Callable[[], Any]] = {
    "matmul": lambda: blocks(C, N, N) @ blocks(D, N, N),
    "matmul, one block deep": lambda: blocks(C, N, CHUNK) @ blocks(D, CHUNK, N),
    "dot": lambda: blocks(C, N, N).dot(blocks(D, N, N)),
    "tensordot": lambda: da.tensordot(blocks(C, N, N), blocks(D, N, N), axes=((0,), (1,))),
    "fft": lambda: da.fft.fft(blocks(C, N, CHUNK), axis=1),
    "rfft": lambda: da.fft.rfft(blocks(C, N, CHUNK), n=300),
    "qr": lambda: (
        da.linalg.qr(blocks(np.vstack([C, D]), CHUNK, N))[1]
        if False
        else da.linalg.qr(blocks(C[:, :N], CHUNK, N))[1]
    ),
    "cholesky": lambda: da.linalg.cholesky(blocks(DEFINITE, CHUNK, CHUNK), lower=True),
    "map_blocks": lambda: blocks(C, N, N).map_blocks(np.sort, axis=0),
    "map_blocks of inv": lambda: blocks(C + 60 * np.eye(CHUNK), CHUNK, CHUNK).map_blocks(
        np.linalg.inv, dtype=float
    ),
    "delayed": lambda: dask.delayed(np.linalg.solve)(C, D),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_calls_are_found_in_the_graphs_that_dask_makes(name: str) -> None:
    (collection,) = dask.optimize(GRAPHS[name]())
    graph = convert_legacy_graph(dict(collection.__dask_graph__()))
    values = execute_graph(graph, keys=set(graph))
    checkable = [node for node in graph.values() if is_checkable(node)]
    assert checkable
    for node in checkable:
        inputs = {key: values[key] for key in node.dependencies}
        passed = verdict(node, inputs, values[node.key])
        assert isinstance(passed, Passed), passed
        assert isinstance(verdict(node, inputs, bent(values[node.key])), Failed)


def fused(*nodes: Task, keys: tuple[str, ...] = ("x", "y")) -> Task:
    inner = {node.key: node for node in nodes}
    return Task("k", _execute_subgraph, inner, nodes[-1].key, keys, *map(TaskRef, keys))


def product(name: str = "p") -> Task:
    return Task(name, routines._matmul, X, Y)


P = TaskRef("p")
SUMMED = Task("s", np.sum, P, axis=(1,), keepdims=True)
DROPPED = Task("d", getitem, TaskRef("s"), (slice(None), 0))


@pytest.mark.parametrize(
    ("nodes", "shape"),
    [((product(), SUMMED), (N, 1, N)), ((product(), SUMMED, DROPPED), (N, N))],
    ids=["summed", "summed and dropped"],
)
def test_fused_steps_are_undone_in_their_order(nodes, shape) -> None:
    for node in (fused(*nodes), fused(fused(*nodes))):
        answer = node({"x": A, "y": B})
        assert answer.shape == shape
        assert isinstance(verdict(node, {"x": A, "y": B}, answer), Passed)
        assert isinstance(verdict(node, {"x": A, "y": B}, bent(answer)), Failed)
        assert isinstance(verdict(node, {"x": A, "y": B}, answer.reshape(N, N, 1)), Failed)


def graph_task(*args: Any, **kwargs: Any) -> Task:
    return Task("k", _execute_subgraph, {"p": product()}, "p", ("x", "y"), *args, **kwargs)


HIDDEN = {
    "a fused graph without all of its inputs": graph_task(X),
    "a fused graph with an option": graph_task(X, Y, option=1),
    "an axis from the end": fused(product(), Task("s", np.sum, P, axis=(-2,), keepdims=True)),
    "another place": fused(product(), Task("s", getitem, P, (slice(None), 1))),
    "an argument is computed": fused(
        Task("a", np.negative, X), Task("p", np.matmul, TaskRef("a"), Y)
    ),
    "something is computed after it": fused(product(), Task("s", np.negative, P)),
    "the sum is over more than an axis of one": fused(
        product(), Task("s", np.sum, P, axis=None, keepdims=True)
    ),
    "axes are lost": fused(product(), Task("s", np.sum, P, axis=(1,), keepdims=False)),
    "a sum that starts at something": fused(
        product(), Task("s", np.sum, P, axis=(1,), keepdims=True, initial=5.0)
    ),
    "a part of it is taken": fused(product(), Task("s", getitem, P, (slice(1, None), 0))),
    "nothing computes": fused(Task("s", getitem, P, (slice(None), 0))),
    "no call": Task("k", np.negative, X),
    "an alias": Alias("k", "x"),
    "data": DataNode("k", A),
    "too few arguments": Task("k", np.matmul, X),
    "too many": Task("k", np.matmul, X, Y, X),
    "twice the same": Task("k", np.sort, X, 0, axis=1),
    "a matrix of objects": Task("k", np.matmul, np.array([[object()]]), Y),
    "sparse": Task("k", routines._tensordot, X, Y, axes=((0,), (1,)), is_sparse=True),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_other_tasks_have_no_check(name: str) -> None:
    assert not is_checkable(HIDDEN[name])
    assert known_call(HIDDEN[name], {"x": encode(A), "y": encode(B)}) is None


@pytest.mark.parametrize(
    "last",
    [
        Task("s", np.sum, P, axis=(0,), keepdims=True),
        Task("s", np.sum, P, axis=(7,), keepdims=True),
        Task("s", partial(np.sum, dtype=np.dtype("f4")), P, axis=(1,), keepdims=True),
        Task("s", getitem, P, (0,)),
        Task("s", getitem, P, (0,) * 9),
    ],
    ids=["an axis of many", "no axis", "another dtype", "one row", "too many indices"],
)
def test_a_step_that_does_more_than_reshape_has_no_verdict(last: Task) -> None:
    node = fused(product(), last)
    assert isinstance(verdict(node, {"x": A, "y": B}, A @ B), NotApplicable)


@pytest.mark.parametrize(
    ("axes", "x"),
    [
        (((0, 0), (1, 1)), A),
        (((5,), (1,)), A),
        (((0,), (5,)), A),
        (((-1,), (0,)), A),
        (1, A),
    ],
    ids=repr,
)
def test_axes_that_dask_does_not_contract_have_no_verdict(axes: object, x: np.ndarray) -> None:
    node = Task("k", routines._tensordot, X, Y, axes=axes, is_sparse=False)
    assert isinstance(verdict(node, {"x": x, "y": B}, A @ B), NotApplicable)


def test_stacks_of_matrices_have_no_verdict() -> None:
    stack = np.stack([A, B])
    node = Task("k", routines._matmul, X, Y)
    assert isinstance(
        verdict(node, {"x": stack, "y": B}, node({"x": stack, "y": B})), NotApplicable
    )


def test_a_name_that_leads_to_itself_leads_nowhere() -> None:
    assert not is_checkable(fused(Alias("a", "b"), Alias("b", "a")))


# ------------------------------------------------------------------ strangers and recruiters


class Spy:
    """A recruiter's object, none of whose methods may run in a gateway."""

    def __call__(self, *_: Any) -> Any:
        raise AssertionError("a recruiter's code ran in the gateway")

    __hash__ = __eq__ = __getattr__ = __array__ = __len__ = __iter__ = __call__  # type: ignore[assignment]


def matmul(a: Any, b: Any) -> Any:
    raise AssertionError("a recruiter's code ran in the gateway")


matmul.__module__, matmul.__qualname__ = "numpy", "matmul"


class SpyArray(np.ndarray):
    __array_ufunc__ = __array_function__ = Spy.__call__  # type: ignore[assignment]


SPIES = {
    "in numpy's name": Task("k", matmul, X, Y),
    "a callable object": Task("k", Spy(), X, Y),
    "in a partial": Task("k", partial(Spy(), 1), X),
    "an argument": Task("k", np.matmul, Spy(), Y),
    "in a list": Task("k", np.matmul, X, [Spy()]),
    "a kind of array": Task("k", np.matmul, A.view(SpyArray), Y),
    "an option": Task("k", np.sort, X, axis=Spy()),
    "an axis": fused(product(), Task("s", np.sum, P, axis=Spy(), keepdims=True)),
    "a dtype": fused(
        product(), Task("s", partial(np.sum, dtype=Spy()), P, axis=(1,), keepdims=True)
    ),
    "an index": fused(product(), Task("s", getitem, P, Spy())),
}  # fmt: skip


@pytest.mark.parametrize("name", SPIES)
def test_nothing_of_a_recruiter_runs_here(name: str) -> None:
    assert not is_checkable(SPIES[name])


def test_a_recruiter_s_own_object_is_no_argument() -> None:
    node = Task("k", np.matmul, X, Y)
    assert known_call(node, {"x": Spy(), "y": encode(B)}) is None
    assert known_call(node, {"x": A, "y": encode(B)}) is not None
    assert known_call(node, {"x": TaskRef("y"), "y": encode(B)}) is None


class Pair(NamedTuple):
    """Registered by a recruiter, so nothing to be looked at."""

    one: int


register(Pair)
PRODUCT = Task("k", np.matmul, X, Y)
INPUTS = {"x": A, "y": B}
LIES = {
    "none": None,
    "text": "A @ B",
    "a list": (A @ B).tolist(),
    "masked": np.ma.masked_array(A @ B),
    "of another dtype": (A @ B).astype("f4"),
    "of another byte order": (A @ B).astype(">f8"),
    "of another shape": (A @ B).reshape(-1),
    "a row less": (A @ B)[1:],
    "not finite": np.full((N, N), np.nan),
    "huge": np.full((N, N), 1e308),
    "empty": np.zeros((0, N)),
}


@pytest.mark.parametrize("name", LIES)
def test_what_is_no_product_of_such_matrices_fails(name: str) -> None:
    assert isinstance(verdict(PRODUCT, INPUTS, LIES[name]), Failed)


@pytest.mark.parametrize(
    "answer",
    [LIES["text"], list(np.linalg.qr(TALL)), np.linalg.qr(TALL)[::-1], (np.ma.array(TALL),)],
)
def test_what_is_no_factorisation_does_not_pass(answer: object) -> None:
    node = Task("k", np.linalg.qr, X)
    assert isinstance(verdict(node, {"x": TALL}, answer), Failed | NotApplicable)


def test_a_factorisation_comes_in_numpy_s_own_container_of_plain_arrays() -> None:
    node, right = Task("k", np.linalg.qr, X), np.linalg.qr(TALL)

    def say(answer: object) -> object:
        return verdict(node, {"x": TALL}, answer)

    assert isinstance(say(right), Passed)
    assert isinstance(say(tuple(right)), NotApplicable), "another release of numpy gives a tuple"
    assert isinstance(say(list(right)), Failed)
    assert isinstance(say(type(np.linalg.eigh(np.eye(2)))(*right)), Failed)
    assert isinstance(say(type(right)(np.ma.masked_array(right.Q), right.R)), Failed)


@pytest.mark.parametrize(
    "x", [np.ma.masked_array(A), A.tolist(), "x", A[0], A[:5, :5], A.astype(int)], ids=type
)
def test_without_two_large_plain_matrices_nothing_is_said(x: object) -> None:
    assert isinstance(verdict(PRODUCT, {"x": x, "y": B}, A @ B), NotApplicable)


def test_values_of_registered_classes_are_not_looked_at() -> None:
    pair = encode(Pair(1))
    assert known_call(PRODUCT, {"x": pair, "y": encode(B)}) is None
    assert isinstance(verdict(PRODUCT, INPUTS, Pair(1)), NotApplicable)


def known(**changes: Any) -> KnownCall:
    call = known_call(PRODUCT, {key: encode(value) for key, value in INPUTS.items()})
    assert call is not None
    checker = changes.pop("checker", call.checker)
    return replace(call, function=replace(call.function, checker=checker))


def test_a_check_that_breaks_blames_nobody() -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    found = verdict_on(known(checker=broken), encode(A @ B), SEED)
    assert found == NotApplicable("the check broke: ZeroDivisionError")


def test_bytes_that_do_not_decode_blame_nobody() -> None:
    assert isinstance(verdict_on(known(), EncodedValue(b"\xc1"), SEED), NotApplicable)


def test_values_beyond_the_limit_are_not_decoded() -> None:
    class Large(EncodedValue):
        size_bytes = CHECKED_BYTES_MAX

    found = verdict_on(known(), Large(b"\xc1"), SEED)
    assert isinstance(found, NotApplicable)
    assert "at most" in found.reason


# ------------------------------------------------------------------ beside the event loop


class Bench:
    """A Checking with a clock to set and events to read."""

    def __init__(self) -> None:
        self.at_s = 0.0
        self.events: list[CheckArrived] = []
        self._news = asyncio.Event()
        self.checking = Checking(self._feed, lambda: self.at_s)

    def _feed(self, event: CheckArrived) -> None:
        self.events.append(event)
        self._news.set()

    async def hear(self, n: int) -> dict[str, object]:
        async with asyncio.timeout(20):
            while len(self.events) < n:
                self._news.clear()
                await self._news.wait()
        return {event.lease: event.verdict for event in self.events}


def run(test: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        bench = Bench()
        try:
            await test(bench)
        finally:
            bench.checking.close()

    asyncio.run(main())


def test_each_check_is_told_of_once_and_never_at_once() -> None:
    async def main(bench: Bench) -> None:
        bench.checking.check("right", known(), encode(A @ B))
        bench.checking.check("wrong", known(), encode(bent(A @ B)))
        bench.checking.check("hidden", None, encode(A))
        bench.checking.check("not here", known(), None)
        assert not bench.events
        told = await bench.hear(4)
        assert isinstance(told["right"], Passed)
        assert isinstance(told["wrong"], Failed)
        assert isinstance(told["hidden"], NotApplicable)
        assert isinstance(told["not here"], NotApplicable)
        bench.at_s = CHECK_S
        bench.checking.give_up_late()
        assert len(bench.events) == 4

    run(main)


def test_each_check_has_a_seed_of_its_own() -> None:
    seeds: list[bytes] = []

    def note(_: Any, __: Any, seed: bytes) -> Passed:
        seeds.append(seed)
        return Passed(0.5)

    async def main(bench: Bench) -> None:
        for number in range(3):
            bench.checking.check("again", known(checker=note), encode(A))
            await bench.hear(number + 1)

    run(main)
    assert len(set(seeds)) == 3
    assert {len(seed) for seed in seeds} == {32}


def test_a_check_that_hangs_is_given_up_and_its_lease_may_be_forgotten() -> None:
    free = threading.Event()
    begun = threading.Semaphore(0)
    runs: list[None] = []

    def hang(*_: Any) -> Passed:
        runs.append(None)
        begun.release()
        free.wait(20)
        return Passed(0.5)

    async def main(bench: Bench) -> None:
        for lease in ("hangs", "hangs, too", "stands behind", "forgotten"):
            bench.checking.check(lease, known(checker=hang), encode(A))
        bench.checking.forget("forgotten")
        for _ in range(2):  # both threads are at it
            assert await asyncio.to_thread(begun.acquire, timeout=20)
        bench.at_s = CHECK_S - 0.1
        bench.checking.give_up_late()
        assert not bench.events
        bench.at_s = CHECK_S
        bench.checking.give_up_late()
        told = await bench.hear(3)
        assert all(isinstance(verdict, NotApplicable) for verdict in told.values())
        free.set()
        bench.checking.check("afterwards", known(), encode(A @ B))
        told = await bench.hear(4)
        assert set(told) == {"hangs", "hangs, too", "stands behind", "afterwards"}
        assert len(bench.events) == 4
        assert len(runs) == 2, "what nobody waits for is not begun"

    run(main)


def test_nothing_is_told_after_the_close() -> None:
    async def main(bench: Bench) -> None:
        bench.checking.check("late", known(), encode(A @ B))
        bench.checking.check("hidden", None, None)
        bench.checking.close()
        await asyncio.get_running_loop().run_in_executor(None, bench.checking._pool.shutdown)
        assert not bench.events

    run(main)
