"""pyarrow tables, record batches and arrays, from their own buffers in one canonical form.

    chunks --> one chunk, offset 0, no validity bitmap without nulls, zeroes under nulls --> buffers

Arrow's IPC format is not used: equal tables give different IPC bytes, and its compressed bodies
would let a few bytes claim any amount of memory. Whatever is built is validated in full.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from eco_dask.errors import ValueCodecError
from eco_dask.values.arrow_types import get_schema, get_type, put_schema, put_type
from eco_dask.values.stream import Get, Put, Reader, Writer

Bits = npt.NDArray[np.bool_]

_types = pa.types


def put_typed(w: Writer, column: Any) -> None:
    """Append type and content of a pyarrow array or chunked array."""
    put_type(w, column.type)
    _put_content(w, _one_chunk(column))


def get_typed(r: Reader) -> Any:
    """Return what :func:`put_typed` put, as a validated array."""
    return _get_validated(r, get_type(r))


def _get_validated(r: Reader, t: Any) -> Any:
    array = _get_content(r, t)
    array.validate(full=True)
    return array


def _one_chunk(column: Any) -> Any:
    if not isinstance(column, pa.ChunkedArray):
        return column
    joined = column.unify_dictionaries().combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        if joined.num_chunks != 1:
            raise ValueCodecError(
                f"a column of type {column.type} is too long for one chunk; cast it to a large_ "
                f"type"
            )
        joined = joined.chunk(0)
    return joined


def _put_content(w: Writer, array: Any) -> None:
    t = array.type
    valid = None
    if array.null_count and not _types.is_null(t):
        valid = array.is_valid().to_numpy(zero_copy_only=False)
    w.open(b"arrow", len(array))
    if valid is None:
        w.tokens.append(None)
    else:
        w.put_payload(np.packbits(valid, bitorder="little").data)
    if _types.is_boolean(t):
        bits = (array if valid is None else array.fill_null(False)).to_numpy(zero_copy_only=False)
        w.put_payload(np.packbits(bits, bitorder="little").data)
    elif _types.is_dictionary(t):
        _put_content(w, array.indices)
        _put_content(w, _one_chunk(array.dictionary))
    elif _types.is_struct(t):
        for i in range(t.num_fields):
            _put_content(w, array.field(i))
    elif _types.is_fixed_size_list(t):
        child = array.values.slice(array.offset * t.list_size, len(array) * t.list_size)
        _put_content(w, child)
    elif _offset_dtype(t) is not None:
        _put_variable(w, array, valid)
    elif not _types.is_null(t):
        w.put_payload(_fixed_width(array, valid).data)
    w.close()


def _offset_dtype(t: Any) -> Any:
    """Return the integer type of the offsets of a variable-width type, or None."""
    if _types.is_string(t) or _types.is_binary(t) or _types.is_list(t):
        return np.dtype("<i4")
    if _types.is_large_string(t) or _types.is_large_binary(t) or _types.is_large_list(t):
        return np.dtype("<i8")
    return None


def _fixed_width(array: Any, valid: Bits | None) -> npt.NDArray[np.uint8]:
    width, n = array.type.bit_width // 8, len(array)
    buffer = array.buffers()[1]
    if buffer is None or n == 0:
        return np.empty(0, np.uint8)
    start = array.offset * width
    raw = np.frombuffer(buffer, np.uint8)[start : start + n * width]
    if valid is not None:
        raw = raw.copy()
        raw.reshape(n, width)[~valid] = 0
    return raw


def _put_variable(w: Writer, array: Any, valid: Bits | None) -> None:
    offsets = _offsets(array)
    if valid is not None and (np.diff(offsets)[~valid] != 0).any():
        array = array.take(pa.array(np.arange(len(array))))  # drops what stands under nulls
        offsets = _offsets(array)
    first, last = int(offsets[0]), int(offsets[-1])
    w.put_payload((offsets - offsets[0]).view(np.uint8).data)
    if hasattr(array, "values"):
        _put_content(w, array.values.slice(first, last - first))
    else:
        data = array.buffers()[2]
        w.put_payload(b"" if data is None else memoryview(data)[first:last])


def _offsets(array: Any) -> npt.NDArray[Any]:
    dtype = _offset_dtype(array.type)
    buffer = array.buffers()[1]
    if buffer is None or buffer.size == 0:
        return np.zeros(1, dtype)
    return np.frombuffer(buffer, dtype)[array.offset : array.offset + len(array) + 1]


def _get_content(r: Reader, t: Any) -> Any:
    if r.token() != b"arrow":
        raise ValueCodecError("expected the content of an Arrow array")
    return r.descend(lambda reader: _get_array(reader, t))


def _get_array(r: Reader, t: Any) -> Any:
    n = r.size()
    validity = None
    if r.peek() is None:
        r.token()
    else:
        validity = _get_buffer(r, (n + 7) // 8)
    if _types.is_dictionary(t):
        return _get_dictionary(r, t, n)
    buffers, children = [validity], []
    if _types.is_boolean(t):
        buffers.append(_get_buffer(r, (n + 7) // 8))
    elif _types.is_struct(t) or _types.is_fixed_size_list(t):
        _check_unbacked(r, n)
        children = [_get_content(r, t.field(i).type) for i in range(t.num_fields)]
    elif (offset_dtype := _offset_dtype(t)) is not None:
        buffers.append(_get_buffer(r, (n + 1) * offset_dtype.itemsize))
        if _types.is_list(t) or _types.is_large_list(t):
            children = [_get_content(r, t.value_type)]
        else:
            buffers.append(_get_buffer(r, None))
    elif _types.is_null(t):
        _check_unbacked(r, n)
        return pa.nulls(n)
    else:
        buffers.append(_get_buffer(r, n * (t.bit_width // 8)))
    return pa.Array.from_buffers(t, n, buffers, children=children or None)


def _get_dictionary(r: Reader, t: Any, n: int) -> Any:
    indices, dictionary = _get_content(r, t.index_type), _get_content(r, t.value_type)
    if len(indices) != n:
        raise ValueCodecError(f"{len(indices)} indices for {n} items")
    indices.validate(full=True)
    dictionary.validate(full=True)
    return pa.DictionaryArray.from_arrays(indices, dictionary, ordered=t.ordered, safe=True)


def _check_unbacked(r: Reader, n: int) -> None:
    """Bound a length that no buffer has to back."""
    if n > r.limits.nodes_max:
        raise ValueCodecError(f"an Arrow array claims {n} items; at most {r.limits.nodes_max}")


def _get_buffer(r: Reader, size_bytes: int | None) -> Any:
    payload = r.payload()
    if size_bytes is not None and len(payload) != size_bytes:
        raise ValueCodecError(f"an Arrow buffer has {len(payload)} bytes instead of {size_bytes}")
    if not len(payload):
        return pa.py_buffer(b"")
    return pa.py_buffer(np.frombuffer(payload, np.uint8).copy())


def _put_rows(w: Writer, rows: Any) -> None:
    name = "Table" if isinstance(rows, pa.Table) else "RecordBatch"
    if rows.num_columns == 0 and rows.num_rows:
        raise ValueCodecError(f"a {name} of rows without columns has no encoding; add a column")
    w.open(f"pyarrow.{name}".encode(), 2, rows.num_rows, rows.num_columns)
    put_schema(w, rows.schema)
    for column in rows.columns:
        _put_content(w, _one_chunk(column))
    w.close()


def _get_table(r: Reader) -> Any:
    return pa.Table.from_arrays(*_get_columns(r))


def _get_batch(r: Reader) -> Any:
    return pa.RecordBatch.from_arrays(*_get_columns(r))


def _get_columns(r: Reader) -> tuple[list[Any], None, Any]:
    two, n_rows, n_columns = r.size(), r.size(), r.size()
    schema = get_schema(r)
    columns = [_get_validated(r, t) for t in schema.types]
    if (two, n_columns) != (2, len(columns)) or any(len(c) != n_rows for c in columns):
        raise ValueCodecError(f"columns do not make a table of shape {(n_rows, n_columns)}")
    return columns, None, schema


def _put_column(w: Writer, column: Any) -> None:
    kind = "ChunkedArray" if isinstance(column, pa.ChunkedArray) else "Array"
    w.tokens.append(f"pyarrow.{kind}".encode())
    put_typed(w, column)


def _get_chunked(r: Reader) -> Any:
    return pa.chunked_array([get_typed(r)])


def find_putter(cls: type) -> Put | None:
    """Return how to put a value of a class of pyarrow, or None."""
    if cls in {pa.Table, pa.RecordBatch}:
        return _put_rows
    return _put_column if issubclass(cls, pa.Array | pa.ChunkedArray) else None


GETTERS: dict[bytes, Get] = {
    b"pyarrow.Table": _get_table,
    b"pyarrow.RecordBatch": _get_batch,
    b"pyarrow.Array": get_typed,
    b"pyarrow.ChunkedArray": _get_chunked,
}
