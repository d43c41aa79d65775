"""The engine's one policy: a job that counts owners is a quorum's, one that states an error is not.

::

    Case(rule=QuorumRule) ──► quorum.judge          Case(rule=CredibilityRule) ──► Credibility
    two attempts ──comparing.same──► equal digests, or sketches within the tolerance
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from eco_dask.types import OwnerId, TaskKind
from eco_dask.verification.attempt import Attempt, Case
from eco_dask.verification.comparing import same
from eco_dask.verification.credibility import Credibility, CredibilitySettings
from eco_dask.verification.policy import Bar, Evidence
from eco_dask.verification.quorum import Verdict, judge
from eco_dask.verification.rules import QuorumRule


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
        alike = partial(same, case)
        if isinstance(case.rule, QuorumRule):
            return judge(case.attempts, case.rule, alike)
        return self._credibility.judge(case, bar, alike)

    def same(self, case: Case, a: Attempt, b: Attempt) -> bool:
        """Compare two answers: see :func:`eco_dask.verification.comparing.same`."""
        return same(case, a, b)

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

    def belief(self) -> list[tuple[float, float, int]]:
        """Count owners by how surely a lone answer of theirs is right: from, to, owners.

        For the operator's eyes only: it would tell a liar when it pays to lie.
        """
        return self._credibility.belief()

    def state(self, owners: Iterable[OwnerId] | None = None) -> dict[str, Any]:
        """Return what was learned as plain values by part, of some owners or all.

        For :class:`~eco_dask.ledger.reputations.ReputationStore`; :meth:`restore` reads it.
        """
        return self._credibility.state(owners)

    def restore(self, parts: Mapping[str, Any]) -> None:
        """Take over what :meth:`state` gave in an earlier life."""
        self._credibility.restore(parts)
