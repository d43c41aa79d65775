"""What attackers are given to compute.

Their own module, of a name that no other has and with nothing to import but NumPy: functions travel
by reference, and the scheduler, which finds tests of other folders on its path too, imports it.
"""

from __future__ import annotations

import numpy as np


def doubled(x: int) -> int:
    """Do a little work."""
    return 2 * x


def ramp(n: int) -> np.ndarray:
    """Give floats that every machine makes alike."""
    return np.arange(float(n))


def product(n: int) -> np.ndarray:
    """Give floats that honest machines may round differently."""
    a = np.random.default_rng(n).random((n, n))
    return a @ a.T
