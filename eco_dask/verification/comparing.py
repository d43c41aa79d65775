"""Which answers to one task are the same, and when sketches are needed to say so.

digests differ, kind may be close ──differ_perhaps_honestly──► to be sketched
two attempts ──same──► by digest, or by sketches of one round
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eco_dask.types import Digest, TaskKind
from eco_dask.verification.attempt import Attempt, Case, ValueAnswer, same_digest
from eco_dask.verification.compare import Agrees, agree
from eco_dask.verification.sketch import Sketch
from eco_dask.verification.tolerance import Close, comparison_for, family_of

#: Stands for kinds of which nothing is known, where a recruiter asks for ``close`` all the same.
_UNKNOWN = TaskKind("unknown")


def may_be_close(case: Case) -> bool:
    """Whether answers of other bytes may be the same answer."""
    match case.rule.compare:
        case "exact":
            return False
        case "close":
            return True
        case "auto":
            return family_of(case.kind) != "exact"


def same(case: Case, a: Attempt, b: Attempt) -> bool:
    """Say whether two answers to one task agree, as far as is known of them now.

    Answers whose digests differ agree if their sketches, of one seed, do. Without sketches they do
    not.
    """
    if same_digest(a, b):
        return True
    if a.sketch is None or b.sketch is None or not may_be_close(case):
        return False
    tolerance = _tolerance(case, a.sketch)
    return tolerance is not None and isinstance(agree(a.sketch, b.sketch, tolerance), Agrees)


def distinct_values(attempts: Sequence[Attempt]) -> dict[Digest, list[Attempt]]:
    """Group the attempts that returned a value by what they committed to."""
    groups: dict[Digest, list[Attempt]] = {}
    for attempt in attempts:
        if isinstance(attempt.answer, ValueAnswer):
            groups.setdefault(attempt.stands_for or attempt.digest, []).append(attempt)
    return groups


def differ_perhaps_honestly(case: Case) -> bool:
    """Whether answers of other bytes are in that only sketches can compare."""
    if len(case.attempts) < 2 or not may_be_close(case):  # noqa: PLR2004  one is alone
        return False
    return len(distinct_values(case.attempts)) > 1


def _tolerance(case: Case, sketch: Sketch) -> float | None:
    """Return what the least precise array allows; None where only equal bytes will do."""
    dtypes = [np.dtype(array.dtype) for array in sketch.arrays]
    if not dtypes:
        return None
    coarsest = max(dtypes, key=lambda dtype: float(np.finfo(dtype).eps))
    comparison = comparison_for(case.kind, coarsest)
    if not isinstance(comparison, Close) and case.rule.compare == "close":
        comparison = comparison_for(_UNKNOWN, coarsest)
    return comparison.tolerance if isinstance(comparison, Close) else None
