"""How the engine is told what answers prove: the seam where verification policies plug in.

::

    Case(kind, attempts, rule) ──judge(bar)──► verdict        learn(Evidence) ◄── what became known

What a policy's figures rest on, and the engine sees to:

- Evidence is told as soon as it is known: when answers of two owners were compared in accepting a
  task at either bar, when an audit came back, and once more of those whom a later answer proves
  wrong; not only when the task is settled. A batch is verified by what is learned during it.
- Answers that a gate finds wanting are asked for again in random order, and each is judged again
  right before it is leased: what the first of them prove makes most of the others needless, and a
  fixed order would let a provider that turned bad late be acquitted by its early answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from eco_dask.types import OwnerId, TaskKind
from eco_dask.verification.attempt import Attempt, Case
from eco_dask.verification.comparing import same
from eco_dask.verification.quorum import Verdict, judge
from eco_dask.verification.rules import QuorumRule

__all__ = ["Bar", "Case", "Evidence", "Means", "QuorumPolicy", "VerificationPolicy"]

#: How sure: enough for dependents to use the result, or enough for the recruiter to see it.
Bar = Literal["flow", "deliver"]


#: How something became known of an owner's answer.
#: ``agreed``: accepted together with other owners' answers; ``audited``: a trusted worker, or the
#: re-execution that a random draw ordered, gave the same; ``known``: a task whose answer was known;
#: ``checked``: an algebraic check passed.
Means = Literal["agreed", "audited", "known", "checked"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What became known of one owner's answer to one task."""

    kind: TaskKind
    owner: OwnerId
    right: bool
    means: Means
    #: Owners that gave the same answer, right or wrong, this one excluded.
    alike: tuple[OwnerId, ...] = ()
    #: Chance that a wrong answer would have shown, of an algebraic check.
    power: float = 1.0


class VerificationPolicy(Protocol):
    """Decides ballots. May keep what it learns; must not look at a clock or roll dice."""

    def judge(self, case: Case, bar: Bar = "deliver") -> Verdict:
        """Say what the attempts prove, at the certainty that ``bar`` asks for."""
        ...

    def same(self, case: Case, a: Attempt, b: Attempt) -> bool:
        """Say whether two answers to one task agree, as far as is known of them now."""
        ...

    def audit_chance(self, case: Case) -> float:
        """Return the probability with which an accepted task is done once more, to learn."""
        ...

    def quiz_chance(self, owner: OwnerId, kind: TaskKind) -> float:
        """Return the probability that a lease for ``owner`` is a task whose answer is known."""
        ...

    def learn(self, evidence: Evidence) -> tuple[OwnerId, ...]:
        """Take in what became known; return the owners whose earlier answers are in doubt now."""
        ...

    def admits(self, owner: OwnerId) -> bool:
        """Whether an owner may be asked at all."""
        ...


class QuorumPolicy:
    """Agreement of distinct owners. Learns nothing."""

    def judge(self, case: Case, bar: Bar = "deliver") -> Verdict:  # noqa: ARG002  one bar for all
        """Say what attempts prove: see :func:`eco_dask.verification.quorum.judge`."""
        if not isinstance(case.rule, QuorumRule):
            raise TypeError(f"a quorum decides by a QuorumRule; got {case.rule!r}")
        return judge(case.attempts, case.rule, partial(same, case))

    def same(self, case: Case, a: Attempt, b: Attempt) -> bool:
        """Compare two answers: see :func:`eco_dask.verification.comparing.same`."""
        return same(case, a, b)

    def audit_chance(self, case: Case) -> float:  # noqa: ARG002  the seam's signature
        """Audit nothing: the quorum is the check."""
        return 0.0

    def quiz_chance(self, owner: OwnerId, kind: TaskKind) -> float:  # noqa: ARG002  likewise
        """Ask nothing that is known."""
        return 0.0

    def learn(self, evidence: Evidence) -> tuple[OwnerId, ...]:  # noqa: ARG002  likewise
        """Learn nothing."""
        return ()

    def admits(self, owner: OwnerId) -> bool:  # noqa: ARG002  likewise
        """Admit everybody."""
        return True
