"""What the tests of GPUs submit: apart, as providers import it without the tests' own modules."""

from __future__ import annotations

import os
import time

import numpy as np

SIZE = 512
#: Where it is set, the CPU computes; one of the few variables that reach a runner.
CPU_ONLY = "OPENBLAS_CORETYPE"


def product_on_gpu(i):
    import cupy

    a = cupy.asarray(np.random.default_rng(i).random((SIZE, SIZE), dtype=np.float32))
    return a @ a.T


def product_where_possible(i):
    """The same on whatever the machine has, as a library with a CPU fallback does."""
    a = np.random.default_rng(i).random((SIZE, SIZE), dtype=np.float32)
    if CPU_ONLY in os.environ:
        return a @ a.T
    import cupy

    return cupy.asnumpy(cupy.asarray(a) @ cupy.asarray(a).T)


def expected(i):
    a = np.random.default_rng(i).random((SIZE, SIZE), dtype=np.float32)
    return a @ a.T


def burn_on_gpu(i, seconds):
    """Keep the GPU busy for a while; the answer is the same everywhere."""
    import cupy

    a = cupy.ones((4096, 4096), dtype=cupy.float32)
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        a @ a
        cupy.cuda.Device().synchronize()
    return float(i)
