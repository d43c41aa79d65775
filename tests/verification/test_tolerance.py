"""comparison_for(): which kinds are compared how."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.types import TaskKind
from eco_dask.verification.tolerance import EXACT, Close, comparison_for, family_of

F4, F8 = np.dtype("f4"), np.dtype("f8")


def tolerance(kind: str, dtype: np.dtype = F8, **options: int) -> float:
    comparison = comparison_for(TaskKind(kind), dtype, **options)
    assert isinstance(comparison, Close)
    return comparison.tolerance


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        ("matmul", "product"),
        ("dot", "product"),
        ("tensordot", "product"),
        ("solve", "solve"),
        ("svd", "decomposition"),
        ("qr", "decomposition"),
        ("eigh", "decomposition"),
        ("cholesky", "solve"),
        ("fft", "fourier"),
        ("exp", "elementwise"),
        ("sum", "reduction"),
        ("mean_chunk", "reduction"),
        ("mean_agg-aggregate", "reduction"),
        ("sum-aggregate", "reduction"),
        ("aggregate", "default"),
        ("rechunk-split", "exact"),
        ("add", "exact"),
        ("getitem", "exact"),
        ("sort", "elementwise"),  # -0.0 and 0.0 may change places, or become one
        ("amax-aggregate", "elementwise"),
        ("rechunk-merge", "exact"),
        ("add-exp", "elementwise"),
        ("exp-matmul-sum", "reduction"),
        ("my_model", "default"),
        ("add-my_model", "default"),
        ("", "default"),
    ],
)
def test_a_kind_is_of_a_family(kind: str, family: str) -> None:
    assert family_of(kind) == family


@pytest.mark.parametrize("dtype", ["i8", "u1", "?", "U5", "S3", "M8[ns]", "O", "V8"])
def test_what_is_no_float_is_compared_exactly(dtype: str) -> None:
    assert comparison_for(TaskKind("my_model"), np.dtype(dtype)) is EXACT


def test_bits_that_ieee_settles_are_compared_exactly() -> None:
    for kind in ("add", "multiply", "sqrt", "getitem", "transpose", "rechunk-merge"):
        assert comparison_for(TaskKind(kind), F8) is EXACT


@pytest.mark.parametrize("kind", ["matmul", "exp", "fft", "solve", "svd", "mean", "my_model"])
def test_single_precision_tolerates_more_than_double_and_less_than_half(kind: str) -> None:
    half, single, double = (tolerance(kind, np.dtype(d)) for d in ("f2", "f4", "f8"))
    assert double < single < half
    assert tolerance(kind, np.dtype("c8")) == single
    assert tolerance(kind, np.dtype(">f8")) == double
    assert double < 1e-8
    assert single < 5e-3


@pytest.mark.parametrize("kind", ["matmul", "exp", "fft", "mean"])
def test_a_half_precision_shortcut_is_beyond_every_single_tolerance_of_these(kind: str) -> None:
    assert tolerance(kind, F4) < 1e-4 < 2.0**-12


def test_longer_sums_round_more() -> None:
    assert tolerance("matmul", F4, terms=4000) == pytest.approx(
        2 * tolerance("matmul", F4, terms=1000)
    )
    assert tolerance("matmul", F4, terms=1) > float(np.finfo(F4).eps)


@given(st.text(max_size=40))
def test_any_name_has_a_comparison(kind: str) -> None:
    assert comparison_for(TaskKind(kind), F4) is EXACT or tolerance(kind, F4) > 0
