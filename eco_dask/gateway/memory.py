"""What a gateway learned, kept for its next life.

policy ──changed owners──► ReputationStore ──► policy of the next life
"""

from __future__ import annotations

from eco_dask.engine.engine import Engine
from eco_dask.gateway.writer import BookWriter
from eco_dask.ledger.reputations import ReputationStore
from eco_dask.verification.layered import LayeredPolicy

#: Seconds between two savings of what was learned.
SAVE_S = 10.0


class Memory:
    """Saves what the policy learned, and restores it.

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
