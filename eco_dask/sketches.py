"""The sketch of a value, encoded or not: where the codec and verification meet.

value ──encode──► EncodedValue ──floats_apart──► digest, arrays ──sketch_parts──► Sketch

The gateway asks for them where digests differ; see :mod:`eco_dask.gateway.comparing`.
"""

from __future__ import annotations

from eco_dask.values.apart import floats_apart
from eco_dask.values.encoded import EncodedValue, encode
from eco_dask.verification.sketch import SKETCH_BYTES_MAX, Sketch, SketchError, sketch_parts


def sketch(value: object, seed: bytes) -> Sketch:
    """Sketch a value.

    Parameters
    ----------
    value : object
        Anything the safe codec encodes.
    seed : bytes
        32 random bytes that nobody knew when the value was committed to.

    Raises
    ------
    ValueCodecError
        If it has no encoding, or (a SketchError) too many parts.
    """
    return sketch_encoded(encode(value), seed)


def sketch_encoded(encoded: EncodedValue, seed: bytes) -> Sketch:
    """Sketch an encoded value without decoding it.

    Raises
    ------
    ValueCodecError
        If it is none; it may come from a stranger.
    """
    apart = floats_apart(encoded)
    return sketch_parts(apart.rest, apart.arrays, seed)


def sketch_or_digest(value: EncodedValue, seed: bytes, bytes_max: int = SKETCH_BYTES_MAX) -> Sketch:
    """Sketch an encoded value; one of too many parts is told apart by its bytes alone.

    So both sides of a comparison have something to show, and nobody is blamed for a value that no
    sketch can be made of.

    Parameters
    ----------
    value : EncodedValue
        May come from a stranger.
    seed : bytes
        32 bytes.
    bytes_max : int
        Length of the longest sketch that can be sent; the same on both sides.

    Raises
    ------
    ValueCodecError
        If it is no encoded value.
    """
    exact = Sketch(value.digest, ())
    try:
        made = sketch_encoded(value, seed)
    except SketchError:
        return exact
    return made if made.size_bytes <= bytes_max else exact
