"""cupy arrays: the host's bytes under a tag, so a GPU computes on and a laptop still reads them."""

from __future__ import annotations

from typing import Any

from eco_dask.values.arrays import get_array_body, put_array
from eco_dask.values.stream import Get, Put, Reader, Writer


def find_putter(cls: type) -> Put | None:
    """Return how to put a value of a class of cupy, or None."""
    import cupy

    return _put_device_array if cls is cupy.ndarray else None


def _put_device_array(w: Writer, array: Any) -> None:
    import cupy

    at = len(w.tokens)
    put_array(w, cupy.asnumpy(array))
    w.tokens[at] = b"cupy.ndarray"


def _get_device_array(r: Reader) -> Any:
    """Return a cupy array where there is a GPU, else the numpy array of the same content."""
    array = get_array_body(r)
    try:
        import cupy
    except ImportError:
        return array
    return cupy.asarray(array) if cupy.is_available() else array


GETTERS: dict[bytes, Get] = {b"cupy.ndarray": _get_device_array}
