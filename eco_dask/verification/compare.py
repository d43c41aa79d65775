"""Whether two sketches agree, and which of several answers stands where "same" is no equivalence.

    two sketches, tolerance ──agree──► Agrees | Differs(reason)
    answers, same ──choose──► the centre that most owners agree with

With a tolerance, a ~ b and b ~ c do not make a ~ c. How such chains are decided:

- The *camp* of an answer, its centre, is all answers that agree with it, itself included, as in
  ``quorum.judge``. Nobody is in a camp by way of somebody else.
- The answer whose camp has most owners is chosen; among equals the one of the smallest digest, so
  that the order of arrival decides nothing.
- Against it stands the strongest camp whose centre *disagrees* with it, counted in full: owners in
  both camps count on both sides, as their answers support either. So of a chain a ~ b ~ c, b is
  chosen with three owners and nothing against it: it is within the tolerance of all. Of a chain
  a ~ b ~ c ~ d, b or c is chosen with three owners, and two stand against it: {c, d} against b.
  Of two pairs that disagree, one is chosen with two owners against two, which proves nothing.

Where "same" is an equivalence this is the majority of ``quorum.judge``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

from eco_dask.types import OwnerId
from eco_dask.verification.attempt import Attempt
from eco_dask.verification.projections import SHRINK
from eco_dask.verification.sketch import ArraySketch, Sketch

#: What projections of equal numbers differ by, over the norm, as they are computed with different
#: kernels: 4 sqrt(2) u sqrt(1,088 terms), and twice that for good measure. Measured: 9e-15.
OWN_ROUNDING = 4e-14


@dataclass(frozen=True, slots=True)
class Agrees:
    """Two sketches are of the same value, as far as honest rounding goes."""

    #: Largest difference over what was allowed, at most 1; 0 for equal numbers.
    used: float


@dataclass(frozen=True, slots=True)
class Differs:
    """Two sketches are of different values."""

    reason: str


def agree(a: Sketch, b: Sketch, tolerance: float) -> Agrees | Differs:
    """Compare two sketches made with one seed.

    Parameters
    ----------
    a, b : Sketch
        The order does not matter.
    tolerance : float
        Norm of the difference over the norm of the value, as of ``tolerance.comparison_for``. An
        array's group with less than its share of the norm may differ as much as one with it.

    Returns
    -------
    Agrees or Differs
        A reason names the first array that differs, by its place in the encoding.
    """
    if len(a.arrays) != len(b.arrays):
        return Differs(f"{len(a.arrays)} arrays and numbers here, {len(b.arrays)} there")
    used = 0.0
    for i, one, other in zip(count(), a.arrays, b.arrays, strict=False):
        reason = _meta_difference(one, other)
        if reason:
            return Differs(f"array {i}: {reason}")
    if a.rest != b.rest:
        return Differs("the structure, or something in it that is no float, differs")
    for i, one, other in zip(count(), a.arrays, b.arrays, strict=False):
        if one.data == other.data:
            continue
        ratio = _difference(one, other) / (tolerance + OWN_ROUNDING)
        if not ratio <= 1:
            return Differs(
                f"array {i}, {one.dtype} of shape {one.shape}: the difference is {ratio:.3g} times "
                f"the {tolerance:.2g} that rounding explains"
            )
        used = max(used, ratio)
    return Agrees(used)


def _meta_difference(a: ArraySketch, b: ArraySketch) -> str:
    if a.dtype != b.dtype:
        return f"{a.dtype} here, {b.dtype} there"
    if a.shape != b.shape:
        return f"shape {a.shape} here, {b.shape} there"
    if a.special != b.special:
        return "NaN or infinities at different places"
    return ""


def _difference(a: ArraySketch, b: ArraySketch) -> float:
    """Return the largest difference over the norm that it may be compared with.

    The smaller of the claimed norms counts: who overstates his own buys no tolerance with it.
    """
    if not a.n_groups:
        return _raw_difference(a, b)
    scales = np.minimum(a.scales, b.scales)
    norms = _with_share(scales) + _floor(a) * SHRINK
    with np.errstate(over="ignore"):  # a stranger's numbers may be anything finite
        apart = np.maximum(np.abs(a.numbers - b.numbers).max(axis=1), np.abs(a.scales - b.scales))
        return float((apart / norms).max())


def _with_share(scales: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return per group a norm: its own and its share of the whole array's, together."""
    largest = float(scales.max())
    if not largest:
        return scales
    relative = scales / largest
    return largest * np.sqrt(relative**2 + np.mean(relative**2))


def _raw_difference(a: ArraySketch, b: ArraySketch) -> float:
    if not a.n_reals:
        return 0.0
    x, y = a.numbers, b.numbers
    largest = max(float(np.abs(x).max()), float(np.abs(y).max()), _floor(a))
    x, y = x / largest, y / largest  # the squares of large doubles would overflow
    norm = min(float(np.linalg.norm(x)), float(np.linalg.norm(y)))
    allowed = norm + _floor(a) / largest
    return float(np.linalg.norm(x - y)) / allowed if allowed else float("inf")


def _floor(a: ArraySketch) -> float:
    """Return a norm near which a dtype loses its precision.

    Numbers that are not normal have fewer digits, and processors may flush them to zero.
    """
    return float(np.finfo(np.dtype(a.dtype)).tiny) / float(np.finfo(np.dtype(a.dtype)).eps)


@dataclass(frozen=True, slots=True)
class Choice:
    """The answer that most owners agree with."""

    centre: Attempt
    #: Its camp, in order of arrival.
    agreeing: tuple[Attempt, ...]
    dissenting: tuple[Attempt, ...]
    #: Owners in its camp.
    support: int
    #: Owners in the strongest camp around an answer that disagrees with it.
    opposition: int


def choose(attempts: Sequence[Attempt], same: Callable[[Attempt, Attempt], bool]) -> Choice | None:
    """Find the centre that most owners agree with; see the module for chains.

    Parameters
    ----------
    attempts : sequence of Attempt
        In any order.
    same : callable
        Symmetric, and true of an attempt and itself; need not be transitive.

    Returns
    -------
    Choice or None
        None without attempts.
    """
    if not attempts:
        return None
    camps = {a.lease: tuple(b for b in attempts if same(a, b)) for a in attempts}
    centre = min(attempts, key=lambda a: (-_owners(camps[a.lease]), a.digest, a.lease))
    agreeing = camps[centre.lease]
    against = (camps[a.lease] for a in attempts if not same(a, centre))
    return Choice(
        centre,
        agreeing,
        tuple(a for a in attempts if a not in agreeing),
        _owners(agreeing),
        max(map(_owners, against), default=0),
    )


def _owners(camp: Sequence[Attempt]) -> int:
    owners: set[OwnerId] = {a.owner for a in camp}
    return len(owners)
