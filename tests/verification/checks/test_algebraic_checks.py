"""Algebraic checks: right answers pass, wrong ones fail, what cannot be judged is left alone."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eco_dask import checks
from eco_dask.checks import Call, Failed, NotApplicable, Passed, checker_of

SEEDS = [bytes([i]) * 32 for i in (2, 3)]
GENERATOR = np.random.default_rng(0)


def numbers(*shape: int, dtype: str = "d") -> np.ndarray:
    real = GENERATOR.standard_normal(shape)
    return (real + 1j * GENERATOR.standard_normal(shape) if dtype in "FD" else real).astype(dtype)


def definite(n: int, dtype: str) -> np.ndarray:
    part = numbers(n // 2, n // 2, dtype=dtype)
    part = part @ part.conj().T / n + np.eye(n // 2)
    return np.kron(np.eye(2), (part + part.conj().T) / 2).astype(dtype)


Case = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def cases(dtype: str) -> dict[str, Case]:
    n = 800 if dtype in "fF" else 420
    a, b = numbers(n, n, dtype=dtype), numbers(n, n, dtype=dtype)
    square, tall = a[:420, :420].copy(), numbers(900, 410, dtype=dtype)
    tensor = a[:n, : n // 20 * 20].reshape(n, -1, 20)
    hermitian = definite(820, dtype)
    return {
        "matmul": (np.matmul, (a, b), {}),
        "matmul of positive numbers": (np.matmul, (abs(a), abs(b)), {}),
        "matmul of transposed": (np.matmul, (a.T, b.T), {}),
        "dot": (np.dot, (a, b), {}),
        "@": (operator.matmul, (a, b), {}),
        "tensordot": (np.tensordot, (tensor, tensor), {"axes": ([1, 2], [1, 2])}),
        "tensordot of one axis": (np.tensordot, (a, b, 1), {}),
        "solve": (np.linalg.solve, (square, b[:420, 0].copy()), {}),
        "solve for many": (np.linalg.solve, (square, b[:420, :50].copy()), {}),
        "inv": (np.linalg.inv, (square + 60 * np.eye(420, dtype=dtype),), {}),
        "lstsq": (np.linalg.lstsq, (tall, tall[:, 0] + 1), {}),
        "qr": (np.linalg.qr, (tall,), {}),
        "svd": (np.linalg.svd, (tall[:, :210],), {"full_matrices": False}),
        "full svd": (np.linalg.svd, (square[:300, :210],), {}),
        "cholesky": (np.linalg.cholesky, (hermitian,), {}),
        "upper cholesky": (np.linalg.cholesky, (hermitian,), {"upper": True}),
        "eigh": (np.linalg.eigh, (hermitian[:410, :410].copy(),), {}),
        "fft": (np.fft.fft, (a,), {}),
        "fft of columns": (np.fft.fft, (a,), {"axis": 0, "norm": "ortho", "n": 300}),
        "ifft": (np.fft.ifft, (a,), {}),
        "rfft": (np.fft.rfft, (a.real.copy(),), {}),
        "irfft": (np.fft.irfft, (a,), {}),
        "sort": (np.sort, (a.real.copy(),), {}),
        "sort of columns": (np.sort, (a.real.copy(),), {"axis": 0}),
    }


CASES = {(dtype, name): case for dtype in "fD" for name, case in cases(dtype).items()}
ANSWERS = {key: function(*args, **kwargs) for key, (function, args, kwargs) in CASES.items()}


def judge(key: tuple[str, str], answer: Any, seed: bytes = SEEDS[0]) -> object:
    function, args, kwargs = CASES[key]
    checker = checker_of(function)
    assert checker is not None
    return checker(Call(args, kwargs), answer, seed)


def with_first(answer: Any, change: Callable[[np.ndarray], np.ndarray]) -> Any:
    if isinstance(answer, tuple):
        return (change(answer[0]), *answer[1:])
    return change(answer)


def bend(array: np.ndarray) -> np.ndarray:
    changed = array.copy()
    at = np.unravel_index(np.abs(array).argmax(), array.shape)
    changed[at] *= 1.01
    return changed


def zero(array: np.ndarray) -> np.ndarray:
    return np.where(np.random.default_rng(1).random(array.shape) < 0.01, 0, array).astype(
        array.dtype
    )


def halve(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "c":
        return (array.real.astype("f2") + 1j * array.imag.astype("f2")).astype(array.dtype)
    return array.astype("f2").astype(array.dtype)


@pytest.mark.parametrize("key", CASES, ids=" ".join)
def test_a_right_answer_passes_whatever_the_seed(key: tuple[str, str]) -> None:
    for seed in SEEDS:
        verdict = judge(key, ANSWERS[key], seed)
        assert isinstance(verdict, Passed), verdict
        assert verdict.power > 0.9


@pytest.mark.parametrize("change", [bend, zero, halve])
@pytest.mark.parametrize("key", CASES, ids=" ".join)
def test_a_wrong_answer_fails(key: tuple[str, str], change: Callable[..., Any]) -> None:
    for seed in SEEDS:
        assert isinstance(judge(key, with_first(ANSWERS[key], change), seed), Failed)


@pytest.mark.parametrize("key", [k for k in CASES if k[0] == "f"], ids=" ".join)
def test_an_answer_of_another_shape_dtype_or_type_fails(key: tuple[str, str]) -> None:
    for wrong in (
        with_first(ANSWERS[key], lambda a: a[:-1]),
        with_first(ANSWERS[key], lambda a: a.real.astype("i4")),
        None,
        "result",
        (),
    ):
        assert isinstance(judge(key, wrong), Failed)


@pytest.mark.parametrize("key", [k for k in CASES if k[0] == "f"], ids=" ".join)
def test_an_answer_full_of_nan_never_passes(key: tuple[str, str]) -> None:
    nan = with_first(ANSWERS[key], lambda a: np.full_like(a, np.nan))
    assert not isinstance(judge(key, nan), Passed)


def test_a_long_transform_is_checked_at_places_drawn_at_random() -> None:
    x = numbers(1 << 15)
    right = np.fft.fft(x)
    checker = checker_of(np.fft.fft)
    assert checker is not None
    caught = 0
    for number in range(64):
        seed = number.to_bytes(32, "little")
        assert isinstance(checker(Call((x,)), right, seed), Passed)
        assert isinstance(checker(Call((x,)), zero(right), seed), Failed)
        turned = right.copy()
        turned[5] *= -1  # of the same norm
        caught += isinstance(checker(Call((x,)), turned, seed), Failed)
    assert caught == 2  # one of 32 places, two rounds of seeds


@pytest.mark.parametrize(
    ("function", "call"),
    [
        (np.matmul, Call((numbers(20, 20), numbers(20, 20)))),
        (np.matmul, Call((numbers(900, 900), numbers(900)))),
        (np.matmul, Call((np.ones((900, 900), "i8"), np.ones((900, 900), "i8")))),
        (np.matmul, Call((numbers(5, 400, 400), numbers(5, 400, 400)))),
        (np.matmul, Call((numbers(900, 900),))),
        (np.matmul, Call((numbers(900, 900), numbers(900, 900)), {"out": 1})),
        (np.tensordot, Call((1, 2))),
        (np.linalg.solve, Call((numbers(3, 3), numbers(3)))),
        (np.linalg.qr, Call((numbers(500, 500),), {"mode": "r"})),
        (np.linalg.svd, Call((numbers(500, 500),), {"compute_uv": False})),
        (np.linalg.cholesky, Call((numbers(900, 900),))),
        (np.linalg.eigh, Call((numbers(900, 900),))),
        (np.fft.fft, Call((numbers(64),))),
        (np.fft.fft, Call((numbers(40, 64), 64))),
        (np.fft.fft, Call((numbers(40, 64),), {"axis": 5})),
        (np.sort, Call((np.array(["b", "a"]),))),
        (np.sort, Call((numbers(4, 4),), {"axis": None})),
        (np.sort, Call(())),
    ],
)
def test_what_a_check_cannot_judge_cheaply_it_leaves_alone(function: Any, call: Call) -> None:
    checker = checker_of(function)
    assert checker is not None
    assert isinstance(checker(call, np.ones(3), SEEDS[0]), NotApplicable)


def test_inputs_that_are_not_finite_prove_nothing() -> None:
    a = numbers(420, 420)
    a[3, 3] = np.nan
    checker = checker_of(np.matmul)
    assert checker is not None
    with np.errstate(all="ignore"):
        assert isinstance(checker(Call((a, a)), a @ a, SEEDS[0]), NotApplicable)


# ---------------------------------------------------------------------- sort

SORTABLE = st.sampled_from(["i1", "u8", "f2", "f4", "f8", ">f4", "?"]).flatmap(
    lambda d: hnp.arrays(d, hnp.array_shapes(max_dims=2, max_side=30))
)


@given(SORTABLE, st.binary(min_size=32, max_size=32))
@settings(max_examples=100, deadline=None)
def test_every_sorted_array_passes(array: np.ndarray, seed: bytes) -> None:
    checker = checker_of(np.sort)
    assert checker is not None
    assert isinstance(checker(Call((array,)), np.sort(array), seed), Passed)


@given(SORTABLE, st.binary(min_size=32, max_size=32))
@settings(max_examples=100, deadline=None)
def test_numbers_that_the_input_does_not_hold_so_often_fail(array: np.ndarray, seed: bytes) -> None:
    checker = checker_of(np.sort)
    assert checker is not None
    right = np.sort(array)
    wrong = np.repeat(right[..., :1], right.shape[-1], axis=-1)  # in order, all the smallest
    if not np.array_equal(wrong, right, equal_nan=array.dtype.kind == "f"):
        assert isinstance(checker(Call((array,)), wrong, seed), Failed)


# ---------------------------------------------------------------------- registration


def simulate(x: float) -> float:
    return 2 * x


def double(call: Call, output: Any, seed: bytes) -> checks.CheckVerdict:
    return Passed(1.0) if output == 2 * call.args[0] else Failed("not twice the input")


@pytest.fixture
def registered() -> Any:
    checks.register(simulate)(double)
    yield
    checks.unregister(simulate)
    assert checker_of(simulate) is None


@pytest.mark.usefixtures("registered")
def test_a_registered_check_is_found_by_its_function() -> None:
    checker = checker_of(simulate)
    assert checker is double
    assert isinstance(checker(Call((2,)), 4, SEEDS[0]), Passed)
    assert isinstance(checker(Call((2,)), 5, SEEDS[0]), Failed)


@pytest.mark.usefixtures("registered")
def test_a_function_has_one_check() -> None:
    assert checks.register(simulate)(double) is double
    with pytest.raises(ValueError, match="already"):
        checks.register(simulate)(lambda call, output, seed: Passed(1.0))
    assert checker_of(simulate) is double


def test_a_recruiters_check_comes_before_a_built_in_one() -> None:
    built_in = checker_of(np.sort)
    checks.register(np.sort)(double)
    try:
        assert checker_of(np.sort) is double
    finally:
        checks.unregister(np.sort)
    assert checker_of(np.sort) is built_in is not None


def test_only_functions_have_checks() -> None:
    with pytest.raises(TypeError):
        checks.register(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        checks.register(simulate)(3)  # type: ignore[arg-type,type-var]

    class Odd:
        __hash__ = None

        def __call__(self) -> None: ...

    assert checker_of(Odd()) is None
    assert checker_of(simulate) is None


@pytest.mark.parametrize("power", [-0.1, 1.1, float("nan")])
def test_power_is_a_probability(power: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        Passed(power)
