r"""How far two honest answers may lie apart, by what a task does and in which precision.

kind of task, dtype ──comparison_for──► EXACT | Close(tolerance)

Tolerances bound the norm of the difference over the norm of the result. ``u`` is the unit roundoff,
half the distance from 1 to the next number: 4.9e-4, 6.0e-8, 1.1e-16 for half, single and double
precision. A result of ``n`` terms summed carries a relative error of about ``sqrt(n) u`` (rounding
errors as a random walk: N. J. Higham, T. Mary, "A new approach to probabilistic rounding error
analysis", SIAM J. Sci. Comput. 41(5), 2019); two results differ by ``sqrt(2)`` of that, and the
largest of a few hundred projections reaches four standard deviations. So::

    tolerance = 4 sqrt(2) u g        g: growth of one rounding error, table below

    family          g                       why
    elementwise     4                       exp, log ...: numpy accepts 4 ULP between machines
    reduction       64                      pairwise sums; terms that cancel to a 64th
    product         sqrt(n) / 2             blocked sums of n terms; n = 1,024 unless told
    fourier         sqrt(log2 n), n = 2^30  Higham, Accuracy and Stability, 2nd ed., section 24.1
    solve           condition, 300 / 1e6    forward error of a backward stable solver: condition x u
    decomposition   1 / gap, 5e3 / 1e6      singular and eigenvectors turn by u / relative gap
    default         like solve              whatever the recruiter wrote

Where two numbers stand, the first is for half and single precision, where the second would let any
answer pass. A system or spectrum of a worse condition than that has no answer that honest machines
share to this precision; an algebraic check decides there (``eco_dask.verification.checks``).
Measured: ``benchmarks/checks.py``.

``exact`` is for results whose bits IEEE 754 or the operation itself settles on any machine: single
correctly rounded operations, comparisons, moves of data. Sums, means and Fourier transforms gave
equal bits on all x86 processors measured with one numpy, but nothing settles them, and sorts and
maxima take 0.0 for -0.0 with some instructions: they are compared closely, which accepts equal bits
as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from eco_dask.types import TaskKind

#: Standard deviations that the largest projection reaches, times two results' share.
_SAFETY: Final = 4 * 2**0.5
#: Terms summed per element of a product, unless the caller knows.
TERMS: Final = 1024


@dataclass(frozen=True, slots=True)
class Exact:
    """Answers agree if their digests are equal."""


@dataclass(frozen=True, slots=True)
class Close:
    """Answers agree if their sketches do."""

    #: Largest accepted norm of the difference over the norm.
    tolerance: float


Comparison = Exact | Close
EXACT: Final = Exact()

#: Growth of a rounding error in half or single, and in double precision.
_GROWTH: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "elementwise": (4.0, 4.0),
        "reduction": (64.0, 64.0),
        "fourier": (30**0.5, 30**0.5),
        "solve": (300.0, 1e6),
        "decomposition": (5e3, 1e6),
        "default": (300.0, 1e6),
    }
)
_MEMBERS: Final = {
    "exact": """
        add sub subtract mul multiply div divide truediv true_divide floordiv floor_divide mod
        remainder neg negative pos positive abs absolute sqrt square fabs sign copysign floor ceil
        rint round trunc eq ne lt le gt ge equal not_equal less less_equal greater greater_equal
        and or xor invert logical_and logical_or logical_not isnan isinf isfinite where
        argmax argmin any all
        getitem take transpose reshape rechunk merge rechunk_merge rechunk_split concatenate stack
        vstack hstack broadcast_to repeat tile roll flip diag tril triu eye ones zeros full empty
        arange asarray array astype copy argsort bincount searchsorted isin
        random_integers randint integers random_sample fillna dropna isna head tail
    """,
    "elementwise": """
        exp exp2 expm1 log log2 log10 log1p pow power sin cos tan arcsin arccos arctan arctan2 sinh
        cosh tanh arcsinh arccosh arctanh hypot cbrt logaddexp reciprocal sinc erf sigmoid
        linspace logspace normal standard_normal uniform exponential
        sort unique maximum minimum max min amax amin nanmax nanmin clip ptp
    """,
    "reduction": """
        sum nansum mean nanmean average var nanvar std nanstd cumsum nancumsum prod nanprod cumprod
        moment norm histogram trapezoid diff gradient groupby_sum series_groupby
    """,
    "product": """
        matmul dot vdot inner outer tensordot einsum convolve correlate cov corrcoef kron
        matmat matvec
    """,
    "fourier": "fft ifft rfft irfft fft2 ifft2 fftn ifftn rfftn irfftn hfft ihfft dct idct",
    "solve": "solve solve_triangular lstsq inv pinv cholesky lu lu_solve det slogdet solve_banded",
    "decomposition": "svd svdvals qr eig eigh eigvals eigvalsh schur polar svd_compressed",
}
_FAMILIES: Final = {name: family for family, names in _MEMBERS.items() for name in names.split()}
#: What Dask adds to a function's name in the names of its tasks.
_ADDED = re.compile(r"^(chunk|nan|np|da)[._]|[._](chunk|partial|aggregate|agg|combine|slice)$")

#: Parts of such names that say at which stage of a reduction a task is.
_STAGES: Final = frozenset({"chunk", "partial", "aggregate", "combine", "split"})


def family_of(kind: str) -> str:
    """Return what a task does by the name of its kind.

    A fused task (``"exp-sum"``) is as loose as the loosest of its parts; one part that is not known
    makes it ``"default"``.
    """
    parts = set(re.split(r"[-\s]+", kind.lower())) - {""}
    families = {_family_of_name(part) for part in parts - _STAGES or parts}
    return max(families, key=_looseness, default="default")


def comparison_for(kind: TaskKind, dtype: np.dtype[Any], terms: int = TERMS) -> Comparison:
    """Say how ``auto`` compares answers.

    Parameters
    ----------
    kind : TaskKind
        Prefix of the Dask key.
    dtype : numpy.dtype
        Of the answer's array, the least precise one if it has several.
    terms : int
        Terms summed for one element of a product, such as the length of the inner axis.

    Returns
    -------
    Exact or Close
    """
    if dtype.kind not in "fc":
        return EXACT
    family = family_of(kind)
    if family == "exact":
        return EXACT
    unit = float(np.finfo(dtype).eps) / 2
    growth = terms**0.5 / 2 if family == "product" else _GROWTH[family][unit < 1e-12]  # noqa: PLR2004  double
    return Close(_SAFETY * unit * max(growth, _GROWTH["elementwise"][0]))


def _family_of_name(name: str) -> str:
    while name not in _FAMILIES:
        shorter = _ADDED.sub("", name.strip("_"))
        if shorter == name:
            return "default"
        name = shorter
    return _FAMILIES[name]


def _looseness(family: str) -> float:
    if family == "exact":
        return 0.0
    return TERMS**0.5 / 2 if family == "product" else _GROWTH[family][1] + (family == "default")
