"""How sure a recruiter wants to be, and how answers are compared.

job(quorum=) ──► QuorumRule        job(error=) ──► CredibilityRule
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

#: Which answers are the same: ``exact`` by digest, ``close`` by sketch, ``auto`` by kind and dtype.
Compare = Literal["auto", "exact", "close"]

#: The most that may be accepted of a result which only flows to dependents.
FLOW_ERROR_MAX = 0.05
#: ``flow_error`` by default, as a multiple of ``error``.
FLOW_FACTOR = 10.0


@dataclass(frozen=True, slots=True)
class QuorumRule:
    """How much agreement makes an answer believed."""

    #: Owners that must give the same answer. One owner's ten machines count once.
    owners_min: int = 2
    #: Answers to buy before giving up on the task.
    attempts_max: int = 6
    compare: Compare = "auto"

    def __post_init__(self) -> None:
        if not 1 <= self.owners_min <= self.attempts_max:
            raise ValueError(
                f"need 1 <= owners_min <= attempts_max; got {self.owners_min}, {self.attempts_max}"
            )


@dataclass(frozen=True, slots=True)
class CredibilityRule:
    """How likely an accepted answer may be wrong."""

    #: Accepted probability that a delivered result is wrong.
    error: float
    #: ... that a result which dependents already use is wrong; at least ``error``.
    flow_error: float
    #: Answers to buy before giving up on the task.
    attempts_max: int = 12
    compare: Compare = "auto"

    def __post_init__(self) -> None:
        if not 0 < self.error <= self.flow_error <= FLOW_ERROR_MAX:
            raise ValueError(
                f"need 0 < error <= flow_error <= {FLOW_ERROR_MAX}; got {self.error}, "
                f"{self.flow_error}"
            )
        if self.attempts_max < 1:
            raise ValueError(f"attempts_max is at least 1; got {self.attempts_max}")

    @property
    def owners_min(self) -> int:
        """Owners to ask at once: one, and more as its word proves too little."""
        return 1


#: What a ballot is decided by.
Rule: TypeAlias = QuorumRule | CredibilityRule


def credibility_rule(
    error: float, flow_error: float | None = None, compare: Compare = "auto"
) -> CredibilityRule:
    """Return the rule for one accepted error; results flow at ten times that by default.

    Raises
    ------
    ValueError
        For an ``error`` that is no probability between 0 and 0.05, or a ``flow_error`` below it.
    """
    if flow_error is None:
        flow_error = min(FLOW_FACTOR * error, FLOW_ERROR_MAX)
    return CredibilityRule(error, flow_error, compare=compare)
