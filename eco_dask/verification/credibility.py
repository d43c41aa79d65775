"""How likely an answer is wrong, by who gave it: one attempt where that is enough, more elsewhere.

Case ──groups of equal answers──odds──► Agreed(doubt) | Undecided(1) | Disputed

*Odds.* Of groups of equal answers with weights W_g, answer a is right with probability
W_a / (1 + sum of W_g) (Sarmenta's credibility in odds form, as in iExec's Proof of Contribution).
A group's weight is the odds of its least doubtful owner in full, times at most (1-c) / c for each
further one, c being the learned share of colluders: who lies may well share the ballot with a
friend, however long the friend was honest. A pair that was wrong together counts as one witness.

*Bars.* A result flows to dependents at ``flow_error`` and is delivered at ``error``, judged by what
is known then: a lone answer that flowed is as good as its owner has become.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from eco_dask.types import OwnerId, TaskKind
from eco_dask.verification.attempt import Attempt
from eco_dask.verification.owners import Owners, OwnersRule
from eco_dask.verification.policy import Bar, Case, Evidence
from eco_dask.verification.quorum import Agreed, Disputed, Undecided, Verdict
from eco_dask.verification.rules import CredibilityRule

#: Of what a trusted worker says: it may be broken, but nobody knows better.
TRUSTED_DOUBT: Final = 1e-9
#: Owners whose answers decide once answers contradict each other.
CONFLICT_OWNERS_MIN: Final = 3
#: Beyond this the exponential function is infinite.
_LOG_MAX: Final = 700.0

Same = Callable[[Attempt, Attempt], bool]


@dataclass(frozen=True, slots=True)
class CredibilitySettings:
    """Assumptions and prices of the policy."""

    owners: OwnersRule = field(default_factory=OwnersRule)
    #: Share of accepted lone answers done once more, however well their owners are known ...
    audit_floor: float = 0.04
    #: ... while they are not known well enough for delivery, and at most.
    audit_start: float = 0.15
    audit_max: float = 0.4
    #: ... of answers that several owners agree on.
    audit_agreed: float = 0.01
    #: Share of leases that are known tasks: of owners with few passes, and of others.
    quiz_start: float = 0.2
    quiz_floor: float = 0.002
    quiz_passes: float = 3.0


class Credibility:
    """Decides ballots of jobs that state an error. Learns; has no clock and no dice."""

    def __init__(self, settings: CredibilitySettings | None = None) -> None:
        self._settings = settings or CredibilitySettings()
        self._owners = Owners(self._settings.owners)

    def doubt(self, owner: OwnerId, kind: TaskKind) -> float:
        """Return the probability that a lone answer of an owner is wrong."""
        return self._owners.doubt(owner, kind)

    def admits(self, owner: OwnerId) -> bool:
        """Whether an owner was not struck for good."""
        return self._owners.admits(owner)

    def learn(self, evidence: Evidence) -> tuple[OwnerId, ...]:
        """Take in what became known of one answer; return whose others are in doubt now."""
        return self._owners.learn(evidence)

    def belief(self) -> list[tuple[float, float, int]]:
        """Count owners by how surely a lone answer is right: see :meth:`Owners.belief`."""
        return self._owners.belief()

    def state(self, owners: Iterable[OwnerId] | None = None) -> dict[str, Any]:
        """Return plain values by part, of some owners or all; :meth:`restore` reads them."""
        return self._owners.state(owners)

    def restore(self, parts: Mapping[str, Any]) -> None:
        """Take over what :meth:`state` gave in an earlier life."""
        self._owners.restore(parts)

    # ------------------------------------------------------------------ judging

    def judge(self, case: Case, bar: Bar, same: Same) -> Verdict:
        """Say what the attempts prove.

        ``Agreed.doubt`` is the probability that the answer is wrong. Contradicting answers are
        decided by at least three owners, two of them for the winner, or by a trusted worker.
        """
        rule = _rule_of(case)
        attempts = case.attempts
        if not attempts:
            return Undecided(1)
        groups = self._groups(case, same)
        best = groups[0][1]
        doubt = wrong_by_odds([weight for weight, _ in groups])
        if any(a.trusted for a in best):
            doubt = TRUSTED_DOUBT
        accepted = rule.flow_error if bar == "flow" else rule.error
        if doubt <= accepted and _decides([group for _, group in groups]):
            return Agreed(best, tuple(a for a in attempts if a not in best), doubt)
        if len(attempts) >= rule.attempts_max:
            return Disputed(attempts)
        return Undecided(1)

    def _groups(self, case: Case, same: Same) -> list[tuple[float, tuple[Attempt, ...]]]:
        """Part the attempts: the weightiest camp, then that of those outside of it, and so on.

        The centre of a camp agrees with all in it; see :mod:`eco_dask.verification.compare`. Each
        comes with the log odds that it is right, by itself.
        """
        left = case.attempts
        groups: list[tuple[float, tuple[Attempt, ...]]] = []
        while left:
            camps = [tuple(b for b in left if same(a, b)) for a in left]
            if all(len(camp) == len(left) for camp in camps):
                return [*groups, (self._log_weight(case.kind, left), left)]
            weights = [self._log_weight(case.kind, camp) for camp in camps]
            i = min(range(len(left)), key=lambda i: _rank(weights[i], camps[i], left[i]))
            groups.append((weights[i], camps[i]))
            left = tuple(a for a in left if a not in camps[i])
        return groups

    def _log_weight(self, kind: TaskKind, group: Sequence[Attempt]) -> float:
        """Return the log odds that a group's answer is right, by the group alone."""
        doubts: dict[OwnerId, float] = {}
        for a in group:
            doubt = TRUSTED_DOUBT if a.trusted else self.doubt(a.owner, kind)
            doubt = max(doubt * (1 - a.check_power), TRUSTED_DOUBT)
            doubts[a.owner] = min(doubt, doubts.get(a.owner, 1.0))
        ordered = sorted(doubts, key=lambda owner: (doubts[owner], owner))
        apart = self._owners.witnesses(ordered)
        return log_odds_right([doubts[owner] for owner in apart], self._owners.colluders)

    # ------------------------------------------------------------------ audits

    def audit_chance(self, case: Case) -> float:
        """Return the share of accepted answers like this one that is done once more.

        Lone answers of owners who could not yet deliver are audited more, and the more the further
        they are from it: before their job ends they should be. The floor rises with the share of
        liars.
        """
        s = self._settings
        if any(a.trusted for a in case.attempts):
            return 0.0
        owners = {a.owner for a in case.attempts}
        if len(owners) != 1:
            return s.audit_agreed
        (owner,) = owners
        excess = self.doubt(owner, case.kind) / _rule_of(case).error
        if excess > 1:
            return min(s.audit_start * (1 + math.log10(excess)), s.audit_max)
        return min(s.audit_floor * self._owners.caution, s.audit_max)

    def quiz_chance(self, owner: OwnerId, kind: TaskKind) -> float:
        """Return the share of an owner's leases that are to be tasks with a known answer."""
        new = self._owners.level(owner, kind) < self._settings.quiz_passes
        return self._settings.quiz_start if new else self._settings.quiz_floor


