"""What a set of independent answers to one task proves.

Pure: the engine collects attempts, this module says what they mean.

    attempts ──judge──► Agreed | Undecided | Disputed
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eco_dask.verification.attempt import Attempt
from eco_dask.verification.compare import choose
from eco_dask.verification.rules import QuorumRule


@dataclass(frozen=True, slots=True)
class Agreed:
    """One answer is believed."""

    agreeing: tuple[Attempt, ...]
    dissenting: tuple[Attempt, ...]
    #: Estimated probability that the answer is wrong; None where a quorum decided.
    doubt: float | None = None


@dataclass(frozen=True, slots=True)
class Undecided:
    """More answers are needed."""

    #: Answers still to ask for.
    missing: int


@dataclass(frozen=True, slots=True)
class Disputed:
    """No answer can still win within the rule; buying more would waste providers' work."""

    attempts: tuple[Attempt, ...]


Verdict = Agreed | Undecided | Disputed


def judge(
    attempts: Sequence[Attempt],
    rule: QuorumRule,
    same: Callable[[Attempt, Attempt], bool],
) -> Verdict:
    """Say what ``attempts`` prove under ``rule``.

    A trusted worker's answer decides alone. Otherwise an answer wins only if strictly more owners
    back it than any answer outside its camp: two pairs that contradict each other prove nothing,
    however early one pair was complete. Where ``same`` is no equivalence, chains are decided as
    :mod:`eco_dask.verification.compare` says. The order of arrival does not matter either way.
    """
    for attempt in attempts:
        if attempt.trusted:
            camp = tuple(b for b in attempts if same(attempt, b))
            return Agreed(camp, tuple(a for a in attempts if a not in camp))
    choice = choose(attempts, same)
    support, opposition = (choice.support, choice.opposition) if choice else (0, 0)
    if choice and support >= rule.owners_min and support > opposition:
        return Agreed(choice.agreeing, choice.dissenting)
    missing = max(rule.owners_min - support, 1)
    if len(attempts) + missing <= rule.attempts_max:
        return Undecided(missing)
    return Disputed(tuple(attempts))
