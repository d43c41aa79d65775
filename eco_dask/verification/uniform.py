"""Random numbers from a seed: the same ones everywhere, in any order.

key, role ──BLAKE3's output stream──► 32-bit integers ──► float64, mean 0, variance 1
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from blake3 import blake3

#: A uniform number on (-1, 1) has a variance of 1/3.
_UNIT = 3.0**0.5 * 2.0**-31


def uniform(key: bytes, role: bytes, n: int, first: int = 0) -> npt.NDArray[np.float64]:
    """Return numbers of a stream, independent and uniform between the square roots of 3.

    The stream depends on no library's version, unlike numpy's own, and is not to be predicted
    without the key. None of the numbers is 0.

    Parameters
    ----------
    key : bytes
        32 bytes.
    role : bytes
        Names one of many streams of the key.
    n, first : int
        How many numbers, and the place of the first one.
    """
    stream = blake3(role, key=key).digest(length=4 * n, seek=4 * first)
    numbers: npt.NDArray[np.float64] = (np.frombuffer(stream, "<i4") + 0.5) * _UNIT
    return numbers
