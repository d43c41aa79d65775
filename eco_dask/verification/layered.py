"""The engine's one policy: a job that counts owners is a quorum's, one that states an error is not.

::

    Case(rule=QuorumRule) ──► quorum.judge          Case(rule=CredibilityRule) ──► Credibility
    two attempts ──same_answer──► equal digests, or sketches within the tolerance of kind and dtype
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from eco_dask.types import OwnerId, TaskKind
from eco_dask.verification.attempt import Attempt, ValueAnswer, same_digest
from eco_dask.verification.compare import Agrees, agree
from eco_dask.verification.credibility import Credibility, CredibilitySettings
from eco_dask.verification.policy import Bar, Case, Evidence
from eco_dask.verification.quorum import Verdict, judge
from eco_dask.verification.rules import QuorumRule
from eco_dask.verification.sketch import Sketch
from eco_dask.verification.tolerance import Close, comparison_for

#: What ``compare="close"`` takes for a kind whose bits ``auto`` holds to be settled.
_LOOSEST = TaskKind("default")


class LayeredPolicy:
    """Decides every ballot. What it learns of owners comes from all jobs, and serves all.

    Parameters
    ----------
    settings : CredibilitySettings, optional
        Assumptions of the credibility of owners.
    """

    def __init__(self, settings: CredibilitySettings | None = None) -> None:
        self._credibility = Credibility(settings)

    def judge(self, case: Case, bar: Bar = "deliver") -> Verdict:
        """Say what the attempts prove, at the certainty that ``bar`` asks for."""
        same = partial(self.same, case)
        if isinstance(case.rule, QuorumRule):
            return judge(case.attempts, case.rule, same)
        return self._credibility.judge(case, bar, same)

    def same(self, case: Case, a: Attempt, b: Attempt) -> bool:
        """Say whether two answers agree, as far as is known of them now; see the module."""
        return same_answer(case, a, b)

    def audit_chance(self, case: Case) -> float:
        """Return the probability with which an accepted task is done once more, to learn."""
        if isinstance(case.rule, QuorumRule):
            return 0.0
        return self._credibility.audit_chance(case)

    def quiz_chance(self, owner: OwnerId, kind: TaskKind) -> float:
        """Return the probability that a lease for ``owner`` is a task whose answer is known."""
        return self._credibility.quiz_chance(owner, kind)

    def learn(self, evidence: Evidence) -> tuple[OwnerId, ...]:
        """Take in what became known; return the owners whose earlier answers are in doubt now."""
        return self._credibility.learn(evidence)

    def admits(self, owner: OwnerId) -> bool:
        """Whether an owner may be asked at all."""
        return self._credibility.admits(owner)

    def state(self, owners: Iterable[OwnerId] | None = None) -> dict[str, Any]:
        """Return what was learned as plain values by part, of some owners or all.

        For :class:`~eco_dask.ledger.reputations.ReputationStore`; :meth:`restore` reads it.
        """
        return self._credibility.state(owners)

    def restore(self, parts: Mapping[str, Any]) -> None:
        """Take over what :meth:`state` gave in an earlier life."""
        self._credibility.restore(parts)


def same_answer(case: Case, a: Attempt, b: Attempt) -> bool:
    """Compare two answers: by digest, and by the sketches of one round if they may be close.

    An answer without a sketch is compared by its digest alone: who withholds it agrees only with
    equal bits. Sketches under different seeds never agree, other than by equal bits.
    """
    if same_digest(a, b):
        return True
    if case.rule.compare == "exact" or a.sketch is None or b.sketch is None:
        return False
    if not (isinstance(a.answer, ValueAnswer) and isinstance(b.answer, ValueAnswer)):
        return False
    tolerance = _tolerance(case, a.sketch)
    return tolerance is not None and isinstance(agree(a.sketch, b.sketch, tolerance), Agrees)


def _tolerance(case: Case, sketch: Sketch) -> float | None:
    """Return the accepted relative difference; None if bits must be equal."""
    dtypes = [np.dtype(array.dtype) for array in sketch.arrays]
    if not dtypes:
        return None
    coarsest = max(dtypes, key=lambda dtype: float(np.finfo(dtype).eps))
    comparison = comparison_for(case.kind, coarsest)
    if not isinstance(comparison, Close) and case.rule.compare == "close":
        comparison = comparison_for(_LOOSEST, coarsest)
    return comparison.tolerance if isinstance(comparison, Close) else None
