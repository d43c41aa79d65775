"""How likely an answer is wrong, by who gave it: one attempt where that is enough, more elsewhere.

::

    Evidence ──learn──► reputations, calibration, pairs, share of liars ──doubt──► owner's P(wrong)
    Case ──judge──► groups of equal answers ──odds──► Agreed(doubt) | Undecided(1) | Disputed

*Odds.* Of groups of equal answers with weights W_g, answer a is right with probability
W_a / (1 + sum of W_g) (Sarmenta's credibility in odds form, as in iExec's Proof of Contribution).
A group's weight is the odds of its least doubtful owner in full, times at most (1-c) / c for each
further one, c being the learned share of liars: who lies may well share the ballot with a friend,
however long the friend was honest. A pair that was wrong together counts as one witness.

*Bars.* A result flows to dependents at ``flow_error`` and is delivered at ``error``, judged by what
is known then: a lone answer of a newcomer that flowed is as good as its owner has become.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eco_dask.types import OwnerId, TaskKind
from eco_dask.verification.attempt import Attempt
from eco_dask.verification.calibration import Calibration
from eco_dask.verification.collusion import Pairs
from eco_dask.verification.policy import Bar, Case, Evidence
from eco_dask.verification.quorum import Agreed, Disputed, Undecided, Verdict
from eco_dask.verification.reputation import FAULT_RATE, Reputation
from eco_dask.verification.rules import CredibilityRule

#: Of what a trusted worker says: it may be broken, but nobody knows better.
TRUSTED_DOUBT: Final = 1e-9
#: Owners whose answers decide once answers contradict each other.
CONFLICT_OWNERS_MIN: Final = 3

#: Passed checks after which what is known of newcomers counts for 1/e.
NEWCOMER_PASSES: Final = 8.0

Same = Callable[[Attempt, Attempt], bool]


@dataclass(frozen=True, slots=True)
class CredibilitySettings:
    """Assumptions and prices of the policy."""

    #: Share of liars among owners before anything is known, and how many owners that is worth.
    liar_share: float = 0.05
    liar_share_owners: float = 20.0
    #: What the learned share stays between.
    liar_share_min: float = 0.05
    liar_share_max: float = 0.3
    #: ... and what is assumed of colluders at most, only because more is wrong than expected.
    colluders_told_max: float = 0.2
    #: Nobody is less doubtful than this, however long the record.
    doubt_min: float = 2e-5
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
        self._owners: dict[OwnerId, Reputation] = {}
        self._calibration = Calibration()
        self._pairs = Pairs()
        #: Liars expected among owners with a record, each by its own.
        self._liars: dict[OwnerId, float] = {}
        self._liars_sum = 0.0
        self._liar_share = self._settings.liar_share
        #: The same among owners that are not struck, by their records ...
        self._liars_left = self._settings.liar_share
        #: ... and by what all checks together say: how likely a further voter tells the same lie.
        self._colluders = self._settings.liar_share
        self._struck = 0

    # ------------------------------------------------------------------ what is believed

    @property
    def liar_share(self) -> float:
        """Expected share of liars among owners."""
        return self._liar_share

    def doubt(self, owner: OwnerId, kind: TaskKind) -> float:
        """Return the probability that a lone answer of an owner is wrong."""
        known = self._owners.get(owner)
        if known is None:
            return self._liar_share
        if known.struck:
            return 0.5
        level = known.level(kind)
        doubt = known.worst_case(level, self._share_at(level))
        if known.clean:
            doubt *= self._calibration.factor(level)
        return min(max(doubt, self._settings.doubt_min), 0.5)

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
        if _decides([group for _, group in groups]) and doubt <= (
            rule.flow_error if bar == "flow" else rule.error
        ):
            return Agreed(best, tuple(a for a in attempts if a not in best), doubt)
        if len(attempts) >= rule.attempts_max:
            return Disputed(attempts)
        return Undecided(1)

    def audit_chance(self, case: Case) -> float:
        """Return the share of accepted answers like this one that is done once more.

        Lone answers of owners who could not yet deliver are audited more, and the more the further
        they are from it: before their job ends they should be.
        """
        s = self._settings
        if any(a.trusted for a in case.attempts):
            return 0.0
        owners = {a.owner for a in case.attempts}
        if len(owners) != 1:
            return s.audit_agreed
        (owner,) = owners
        ratio = self.doubt(owner, case.kind) / _rule_of(case).error
        if ratio > 1:
            return min(s.audit_start * (1 + math.log10(ratio)), s.audit_max)
        return min(s.audit_floor * self._colluders / s.liar_share_min, s.audit_max)

    def quiz_chance(self, owner: OwnerId, kind: TaskKind) -> float:
        """Return the share of an owner's leases that are to be tasks with a known answer."""
        known = self._owners.get(owner)
        new = known is None or known.level(kind) < self._settings.quiz_passes
        return self._settings.quiz_start if new else self._settings.quiz_floor

    def admits(self, owner: OwnerId) -> bool:
        """Whether an owner was not struck for good."""
        known = self._owners.get(owner)
        return known is None or not known.struck

    # ------------------------------------------------------------------ what is learned

    def learn(self, evidence: Evidence) -> tuple[OwnerId, ...]:
        """Take in what became known of one answer.

        Returns
        -------
        tuple of OwnerId
            Owners whose answers that are not yet delivered must be judged again: the caught one,
            and those that were wrong together with it.
        """
        owner = evidence.owner
        known = self._owners.setdefault(owner, Reputation())
        if known.clean and not known.struck:
            level = known.level(evidence.kind)
            expected = known.worst_case(level, self._share_at(level))
            self._calibration.observe(level, expected, right=evidence.right)
        if evidence.right:
            known.passed(evidence.kind, self._weight_of(evidence))
            self._pairs.confirmed(owner, evidence.alike)
            self._count_liar(owner, known)
            return ()
        known.failed()
        struck = self._pairs.contradicted(owner, evidence.alike)
        for other in struck:
            self._strike(other)
        if struck:
            known.struck = True
        self._count_liar(owner, known)
        return tuple(dict.fromkeys((owner, *evidence.alike, *self._pairs.partners(owner))))

    def _weight_of(self, evidence: Evidence) -> float:
        """How surely a lie had shown: another owner may have told the same lie."""
        if evidence.means in {"known", "checked"}:
            return 1.0
        witnesses = self._pairs.witnesses([evidence.owner, *evidence.alike])
        if evidence.means == "audited" and not evidence.alike:
            return 1.0
        return 1 - self._colluders ** (len(witnesses) - 1)

    def _strike(self, owner: OwnerId) -> None:
        known = self._owners.setdefault(owner, Reputation())
        known.struck = True
        self._count_liar(owner, known)

    def _count_liar(self, owner: OwnerId, known: Reputation) -> None:
        lies = known.lies(self._liar_share)
        self._struck += known.struck and self._liars.get(owner) != 1.0
        self._liars_sum += lies - self._liars.get(owner, 0.0)
        self._liars[owner] = lies
        self._liar_share = self._share_of(self._liars_sum, len(self._liars))
        self._liars_left = self._share_of(
            self._liars_sum - self._struck, len(self._liars) - self._struck
        )
        told = self._liars_left / (1 - self._liars_left)
        told *= max(self._calibration.excess(FAULT_RATE), 1.0)
        told = min(told / (1 + told), self._settings.colluders_told_max)
        self._colluders = max(self._liars_left, told)

    def _share_of(self, liars: float, owners: int) -> float:
        s = self._settings
        share = (s.liar_share * s.liar_share_owners + liars) / (s.liar_share_owners + owners)
        return min(max(share, s.liar_share_min), s.liar_share_max)

    def _share_at(self, level: float) -> float:
        """Return the share of liars to assume among owners at a level.

        Those struck tell of newcomers, as they may be the same people under other names; of owners
        with a record tell those with a record.
        """
        newcomers = max(self._liar_share - self._liars_left, 0.0)
        return self._liars_left + newcomers * math.exp(-level / NEWCOMER_PASSES)

    # ------------------------------------------------------------------ groups

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
        apart = self._pairs.witnesses(ordered)
        return log_odds_right([doubts[owner] for owner in apart], self._colluders)

    # ------------------------------------------------------------------ outliving the gateway

    def state(self, owners: Iterable[OwnerId] | None = None) -> dict[str, Any]:
        """Return plain values by part, of some owners or all; :meth:`restore` reads them."""
        chosen = self._owners if owners is None else owners
        parts: dict[str, Any] = {f"owner:{o}": self._owners[o].state() for o in chosen}
        return parts | {"calibration": self._calibration.state(), "pairs": self._pairs.state()}

    def restore(self, parts: Mapping[str, Any]) -> None:
        """Take over what :meth:`state` gave in an earlier life."""
        for part, state in parts.items():
            if part.startswith("owner:"):
                owner = OwnerId(part.removeprefix("owner:"))
                self._owners[owner] = Reputation.restored(state)
                self._count_liar(owner, self._owners[owner])
        self._calibration = Calibration.restored(parts.get("calibration", {}))
        self._pairs = Pairs.restored(parts.get("pairs", ()))


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
    rivals = 1 + sum(math.exp(min(w, 700.0)) for w in log_weights[1:])
    return rivals / (rivals + math.exp(min(log_weights[0], 700.0)))


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
