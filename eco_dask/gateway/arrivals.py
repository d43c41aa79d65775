"""Values as they arrive from strangers: readable, and those that were committed to, or nothing."""

from __future__ import annotations

import logging
from contextlib import nullcontext

from eco_dask.errors import ValueCodecError
from eco_dask.text import line
from eco_dask.types import Digest
from eco_dask.values import EncodedValue
from eco_dask.values.unsafe import pickles_refused
from eco_dask.wire.fields import Buffer

logger = logging.getLogger(__name__)


def checked_value(data: Buffer, digest: Digest, *, unsafe: bool) -> EncodedValue | None:
    """Read a value that came along with its commitment; None if it is another, or unreadable."""
    # The frame's buffer is shared by all its messages; a small copy lets it go.
    value = decodable(bytes(data), unsafe=unsafe)
    return value if value is not None and value.digest == digest else None


def decodable(data: bytes | bytearray, *, unsafe: bool) -> EncodedValue | None:
    """Read a value; None if it does not decode, as a client would choke on it later.

    A pickle is bytes here, and is read only where the job takes pickles for results.
    """
    try:
        value = EncodedValue.from_bytes(data)
        with nullcontext() if unsafe else pickles_refused():
            value.decode()
    except ValueCodecError as error:
        logger.warning("A provider's value does not decode: %s", line(str(error)))
        return None
    return value
