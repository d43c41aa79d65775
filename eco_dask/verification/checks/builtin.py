"""Which function has which built-in check.

name of the task's function ──BUILTIN──► checker
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from eco_dask.verification.checks.factors import check_cholesky, check_eigh, check_qr, check_svd
from eco_dask.verification.checks.fourier import fourier_checker
from eco_dask.verification.checks.ordering import check_sort
from eco_dask.verification.checks.products import check_matmul, check_tensordot
from eco_dask.verification.checks.solvers import check_inv, check_lstsq, check_solve
from eco_dask.verification.checks.verdict import Checker

#: By module and name, so that no library is imported for its checks.
BUILTIN: Final[Mapping[str, Checker]] = MappingProxyType(
    {
        "numpy.matmul": check_matmul,
        "numpy.dot": check_matmul,
        "_operator.matmul": check_matmul,
        "numpy.tensordot": check_tensordot,
        "numpy.linalg.solve": check_solve,
        "numpy.linalg.inv": check_inv,
        "numpy.linalg.lstsq": check_lstsq,
        "numpy.linalg.qr": check_qr,
        "numpy.linalg.svd": check_svd,
        "numpy.linalg.cholesky": check_cholesky,
        "numpy.linalg.eigh": check_eigh,
        **{
            f"numpy.fft.{name}": fourier_checker(getattr(np.fft, name), name)
            for name in ("fft", "ifft", "rfft", "irfft")
        },
        "numpy.sort": check_sort,
    }
)


def name_of(function: Any) -> str:
    """Return module and name of a function, ``"numpy.matmul"`` for a ufunc of numpy."""
    module = getattr(function, "__module__", None) or type(function).__module__
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", "")
    return f"{module}.{name}"
