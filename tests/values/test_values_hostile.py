"""Hostile bytes: refused with ValueCodecError only, in bounded memory, importing nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import msgpack
import numpy as np
import pytest

from eco_dask.errors import ValueCodecError
from eco_dask.values import EncodedValue, encode
from eco_dask.values.limits import DEFAULT_LIMITS
from eco_dask.values.stream import pack, unpack

HERE = Path(__file__).parent
HUGE = 2**62
#: What decoding may import besides what is imported already.
IMPORTABLE = {"eco_dask", "pandas", "pyarrow", "xarray", "scipy", "cupy", "tzdata", "importlib"}
IMPORTABLE_AT_START = {"numpy", "msgpack", "blake3", "eco_dask", "cython_runtime"}


def run(*arguments):
    """Run this interpreter on its own; the package is found where this process found it."""
    import eco_dask.values

    root = str(Path(eco_dask.values.__file__).parents[2])
    code = f"import sys; sys.path[:0] = [{root!r}, {str(HERE)!r}]; " + arguments[0]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments[1:]],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def mutated():
    return run("import hostile_values; hostile_values.main(20240229, 10_000)")


def test_ten_thousand_mutants_are_decoded_or_refused(mutated):
    assert mutated["escaped"] == []
    assert sum(mutated["outcomes"].values()) == 10_000
    for kind in ("flip", "overwrite", "splice", "edit_header", "edit_buffer"):
        assert mutated["outcomes"][f"{kind} decoded"] > 0
        assert mutated["outcomes"][f"{kind} refused"] > 0


def test_mutants_use_no_memory_beyond_their_size(mutated):
    assert mutated["grown_kib"] < 200_000


def test_decoding_imports_only_the_named_libraries(mutated):
    assert {name.partition(".")[0] for name in mutated["new"]} <= IMPORTABLE


def test_importing_the_codec_imports_no_library_but_three():
    roots = run(
        "import types; package = types.ModuleType('eco_dask'); "
        "package.__path__ = [sys.path[0] + '/eco_dask']; sys.modules['eco_dask'] = package; "
        "old = set(sys.modules); import eco_dask.values, json; "
        "new = {m.partition('.')[0] for m in set(sys.modules) - old}; "
        "print(json.dumps(sorted(new - sys.stdlib_module_names)))"
    )
    assert {root for root in roots if not root.startswith("_")} <= IMPORTABLE_AT_START


def test_plain_values_are_decoded_without_importing_a_library():
    new = run(
        "import eco_dask.values as v, json, datetime, numpy as np; old = set(sys.modules); "
        "v.encode([1, 'a', np.zeros(3), {2: datetime.date(2024, 1, 1)}]).decode(); "
        "print(json.dumps(sorted(set(sys.modules) - old)))"
    )
    assert new == []


def test_a_missing_library_is_named(monkeypatch):
    frame = encode(__import__("pandas").DataFrame({"a": [1]}))
    for module in ("eco_dask.values.frames", "eco_dask.values.columns"):
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ValueCodecError, match=r"needs pandas.*install"):
        frame.decode()


BOMBS = {
    "array_of_a_huge_shape": [b"A", 1, HUGE, "<f8", b""],
    "array_whose_size_overflows": [b"A", 2, 2**33, 2**33, "<f8", b""],
    "array_of_empty_items": [b"A", 1, HUGE, "|S0", b""],
    "array_of_empty_structures": [b"A", 1, HUGE, b"{", 0, 0, 0, b""],
    "array_of_pointers": [b"A", 1, 1, "|O", b"\0" * 8],
    "array_of_evaluated_dtype": [b"A", 1, 1, "f8,O", b"\0" * 16],
    "array_of_too_many_dimensions": [b"A", 65, *[1] * 65, "|i1", b"\0"],
    "array_of_negative_shape": [b"A", 2, -1, -8, "|i1", b"\0" * 8],
    "subarray_of_a_huge_shape": [
        b"A",
        1,
        1,
        b"{",
        8,
        0,
        1,
        "a",
        0,
        None,
        b"(",
        1,
        HUGE,
        "|i1",
        b"",
    ],
    "structure_beyond_its_size": [b"A", 1, 1, b"{", 4, 0, 1, "a", 2, None, "<i4", b"\0" * 4],
    "bool_that_is_seven": [b"A", 1, 1, "|b1", b"\7"],
    "text_beyond_unicode": [b"A", 1, 1, "<U1", b"\xff" * 4],
    "object_array_of_a_huge_shape": [b"O", 1, HUGE],
    "list_of_a_huge_length": [b"L", HUGE],
    "list_of_a_negative_length": [b"L", -1],
    "nested_lists": [b"L", 1] * 10_000,
    "nested_structures": [b"A", 0, *[b"{", 0, 0, 1, "a", 0, None] * 5000],
    "nested_arrow_lists": [b"pyarrow.Array", *[b"type", "list", "list", "a", True, None] * 5000],
    "dict_with_one_key_twice": [b"D", 2, 1, 1, 1, 2],
    "dict_key_that_is_a_list": [b"D", 1, b"L", 0, 1],
    "set_with_equal_members": [b"S", 2, 1, 1.0],
    "buffer_that_is_not_there": [b"B", 0],
    "text_that_is_no_utf8": [b"U", b"\xff"],
    "date_that_is_not": [b"date", 2023, 2, 29],
    "datetime_beyond_ints": [b"datetime", HUGE, 1, 1, 0, 0, 0, 0, 0, None],
    "zone_outside_the_database": [b"time", 0, 0, 0, 0, 0, "../../etc/passwd"],
    "zone_that_would_be_imported": [b"time", 0, 0, 0, 0, 0, "os.path"],
    "range_index_of_a_huge_length": [b"pandas.RangeIndex", 0, HUGE, 1, None],
    "range_index_beyond_ints": [b"pandas.RangeIndex", -HUGE, 2**64 - 1, 1, None],
    "arrow_nulls_of_a_huge_length": [b"pyarrow.Array", "null", b"arrow", HUGE, None],
    "arrow_offsets_beyond_the_data": [
        *(b"pyarrow.Array", "string", b"arrow", 1, None),
        *(b"\0\0\0\0\xff\xff\xff\x7f", b"abc"),
    ],
    "arrow_text_that_is_no_utf8": [
        *(b"pyarrow.Array", "string", b"arrow", 1, None, b"\0\0\0\0\1\0\0\0", b"\xff")
    ],
    "arrow_extension_type": [
        *(b"pyarrow.Table", 2, 0, 1, None, b"schema", 1, "a", True),
        *(b"D", 1, b"B", b"ARROW:extension:name", b"B", b"pandas.period", "int64"),
    ],
    "sparse_index_out_of_range": [
        *(b"scipy.sparse.csr_array", b"t", 2, 2, 2, b"A", 1, 1, "<f8", b"\0" * 8),
        *(b"A", 1, 1, "<i4", b"\xff\xff\xff\x7f", b"A", 1, 3, "<i4", b"\0\0\0\0\1\0\0\0\1\0\0\0"),
    ],
    "unknown_tag": [b"os.system", "true"],
    "unknown_part_of_a_known_library": [b"pandas.read_pickle", "http://localhost"],
    "class_that_is_not_registered": [b"registered", "subprocess.Popen", None, 1, "args", "true"],
    "value_with_a_rest": [1, 2],
    "ends_early": [b"t", 2, 1],
}


@pytest.mark.parametrize("tokens", BOMBS.values(), ids=BOMBS)
def test_claims_that_no_data_backs_are_refused(tokens):
    __import__("pandas"), __import__("pyarrow"), __import__("scipy.sparse")
    data = EncodedValue(pack(tokens)).to_bytes()
    tracemalloc.start()
    try:
        with pytest.raises(ValueCodecError):
            EncodedValue.from_bytes(data).decode()
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xdd\xff\xff\xff\xff",
        b"\xdd\x00\xff\xff\xff" * 1000,
        msgpack.packb([1, 2]),
        msgpack.packb({1: 2}),
        msgpack.packb([]),
        msgpack.packb(msgpack.ExtType(5, b"abc")),
        msgpack.packb(msgpack.Timestamp(1)),
        b"\xc6\xff\xff\xff\xff",
        b"\xa2a",
        b"\xa1\xff",
        b"\xc1",
    ],
)
def test_headers_that_are_no_stream_of_scalars_are_refused(header):
    with pytest.raises(ValueCodecError):
        EncodedValue(header).decode()


def test_a_header_of_too_many_tokens_is_refused_before_it_is_read():
    header = b"\xc0" * (DEFAULT_LIMITS.nodes_max + 1)
    with pytest.raises(ValueCodecError, match="tokens"):
        EncodedValue(header).decode()


def test_every_buffer_must_be_used_once_and_in_order():
    encoded = encode([np.zeros(500), np.ones(500)])
    tokens = unpack(encoded.header, DEFAULT_LIMITS)
    first, second = (i for i, t in enumerate(tokens) if type(t) is int and tokens[i - 1] == "<f8")
    for numbers in ((1, 0), (0, 0), (0, 2)):
        tokens[first], tokens[second] = numbers
        with pytest.raises(ValueCodecError, match="buffer"):
            EncodedValue(pack(tokens), encoded.buffers).decode()
    with pytest.raises(ValueCodecError, match="left"):
        EncodedValue(encoded.header, [*encoded.buffers, b"x"]).decode()
