"""What the policy is measured against: voting until m agree, and BOINC's adaptive replication.

Crowd, tasks ──m_first / adaptive_replication──► Outcome

*m-first*: a task goes to random distinct owners until m of them agree.

*Adaptive replication* (BOINC ``sched/sched_send.cpp``, ``sched/validator.cpp``): a host has a count
of consecutive valid results. Below 10 all its jobs are replicated, from then on one in as many as
the count; two equal results are accepted; only a replicated job that validates counts; an invalid
result sets the count to 0. Each job is drawn for alone, which is kinder than BOINC's draw per
request, and no host errs by being late.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from sabotage_adversaries import RIGHT, Crowd

#: BOINC's constants (``sched/sched_config.h``, ``tools/backend_lib.h``).
TRUSTED_FROM = 10
QUORUM = 2
RESULTS_MAX = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rival delivered."""

    tasks: int
    wrong: int
    failed: int
    attempts: int

    @property
    def error(self) -> float:
        """Share of wrong results among those delivered."""
        return self.wrong / max(self.tasks - self.failed, 1)


def m_first(crowd: Crowd, tasks: int, m: int, seed: int) -> Outcome:
    """Vote until ``m`` agree."""
    chance = random.Random(seed)
    wrong = failed = attempts = 0
    for task in range(tasks):
        value, given = _vote(crowd, task, chance, m, [])
        attempts += len(given)
        failed += value is None
        wrong += value not in {None, RIGHT}
    return Outcome(tasks, wrong, failed, attempts)


def adaptive_replication(crowd: Crowd, tasks: int, seed: int) -> Outcome:
    """Replicate what hosts without a record return, and some of the rest."""
    chance = random.Random(seed)
    valid: Counter[int] = Counter()
    wrong = failed = attempts = 0
    for task in range(tasks):
        host = chance.randrange(crowd.size)
        alone = valid[host] >= TRUSTED_FROM and chance.random() >= 1 / valid[host]
        if alone:
            attempts += 1
            wrong += crowd.answer(host, task) != RIGHT
            continue
        value, given = _vote(crowd, task, chance, QUORUM, [host])
        attempts += len(given)
        failed += value is None
        wrong += value not in {None, RIGHT}
        for who, said in given.items():
            valid[who] = valid[who] + 1 if said == value else 0
    return Outcome(tasks, wrong, failed, attempts)


def _vote(
    crowd: Crowd, task: int, chance: random.Random, m: int, first: list[int]
) -> tuple[bytes | None, dict[int, bytes]]:
    given: dict[int, bytes] = {}
    votes: Counter[bytes] = Counter()
    while len(given) < max(RESULTS_MAX, 2 * m):
        who = first.pop() if first else chance.randrange(crowd.size)
        if who in given:
            continue
        given[who] = said = crowd.answer(who, task)
        votes[said] += 1
        if votes[said] >= m:
            return said, given
    return None, given
