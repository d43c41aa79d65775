"""Values as they arrive from strangers: readable, and those that were committed to, or nothing."""

from __future__ import annotations

import logging

from eco_dask.errors import ValueCodecError
from eco_dask.types import Digest
from eco_dask.values import EncodedValue
from eco_dask.wire.fields import Buffer

logger = logging.getLogger(__name__)


def checked_value(data: Buffer, digest: Digest) -> EncodedValue | None:
    """Read a value that came along with its commitment; None if it is another, or unreadable."""
    # The frame's buffer is shared by all its messages; a small copy lets it go.
    value = decodable(bytes(data))
    return value if value is not None and value.digest == digest else None


def decodable(data: bytes | bytearray) -> EncodedValue | None:
    """Read a value; None if it does not decode, as a client would choke on it later."""
    try:
        value = EncodedValue.from_bytes(data)
        value.decode()
    except ValueCodecError as error:
        logger.warning("A provider's value does not decode: %s", error)
        return None
    return value