def log_odds_right(doubts: Sequence[float], colluding: float) -> float:
    """Return the log odds that owners who agree are right.

    Parameters
    ----------
    doubts : sequence of float
        Probability that each is wrong, ascending, at least one.
    colluding : float
        Share of owners that would tell the same lie.
    """
    first, *others = doubts
    at_most = math.log((1 - colluding) / colluding)
    return math.log((1 - first) / first) + sum(
        min(max(math.log((1 - doubt) / doubt), 0.0), at_most) for doubt in others
    )


def wrong_by_odds(log_weights: Sequence[float]) -> float:
    """Return the probability that the first group is wrong: (1 + W_2 + ...) / (1 + W_1 + W_2 ...).

    Parameters
    ----------
    log_weights : sequence of float
        Logarithm of each group's weight.
    """
    rivals = 1 + sum(math.exp(min(w, _LOG_MAX)) for w in log_weights[1:])
    return rivals / (rivals + math.exp(min(log_weights[0], _LOG_MAX)))


def _rank(weight: float, camp: Sequence[Attempt], centre: Attempt) -> tuple[Any, ...]:
    """Order camps, a trusted worker's first, whatever the order of arrival."""
    return (not any(a.trusted for a in camp), -weight, centre.digest, centre.lease)


def _decides(groups: Sequence[Sequence[Attempt]]) -> bool:
    """Whether enough owners were asked, the answers contradicting each other or not."""
    if any(a.trusted for a in groups[0]) or len(groups) == 1:
        return True
    owners = {a.owner for group in groups for a in group}
    return len(owners) >= CONFLICT_OWNERS_MIN and len({a.owner for a in groups[0]}) > 1


def _rule_of(case: Case) -> CredibilityRule:
    if not isinstance(case.rule, CredibilityRule):
        raise TypeError(f"credibility decides by a CredibilityRule; got {case.rule!r}")
    return case.rule
