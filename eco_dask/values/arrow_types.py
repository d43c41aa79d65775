"""Arrow types and schemas, spelt out from a fixed table: no extension type, nothing looked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from eco_dask.errors import ValueCodecError
from eco_dask.values.stream import Reader, Writer
from eco_dask.values.times import is_zone_name

_UNITS = ("s", "ms", "us", "ns")
_NAMED = (
    *(pa.null(), pa.bool_(), pa.float16(), pa.float32(), pa.float64(), pa.date32(), pa.date64()),
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.string(), pa.large_string(), pa.binary(), pa.large_binary()),
    *(pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
    *map(pa.duration, _UNITS),
    *map(pa.timestamp, _UNITS),
)
_BY_NAME = {str(t): t for t in _NAMED}
_DECIMALS = {"decimal128": pa.decimal128, "decimal256": pa.decimal256}
_LISTS = {"list": pa.list_, "large_list": pa.large_list}
_EXTENSION_KEY = b"ARROW:extension:name"


def put_type(w: Writer, t: Any) -> None:
    """Append an Arrow type."""
    name = str(t)
    if _BY_NAME.get(name) == t:
        w.tokens.append(name)
        return
    for kind, (accepts, put) in _PUTTERS.items():
        if accepts(t):
            w.open(b"type", kind)
            put(w, t)
            w.close()
            return
    raise ValueCodecError(
        f"Arrow type {t} has no safe encoding; cast it to a plain, list, struct or dictionary type"
    )


def get_type(r: Reader) -> Any:
    """Return what :func:`put_type` put."""
    token = r.token()
    if type(token) is str and token in _BY_NAME:
        return _BY_NAME[token]
    if token == b"type":
        kind = r.expect(str)
        if kind in _GETTERS:
            return r.descend(_GETTERS[kind])
    raise ValueCodecError(f"{token!r:.80} is no Arrow type")


def put_schema(w: Writer, schema: Any) -> None:
    """Append the fields and the metadata of a schema or struct type."""
    _put_metadata(w, getattr(schema, "metadata", None))
    fields = list(schema)
    w.open(b"schema", len(fields), nodes=4 * len(fields))
    for field in fields:
        _put_field(w, field)
    w.close()


def get_schema(r: Reader) -> Any:
    """Return what :func:`put_schema` put, as a schema."""
    metadata = _get_metadata(r)
    if r.token() != b"schema":
        raise ValueCodecError("expected an Arrow schema")
    return pa.schema([_get_field(r) for _ in range(r.count())], metadata=metadata)


def _put_field(w: Writer, field: Any) -> None:
    w.put(field.name)
    w.tokens.append(field.nullable)
    _put_metadata(w, field.metadata)
    put_type(w, field.type)


def _get_field(r: Reader) -> Any:
    name, nullable, metadata = r.typed(str), r.expect(bool), _get_metadata(r)
    return pa.field(name, get_type(r), nullable=nullable, metadata=metadata)


def _put_metadata(w: Writer, metadata: dict[bytes, bytes] | None) -> None:
    _refuse_extension(metadata)
    w.put(None if metadata is None else dict(metadata))


def _get_metadata(r: Reader) -> dict[bytes, bytes] | None:
    metadata: dict[bytes, bytes] | None = r.typed(dict, type(None))
    if not all(type(text) is bytes for pair in (metadata or {}).items() for text in pair):
        raise ValueCodecError("Arrow metadata holds something else than bytes")
    _refuse_extension(metadata)
    return metadata


def _refuse_extension(metadata: dict[bytes, bytes] | None) -> None:
    if metadata and _EXTENSION_KEY in metadata:
        raise ValueCodecError(
            f"Arrow extension type {metadata[_EXTENSION_KEY]!r:.80} has no safe encoding; cast the "
            f"column to its storage type"
        )


def _put_timestamp(w: Writer, t: Any) -> None:
    w.tokens.append(t.unit)
    w.put(t.tz)


def _get_timestamp(r: Reader) -> Any:
    unit, zone = r.expect(str), r.expect(str)
    if not is_zone_name(zone):
        raise ValueCodecError(f"{zone!r:.80} is no time zone")
    return pa.timestamp(unit, zone)


def _put_width(w: Writer, t: Any) -> None:
    w.tokens.append(t.byte_width)


def _get_fixed_binary(r: Reader) -> Any:
    return pa.binary(r.size())


def _put_decimal(w: Writer, t: Any) -> None:
    w.tokens += (f"decimal{t.bit_width}", t.precision, t.scale)


def _get_decimal(r: Reader) -> Any:
    return _DECIMALS[r.expect(str)](r.expect(int), r.expect(int))


def _put_list(w: Writer, t: Any) -> None:
    w.tokens.append("large_list" if pa.types.is_large_list(t) else "list")
    _put_field(w, t.value_field)


def _get_list(r: Reader) -> Any:
    return _LISTS[r.expect(str)](_get_field(r))


def _put_fixed_list(w: Writer, t: Any) -> None:
    w.tokens.append(t.list_size)
    _put_field(w, t.value_field)


def _get_fixed_list(r: Reader) -> Any:
    size = r.size()
    return pa.list_(_get_field(r), size)


def _get_struct(r: Reader) -> Any:
    return pa.struct(list(get_schema(r)))


def _put_dictionary(w: Writer, t: Any) -> None:
    w.tokens.append(t.ordered)
    put_type(w, t.index_type)
    put_type(w, t.value_type)


def _get_dictionary(r: Reader) -> Any:
    ordered = r.expect(bool)
    return pa.dictionary(get_type(r), get_type(r), ordered)


def _is_wide_decimal(t: Any) -> bool:
    return bool(pa.types.is_decimal128(t) or pa.types.is_decimal256(t))


def _is_list(t: Any) -> bool:
    return bool(pa.types.is_list(t) or pa.types.is_large_list(t))


_PUTTERS: dict[str, tuple[Callable[[Any], bool], Callable[[Writer, Any], None]]] = {
    "timestamp": (pa.types.is_timestamp, _put_timestamp),
    "fixed_binary": (pa.types.is_fixed_size_binary, _put_width),
    "decimal": (_is_wide_decimal, _put_decimal),
    "list": (_is_list, _put_list),
    "fixed_list": (pa.types.is_fixed_size_list, _put_fixed_list),
    "struct": (pa.types.is_struct, put_schema),
    "dictionary": (pa.types.is_dictionary, _put_dictionary),
}
_GETTERS: dict[str, Callable[[Reader], Any]] = {
    "timestamp": _get_timestamp,
    "fixed_binary": _get_fixed_binary,
    "decimal": _get_decimal,
    "list": _get_list,
    "fixed_list": _get_fixed_list,
    "struct": _get_struct,
    "dictionary": _get_dictionary,
}
