"""sketch(): what it keeps of a value, what it lets differ, what it refuses to read."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eco_dask.errors import ValueCodecError
from eco_dask.sketches import sketch, sketch_encoded
from eco_dask.values import EncodedValue, encode
from eco_dask.values.apart import RUN_MIN, floats_apart
from eco_dask.verification.compare import Agrees, Differs, agree
from eco_dask.verification.projections import GROUP, project
from eco_dask.verification.sketch import ARRAYS_MAX, Sketch, SketchError, sketch_parts
from eco_dask.verification.uniform import uniform

SEED = bytes(range(32))
ROUNDING = 1e-12
FLOATS = st.floats(width=64, allow_nan=True, allow_infinity=True)
SCALARS = st.one_of(
    FLOATS, st.complex_numbers(), st.integers(), st.text(max_size=5), st.none(), st.binary()
)
ARRAYS = hnp.arrays(
    st.sampled_from(["<f2", "<f4", "<f8", ">f8", "<c8", "<c16", "<i8", "?"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9),
)
VALUES = st.recursive(
    SCALARS | ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


def block(*shape: int, dtype: str = "f8", seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@given(VALUES, st.binary(min_size=32, max_size=32))
@settings(max_examples=150, deadline=None)
def test_a_sketch_is_repeatable_agrees_with_itself_and_survives_the_wire(
    value: object, seed: bytes
) -> None:
    once = sketch(value, seed)
    assert once == sketch(value, seed)
    assert Sketch.from_bytes(once.to_bytes()) == once
    assert isinstance(agree(once, Sketch.from_bytes(once.to_bytes()), 0.0), Agrees)


@given(VALUES)
@settings(max_examples=100, deadline=None)
def test_only_floats_are_set_apart_and_all_else_is_in_the_digest(value: object) -> None:
    apart = floats_apart(encode(value))
    assert all(array.dtype.kind in "fc" for array in apart.arrays)
    assert apart.rest != floats_apart(encode((value, 1))).rest


@pytest.mark.parametrize("n", [17, 1000, 1024, 1025, 5000, GROUP - 1, GROUP, GROUP + 1, 200_003])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "c16"])
def test_projections_are_what_their_definition_says(n: int, dtype: str) -> None:
    array = block(n, dtype=dtype.replace("c16", "f8")).astype(dtype)
    flat = array.view("f8") if dtype == "c16" else array.astype("f8")
    got = project(array, SEED)
    width = min(flat.size, 1024)
    spread = uniform(SEED, b"R", 16 * width).reshape(4, width, 4)
    for g in range(len(got.scales)):
        part = flat[g * GROUP : (g + 1) * GROUP]
        rows = np.zeros((64, width))
        rows.reshape(-1)[: part.size] = part
        factors = uniform(SEED, b"F", 256, first=256 * g).reshape(4, 64)
        folds = factors @ rows * 2.0**-20
        expected = np.einsum("jw,jwk->jk", folds, spread).ravel()
        assert np.allclose(got.numbers[g], expected, rtol=0, atol=1e-11 * got.scales[g])
        assert np.isclose(got.scales[g], np.linalg.norm(folds) / 2)


def test_squares_of_projections_are_unbiased_estimates_of_the_squared_norm() -> None:
    array = block(3000)
    squares = [
        np.mean(project(array, k.to_bytes(32, "little")).numbers ** 2) * 2.0**40 for k in range(400)
    ]
    assert np.mean(squares) == pytest.approx(np.sum(array**2), rel=0.1)


def test_a_stream_of_random_numbers_can_be_entered_anywhere() -> None:
    whole = uniform(SEED, b"x", 100)
    assert np.array_equal(whole[40:60], uniform(SEED, b"x", 20, first=40))
    assert not np.array_equal(whole, uniform(SEED, b"y", 100))
    assert (np.abs(whole) < 3**0.5).all()
    assert (whole != 0).all()


@pytest.mark.parametrize("scale", [1e-280, 1e-160, 1.0, 1e160, 1e300])
def test_numbers_of_any_size_are_told_apart(scale: float) -> None:
    one = block(40, 50) * scale
    other = one * (1 + 1e-9)
    a, b = sketch(one, SEED), sketch(other, SEED)
    assert isinstance(agree(a, b, 1e-8), Agrees)
    assert isinstance(agree(a, b, 1e-11), Differs)
    assert Sketch.from_bytes(a.to_bytes()) == a


def test_numbers_that_are_not_normal_agree_with_zero() -> None:
    one = np.full(5, 1e-44, "f4"), np.full(500, 1e-44, "f4")
    assert isinstance(
        agree(sketch(one, SEED), sketch((one[0] * 0, one[1] * 0), SEED), 1e-6), Agrees
    )


@pytest.mark.parametrize("n", [3, 16, 17, 300, 70_000])
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_nan_and_infinities_must_be_at_the_same_places(n: int, special: float) -> None:
    one, moved, other = block(n), block(n), block(n)
    one[1] = other[1] = special
    moved[2] = special
    other[0] *= 1 + 1e-15
    a = sketch(one, SEED)
    assert isinstance(agree(a, sketch(other, SEED), ROUNDING), Agrees)
    for wrong in (moved, block(n), np.where(np.isfinite(one), one, 7.0)):
        assert isinstance(agree(a, sketch(wrong, SEED), ROUNDING), Differs)
    wrong = one.copy()
    wrong[0] += 1
    assert isinstance(agree(a, sketch(wrong, SEED), ROUNDING), Differs)


def test_the_two_infinities_differ_and_all_nans_are_one() -> None:
    payload = np.array([0x7FF8000000000123], "u8").view("f8")
    assert isinstance(agree(sketch(payload, SEED), sketch(np.array([np.nan]), SEED), 0), Agrees)
    nan, weird = np.full(30, np.nan), np.repeat(payload, 30)
    assert isinstance(agree(sketch(nan, SEED), sketch(weird, SEED), ROUNDING), Agrees)
    up, down = np.full(30, np.inf), np.full(30, -np.inf)
    assert isinstance(agree(sketch(up, SEED), sketch(down, SEED), ROUNDING), Differs)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1.0, 1),
        (1.0, np.float64(1.0)),
        (np.float64(1.0), np.array(1.0)),
        (np.ones(3), np.ones(3, "f4")),
        (np.ones(3), np.ones(3, ">f8")),
        (np.ones((2, 3)), np.ones((3, 2))),
        (np.ones(3), [1.0, 1.0, 1.0]),
        ([1.0, 2.0], (1.0, 2.0)),
        ([1.0, [2.0]], [[1.0], 2.0]),
        ({"a": 1.0}, {"b": 1.0}),
        ({"a": 1.0, "b": 2}, {"b": 2, "a": 1.0}),
        ((1.0, 5), (1.0, 6)),
        ((1.0, b"A"), (1.0, b"n")),
        (1j, (0.0, 1.0)),
        (np.zeros((0, 3)), np.zeros((3, 0))),
        ([1.0] * 17, [1.0] * 18),
        ((np.ones(500), np.arange(500)), (np.ones(500), np.arange(1, 501))),
    ],
)
def test_whatever_is_no_last_bit_is_compared_exactly(one: object, other: object) -> None:
    assert isinstance(agree(sketch(one, SEED), sketch(other, SEED), 0.5), Differs)
    assert isinstance(agree(sketch(one, SEED), sketch(one, SEED), 0.0), Agrees)


def tables() -> list[tuple[object, object]]:
    pd = pytest.importorskip("pandas")
    xr = pytest.importorskip("xarray")
    data = block(40)
    near = data * (1 + 1e-15)
    return [
        (
            pd.DataFrame({"x": v, "y": ["a"] * 40, "z": pd.array([*v[:-1], None])}, index=v)
            for v in (data, near)
        ),
        (pd.Series(v, name="s") for v in (data, near)),
        (xr.DataArray(v.reshape(5, 8), dims=("a", "b"), coords={"a": v[:5]}) for v in (data, near)),
        (xr.Dataset({"v": ("a", v)}) for v in (data, near)),
    ]


@pytest.mark.parametrize("i", range(4))
def test_floats_of_tables_are_compared_closely(i: int) -> None:
    one, other = tables()[i]
    a, b = sketch(one, SEED), sketch(other, SEED)
    assert a.rest == b.rest
    assert a.arrays
    assert isinstance(agree(a, b, ROUNDING), Agrees)
    assert isinstance(agree(a, sketch([one], SEED), 1), Differs)


def test_python_floats_in_a_row_are_one_array() -> None:
    assert [a.shape for a in sketch([0.5] * RUN_MIN, SEED).arrays] == [(RUN_MIN,)]
    assert [a.shape for a in sketch([0.5] * 3, SEED).arrays] == [()] * 3
    big, small = [1e9, 1e-9], [1e9, 2e-9]
    assert isinstance(agree(sketch(big, SEED), sketch(small, SEED), 1e-3), Differs)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("seed", range(4))
def test_a_wrong_element_among_a_million_is_found(dtype: str, seed: int) -> None:
    honest = block(1000, 1000, dtype=dtype, seed=seed)
    wrong = honest.copy()
    at = np.unravel_index(np.argmin(np.abs(np.abs(honest) - 1)), honest.shape)
    wrong[at] *= 1.01
    key = bytes([seed]) * 32
    tolerance = 6e-6 if dtype == "f4" else 1e-14
    assert isinstance(agree(sketch(honest, key), sketch(wrong, key), tolerance), Differs)


def test_a_sketch_is_small_and_does_not_need_a_second_copy_of_the_data() -> None:
    import tracemalloc

    encoded = encode(block(3000, 1000, dtype="f4"))
    tracemalloc.start()
    size = len(sketch_encoded(encoded, SEED).to_bytes())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size < encoded.size_bytes / 1000
    assert peak < 4e6


def test_too_many_parts_are_refused() -> None:
    arrays = [np.zeros(())] * (ARRAYS_MAX + 1)
    with pytest.raises(SketchError, match="exact"):
        sketch_parts(encode(0).digest, arrays, SEED)
    with pytest.raises(SketchError, match="exact"):
        sketch_parts(encode(0).digest, [np.broadcast_to(np.zeros(1), (1 << 33,))], SEED)
    with pytest.raises(ValueError, match="32 bytes"):
        sketch(1.0, b"short")


# ---------------------------------------------------------------------- hostile bytes

GOOD = sketch({"a": block(50), "b": [1.0, np.array([np.nan])]}, SEED).to_bytes()


@given(st.binary(max_size=400))
def test_bytes_that_are_no_sketch_are_refused(data: bytes) -> None:
    with pytest.raises(SketchError):
        Sketch.from_bytes(data)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
@settings(max_examples=300)
def test_a_changed_byte_gives_another_sketch_or_none(at: int, byte: int) -> None:
    data = bytearray(GOOD)
    data[at] = byte
    try:
        read = Sketch.from_bytes(data)
    except SketchError:
        return
    assert read.to_bytes() == bytes(data)
    agree(Sketch.from_bytes(GOOD), read, ROUNDING)


@pytest.mark.parametrize("cut", [1, 8, 100, len(GOOD)])
def test_a_sketch_that_ends_early_or_late_is_refused(cut: int) -> None:
    with pytest.raises(SketchError):
        Sketch.from_bytes(GOOD[:-cut])
    with pytest.raises(SketchError):
        Sketch.from_bytes(GOOD + bytes(cut))


def head(n_arrays: int, *arrays: bytes) -> bytes:
    return struct.pack("<4s32sI", b"EDS\x01", bytes(32), n_arrays) + b"".join(arrays)


@pytest.mark.parametrize(
    "data",
    [
        head(1 << 31),
        head(1),
        head(1, bytes([255, 0, 0])),
        head(1, bytes([0, 255, 0])),
        head(1, bytes([0, 0, 2]), bytes(40)),
        head(1, bytes([0, 1, 0]), struct.pack("<Q", 1 << 63)),
        head(1, bytes([0, 3, 0]), struct.pack("<3Q", *[(1 << 64) - 1] * 3)),
        head(1, bytes([0, 0, 0]), struct.pack("<d", float("nan"))),
        head(1, bytes([0, 0, 0]), struct.pack("<d", float("inf"))),
        head(1, bytes([0, 1, 0]), struct.pack("<Q17d", 17, -1.0, *[0.0] * 16)),
    ],
)
def test_claims_that_nothing_backs_are_refused(data: bytes) -> None:
    with pytest.raises(SketchError):
        Sketch.from_bytes(data)


def test_a_norm_that_is_overstated_buys_no_tolerance() -> None:
    honest, lie = block(100), block(100, seed=1)
    claimed = sketch(lie, SEED).arrays[0]
    inflated = struct.pack("<d", 1e9) + claimed.data[8:]
    forged = Sketch(sketch(honest, SEED).rest, (type(claimed)("<f8", (100,), b"", inflated),))
    assert isinstance(agree(sketch(honest, SEED), forged, 1e-6), Differs)
    assert isinstance(agree(forged, sketch(honest, SEED), 1e-6), Differs)


@given(st.binary(min_size=1, max_size=300))
def test_an_encoded_value_that_is_none_has_no_sketch(header: bytes) -> None:
    try:
        first = sketch_encoded(EncodedValue(header, ()), SEED)
    except ValueCodecError:
        return
    assert first == sketch_encoded(EncodedValue(header, ()), SEED)


def test_a_header_that_names_a_buffer_twice_or_none_is_refused() -> None:
    encoded = encode((block(500), block(500)))
    for buffers in (encoded.buffers[:1], ()):
        with pytest.raises(ValueCodecError):
            sketch_encoded(EncodedValue(encoded.header, buffers), SEED)
