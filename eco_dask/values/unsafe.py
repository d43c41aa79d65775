"""A result that has no safe encoding, as its pickle: opaque bytes until somebody loads them.

    runner: any object ──cloudpickle──► PickledResult ──codec──► ... ──► recruiter: .load()

This is the one exception to "nothing a provider sends is unpickled", for jobs that ask for it by
``job(unsafe_results=True)``. Loading runs whatever the owners who agreed on these bytes put into
them.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from eco_dask.errors import ValueCodecError
from eco_dask.values.stream import Get, Payload, Put, Reader, Writer

_TAG = b"pickled"
#: How msgpack writes the tag: most headers are known to hold none by this.
_TAG_PACKED = b"\xc4" + bytes([len(_TAG)]) + _TAG


_refused: ContextVar[bool] = ContextVar("refused", default=False)


class PickledResult:
    """A pickle that was not loaded. Equal to another of the same bytes."""

    __slots__ = ("pickled",)

    def __init__(self, pickled: bytes) -> None:
        self.pickled = pickled

    def load(self) -> Any:
        """Unpickle it: runs code that the agreeing owners' machines chose.

        Whatever it raises, and whatever it does to this process, is theirs.
        """
        return pickle.loads(self.pickled)  # noqa: S301  the documented exception, by explicit call

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PickledResult) and self.pickled == other.pickled

    def __hash__(self) -> int:
        return hash(self.pickled)

    def __repr__(self) -> str:
        return f"<PickledResult {len(self.pickled)} bytes; .load() unpickles it, see SECURITY.md>"


def holds_pickle(header: Payload) -> bool:
    """Whether an encoded value may hold a pickle; never wrongly False."""
    return _TAG_PACKED in bytes(header)


@contextmanager
def pickles_refused() -> Iterator[None]:
    """Decode no pickle within the block: a value that holds one is refused."""
    token = _refused.set(True)
    try:
        yield
    finally:
        _refused.reset(token)


def _put(w: Writer, value: PickledResult) -> None:
    w.open(_TAG)
    w.put(value.pickled)
    w.close()


def _get(r: Reader) -> PickledResult:
    if _refused.get():
        raise ValueCodecError("the value holds a pickle, for a job that takes none")
    pickled = r.typed(bytes)
    if not isinstance(pickled, bytes):
        raise ValueCodecError(f"a pickle is bytes; got {type(pickled).__name__}")
    return PickledResult(pickled)


PUTTERS: dict[type, Put] = {PickledResult: _put}
GETTERS: dict[bytes, Get] = {_TAG: _get}
