"""How the engine is told what answers prove: the seam where verification policies plug in.

attempts of one task ──VerificationPolicy.judge──► verdict
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eco_dask.types import TaskKind
from eco_dask.verification.attempt import Attempt, same_digest
from eco_dask.verification.quorum import QuorumRule, Verdict, judge


class VerificationPolicy(Protocol):
    """Decides ballots. May keep what it learns; must not look at a clock or roll dice."""

    def judge(self, kind: TaskKind, attempts: Sequence[Attempt], rule: QuorumRule) -> Verdict:
        """Say what ``attempts`` prove."""
        ...

    def same(self, kind: TaskKind, a: Attempt, b: Attempt) -> bool:
        """Say whether two answers to one task agree, as for one that came late."""
        ...


class QuorumPolicy:
    """Bitwise agreement of distinct owners."""

    def judge(self, kind: TaskKind, attempts: Sequence[Attempt], rule: QuorumRule) -> Verdict:  # noqa: ARG002  the seam's signature
        """Say what ``attempts`` prove: see :func:`eco_dask.verification.quorum.judge`."""
        return judge(attempts, rule, same_digest)

    def same(self, kind: TaskKind, a: Attempt, b: Attempt) -> bool:  # noqa: ARG002  the seam's signature
        """Compare the commitments."""
        return same_digest(a, b)
