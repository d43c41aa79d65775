"""A recruiter's own check runs where its task may run, and its verdict is read as plain data."""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import cloudpickle
import numpy as np
import pytest
from dask._task_spec import Alias, List, Task, TaskRef, _execute_subgraph

import eco_dask
from eco_dask import checks
from eco_dask.agent.runner import run_task
from eco_dask.checks import Call, Failed, NotApplicable, Passed
from eco_dask.gateway.check_tasks import OwnCheck, check_task, own_checker_of, verdict_of
from eco_dask.gateway.packing import Package
from eco_dask.jobs import JobSpec
from eco_dask.values import EncodedValue, encode
from eco_dask.verification.checks import name_of

SEED = bytes(range(32))
X = TaskRef("x")


def doubled(x: Any, *, times: int = 2) -> Any:
    return x * times


def halve(call: Call, answer: Any, seed: bytes) -> object:
    """Say whether an answer is a multiple of its argument."""
    assert seed == SEED
    (x,) = call.args
    if isinstance(x, list):
        return NotApplicable("a list")
    right = np.array_equal(np.asarray(answer) / call.kwargs.get("times", 2), x)
    return Passed(0.75) if right else Failed("not so many times")


CHECKER = cloudpickle.dumps(halve)


def run(package: Package) -> EncodedValue:
    """What a trusted worker makes of a package."""
    blobs = {digest: bytearray(b"".join(parts)) for digest, parts in package.blobs.items()}
    inputs = [blobs[digest] for digest in package.inputs]
    return encode(run_task(package.task, inputs, [blobs[digest] for digest in package.constants]))


@pytest.mark.parametrize(
    ("node", "x", "answer", "expected"),
    [
        (Task("k", doubled, X), np.arange(9.0), 2 * np.arange(9.0), Passed(0.75)),
        (Task("k", doubled, X), np.arange(9.0), np.arange(9.0), Failed("not so many times")),
        (Task("k", doubled, X, times=3), 5, 15, Passed(0.75)),
        (Task("k", partial(doubled, times=3), X), 5, 15, Passed(0.75)),
        (Task("k", doubled, List(X, X)), 5, 15, NotApplicable("a list")),
    ],
)
def test_a_verdict_comes_back_from_where_the_check_runs(node, x, answer, expected) -> None:
    own = OwnCheck(CHECKER, encode(answer), SEED)
    assert verdict_of(run(check_task(node, {"x": encode(x)}, own))) == expected


def test_a_check_that_says_nothing_is_an_error_of_its_task() -> None:
    own = OwnCheck(cloudpickle.dumps(lambda *_: True), encode(1), SEED)
    package = check_task(Task("k", doubled, X), {"x": encode(1)}, own)
    with pytest.raises(TypeError, match="Passed, Failed or NotApplicable"):
        run(package)


def test_the_checker_is_not_unpickled_when_it_is_packed() -> None:
    own = OwnCheck(b"no pickle at all", encode(1), SEED)
    package = check_task(Task("k", doubled, X), {"x": encode(1)}, own)
    assert b"no pickle at all" in package.task


@pytest.mark.parametrize(
    "said",
    [
        None, "passed", ("passed",), ("passed", 2.0), ("passed", -0.1), ("passed", float("nan")),
        ("passed", True), ("failed", 3), ("failed", "a", "b"), {"passed": 1.0},
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_verdict_proves_nothing(said: object) -> None:
    assert isinstance(verdict_of(encode(said)), NotApplicable)


def test_a_long_reason_is_cut_and_bytes_that_do_not_decode_prove_nothing() -> None:
    found = verdict_of(encode(("failed", "x\n" * 10_000)))
    assert isinstance(found, Failed)
    assert len(found.reason) < 400
    assert isinstance(verdict_of(EncodedValue(b"\xc1")), NotApplicable)


class Nameless:
    def __call__(self, *_: Any) -> Any:
        raise AssertionError("a recruiter's code ran in the gateway")

    __getattr__ = __hash__ = __call__  # type: ignore[assignment]


CHECKERS = {name_of(f): CHECKER for f in (doubled, operator.add, np.add, _execute_subgraph)}


@pytest.mark.parametrize(
    ("node", "found"),
    [
        (Task("k", doubled, X), True),
        (Task("k", partial(doubled, times=3), X), True),
        (Task("k", operator.add, X, 1), True),
        (Task("k", np.add, X, 1), True),
        (Task("k", operator.sub, X, 1), False),
        (Task("k", _execute_subgraph, {}, "a", ()), False),
        (Task("k", Nameless(), X), False),
        (Alias("k", "x"), False),
    ],
    ids=[
        "plain", "partial", "built-in", "ufunc", "another", "fused", "object", "alias",
    ],
)  # fmt: skip
def test_a_check_is_found_by_the_name_of_a_plain_function(node, found: bool) -> None:
    assert (own_checker_of(node, CHECKERS) == CHECKER) is found
    assert own_checker_of(node, {}) is None


def test_only_plain_tasks_have_checks_of_their_own() -> None:
    with pytest.raises(ValueError, match="plain"):
        check_task(Alias("k", "x"), {"x": encode(1)}, OwnCheck(CHECKER, encode(1), SEED))


def test_registered_checks_travel_with_jobs() -> None:
    checks.register(doubled)(halve)
    try:
        sent = JobSpec.from_annotation(eco_dask.job(error=1e-3).spec.to_annotation()).checks
    finally:
        checks.unregister(doubled)
    ((name, checker),) = sent
    assert own_checker_of(Task("k", doubled, X), dict(sent)) == checker
    assert name.endswith("doubled")
    assert eco_dask.job(error=1e-3).spec.checks == ()
