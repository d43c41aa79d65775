"""Which function puts or gets which type, and the two directions over all of them.

    value --encode_parts--> header, buffers --decode_parts--> value

Optional libraries are never imported to encode: a value of one proves that it is there. Decoding
imports a library only for a tag of the fixed table below.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from eco_dask.errors import ValueCodecError
from eco_dask.values import arrays, dtypes, plain, registered, standard, times, unsafe
from eco_dask.values.limits import CodecLimits
from eco_dask.values.stream import Get, Payload, Put, Reader, Writer, pack, unpack

_PUTTERS: dict[type, Put] = {
    **plain.PUTTERS,
    **times.PUTTERS,
    **dtypes.PUTTERS,
    **arrays.PUTTERS,
    **standard.PUTTERS,
    **unsafe.PUTTERS,
}
_GETTERS: dict[bytes, Get] = {
    **plain.GETTERS,
    **times.GETTERS,
    **dtypes.GETTERS,
    **arrays.GETTERS,
    **standard.GETTERS,
    **registered.GETTERS,
    **unsafe.GETTERS,
}
#: First part of a class's module, or of a tag, to the module here that knows the library.
_ADAPTERS = {
    "pandas": "eco_dask.values.frames",
    "pyarrow": "eco_dask.values.tables",
    "xarray": "eco_dask.values.labelled",
    "scipy": "eco_dask.values.sparse",
    "cupy": "eco_dask.values.device",
    "cftime": "eco_dask.values.calendars",
}


def encode_parts(value: object, limits: CodecLimits) -> tuple[bytes, tuple[Payload, ...]]:
    """Return the header and the buffers of a value.

    Raises
    ------
    ValueCodecError
        If a type in it has no safe encoding, or it goes beyond ``limits``.
    """
    writer = Writer(_PUTTERS, _find_putter, limits)
    try:
        writer.put(value)
        header = pack(writer.tokens)
    except RecursionError as error:
        raise ValueCodecError("the value is nested too deeply; flatten it") from error
    _check_sizes(header, writer.buffers, limits)
    return header, tuple(writer.buffers)


def decode_parts(header: Payload, buffers: tuple[Payload, ...], limits: CodecLimits) -> Any:
    """Return the value of a header and its buffers.

    Raises
    ------
    ValueCodecError
        If they encode no value, go beyond ``limits``, or need a class or a library that is not
        here. Nothing else is raised, whatever the bytes are.
    """
    _check_sizes(header, buffers, limits)
    try:
        reader = Reader(unpack(header, limits), buffers, _find_getter, limits)
        value = reader.value()
        reader.finish()
    except ValueCodecError:
        raise
    except ImportError as error:
        raise ValueCodecError(
            f"the value needs {error.name}, which cannot be imported here; install it ({error})"
        ) from error
    except Exception as error:  # the libraries' ways to dislike bytes are countless
        raise ValueCodecError(
            f"no encoded value: {type(error).__name__}: {error!s:.300}"
        ) from error
    return value


def _check_sizes(header: Payload, buffers: Iterable[Payload], limits: CodecLimits) -> None:
    lengths = [len(buffer) for buffer in buffers]
    for found, allowed, what in (
        (len(header), limits.header_bytes_max, "bytes of header"),
        (len(header) + sum(lengths), limits.size_bytes_max, "bytes"),
        (len(lengths), limits.buffers_max, "buffers"),
    ):
        if found > allowed:
            raise ValueCodecError(
                f"the encoded value has {found} {what}, more than the {allowed} allowed; split it"
            )


def _find_putter(cls: type) -> Put:
    put = registered.find_putter(cls)
    library = cls.__module__.partition(".")[0]
    if put is None and library in _ADAPTERS:
        put = import_module(_ADAPTERS[library]).find_putter(cls)
    if put is None:
        raise ValueCodecError(
            f"a value of type {cls.__module__}.{cls.__qualname__} has no safe encoding; convert "
            f"it to plain Python, numpy, pandas, pyarrow, xarray or scipy.sparse data, or register "
            f"the dataclass, named tuple or enum with eco_dask.values.register"
        )
    return put


def _find_getter(tag: bytes) -> Get:
    get = _GETTERS.get(tag)
    if get is None:
        library = tag.partition(b".")[0].decode("ascii", "replace")
        if library in _ADAPTERS:
            get = import_module(_ADAPTERS[library]).GETTERS.get(tag)
    if get is None:
        raise ValueCodecError(f"unknown tag {tag!r:.80}; was the value encoded by a newer version?")
    return get
