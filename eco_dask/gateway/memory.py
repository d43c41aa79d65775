"""What a gateway learned, kept for its next life, and what it estimates of its jobs' results.

policy ──changed owners──► ReputationStore       DeliverValue(doubt) ──► worst and mean per job
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from eco_dask.engine.engine import Engine
from eco_dask.gateway.writer import BookWriter
from eco_dask.ledger.reputations import ReputationStore
from eco_dask.types import JobId
from eco_dask.verification.layered import LayeredPolicy

#: Seconds between two savings of what was learned.
SAVE_S = 10.0
_JOBS_KEPT = 1000


@dataclass(slots=True)
class Doubts:
    """Estimated probabilities that a job's accepted results are wrong."""

    count: int = 0
    total: float = 0.0
    worst: float = 0.0

    def add(self, doubt: float) -> None:
        """Count one result in."""
        self.count += 1
        self.total += doubt
        self.worst = max(self.worst, doubt)


class Memory:
    """Saves what the policy learned, and restores it; keeps the doubts of jobs.

    Parameters
    ----------
    gateway : str
        Whose memory it is: the next life of that name takes it over.
    """

    def __init__(self, gateway: str, policy: LayeredPolicy, store: ReputationStore) -> None:
        self._gateway = gateway
        self._policy = policy
        self._store = store
        self._due_at_s = 0.0
        self._doubts: OrderedDict[JobId, Doubts] = OrderedDict()

    def restore(self) -> None:
        """Take over what an earlier life saved."""
        self._policy.restore(self._store.load(self._gateway))

    def save(self, engine: Engine, writer: BookWriter, at_s: float, *, now: bool = False) -> None:
        """Queue what changed for the database, every few seconds or ``now``."""
        if at_s < self._due_at_s and not now:
            return
        self._due_at_s = at_s + SAVE_S
        if changed := engine.take_changed():
            parts = self._policy.state(changed)
            writer.write(lambda: self._store.save(self._gateway, parts, at_s))

    def note(self, job: JobId, doubt: float | None) -> None:
        """Take note of the estimate of an accepted result."""
        if doubt is None:
            return
        self._doubts.setdefault(job, Doubts()).add(doubt)
        if len(self._doubts) > _JOBS_KEPT:
            self._doubts.popitem(last=False)

    def doubts(self, job: JobId) -> Doubts:
        """Return the estimates of a job's results."""
        return self._doubts.get(job, Doubts())
