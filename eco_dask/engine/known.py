"""Tasks whose answer is known: asked again now and then, to learn of who answers.

accepted, by several owners ──offer──► a few per job and kind ──draw──► one more lease, in addition

Nothing that a provider sees tells such a lease from another. They are kept while their job has
tasks under way that they may be mixed into.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from eco_dask.engine.ballot import Ballot
from eco_dask.engine.facts import Provider
from eco_dask.types import JobId, TaskKind
from eco_dask.verification.attempt import ValueAnswer
from eco_dask.verification.policy import VerificationPolicy
from eco_dask.verification.rules import CredibilityRule

if TYPE_CHECKING:
    from eco_dask.engine.engine import Engine


class Known:
    """A few accepted tasks per job and kind."""

    def __init__(self, engine: Engine, policy: VerificationPolicy) -> None:
        self._engine = engine
        self._policy = policy
        self._rule = engine.rule
        self._kept: dict[JobId, dict[TaskKind, list[Ballot]]] = {}
        #: Tasks of each job without an accepted answer.
        self._under_way: Counter[JobId] = Counter()

    def started(self, ballot: Ballot) -> None:
        """Count a task that is voted on."""
        ballot.under_way = True
        self._under_way[ballot.task.job] += 1

    def done(self, ballot: Ballot) -> None:
        """Count a task that is voted on no more."""
        if not ballot.under_way:
            return
        ballot.under_way = False
        job = ballot.task.job
        self._under_way[job] -= 1
        if self._under_way[job]:
            return
        del self._under_way[job]
        for of_kind in self._kept.pop(job, {}).values():
            for known in of_kind:
                self._drop(known)

    def offer(self, ballot: Ballot) -> None:
        """Keep an accepted task, if its answer is known and small."""
        task = ballot.task
        if ballot.known or task.job not in self._under_way or not self._is_known(ballot):
            return
        kept = self._kept.setdefault(task.job, {}).setdefault(task.kind, [])
        if len(kept) >= self._rule.known_max:
            self._drop(kept.pop(self._engine.dice.below(len(kept))))
        ballot.known = True
        kept.append(ballot)

    def withdraw(self, ballot: Ballot) -> None:
        """Ask a task no more whose answer is not what it seemed."""
        if ballot.known:
            ballot.known = False
            self._kept[ballot.task.job][ballot.task.kind].remove(ballot)

    def draw(self, ballot: Ballot, provider: Provider) -> Ballot | None:
        """Say which known task a provider gets before it may get this one, None for none."""
        task = ballot.task
        kept = self._kept.get(task.job, {}).get(task.kind)
        if not kept or provider.role == "trusted":
            return None
        chance = self._policy.quiz_chance(provider.owner, task.kind)
        if not self._engine.dice.happens(chance):
            return None
        fresh = [
            k
            for k in kept
            if provider.owner not in k.knowing | k.asked and k.task.require <= provider.tags
        ]
        if not fresh:
            return None
        known = fresh[self._engine.dice.below(len(fresh))]
        known.knowing.add(provider.owner)
        return known

    def _is_known(self, ballot: Ballot) -> bool:
        task, answer = ballot.task, ballot.accepted.answer
        if not isinstance(task.rule, CredibilityRule) or task.trusted_only:
            return False
        if not isinstance(answer, ValueAnswer) or answer.size_bytes > self._rule.known_bytes_max:
            return False
        camp = [a for a in ballot.attempts if a.lease in ballot.camp]
        return len({a.owner for a in camp}) > 1 or any(a.trusted for a in camp)

    def _drop(self, ballot: Ballot) -> None:
        ballot.known = False
        self._engine.forget_if_over(ballot)
