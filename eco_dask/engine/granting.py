"""Who gets which task: placing what waits, granting leases, and how long they may take.

waiting line ──place──► pick at random ──hold points──► GrantLease
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blake3 import blake3

from eco_dask.engine.actions import GrantLease, OverBudget, Purpose
from eco_dask.engine.ballot import Ballot, HeldLease
from eco_dask.engine.facts import EngineRule, Provider, Task
from eco_dask.engine.history import Histories
from eco_dask.engine.pay import Treasury
from eco_dask.engine.roster import Need
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.types import LeaseId

if TYPE_CHECKING:
    from eco_dask.engine.engine import Engine

#: Slower machines than this get no longer deadlines.
_SCORE_MIN = 0.1


class Granting:
    """Grants leases for the engine."""

    def __init__(
        self, engine: Engine, rule: EngineRule, treasury: Treasury, histories: Histories
    ) -> None:
        self._engine = engine
        self._rule = rule
        self._treasury = treasury
        self._histories = histories
        self._count = 0

    def grant(self, ballot: Ballot) -> bool:
        """Lease a ballot's task to somebody with room; False if nobody may take it now."""
        task, engine = ballot.task, self._engine
        provider = self._pick(ballot)
        if provider is None:
            return False
        lease = self._new_id()
        reserve = self._treasury.hold(task, lease, provider)
        if isinstance(reserve, OverBudget):
            if self._treasury.may_get_back(task.job):
                return False
            engine.fail(ballot, reserve, ReceiptReason.UNDECIDED)
            return True
        ballot.wanted -= 1
        ballot.stuck_since_s = None
        estimate_s, deadline_s = self._expect(task, provider)
        held = HeldLease(lease, task.ballot, provider, engine.now_s, 0.0, reserve)
        engine.hold(ballot, held, estimate_s)
        engine.watch(held, engine.now_s + deadline_s)
        purpose: Purpose = "audit" if ballot.audit else "vote"
        engine.do(GrantLease(lease, task.ballot, provider.id, task.kind, deadline_s, purpose))
        return True

    def _new_id(self) -> LeaseId:
        """Name a lease so that neither the task, nor which attempt it is, nor its turn shows.

        The count makes it unique; the event's chance, which nobody outside knows, hides the count.
        """
        self._count += 1
        secret = self._engine.dice.below(1 << 64)
        number = blake3(f"{secret} {self._count}".encode(), derive_key_context="eco-dask lease")
        return LeaseId(f"{self._engine.life}/{number.hexdigest(16)}")

    def _pick(self, ballot: Ballot) -> Provider | None:
        """Draw whom to ask: others than those that lost the task, as long as any are connected.

        Otherwise one provider that is always free, as it declines at once, would be asked until
        the task fails.
        """
        roster, dice = self._engine.roster, self._engine.dice
        asked, require, near = ballot.asked, ballot.task.require, ballot.prefixes
        if ballot.lost_by:
            for need in (
                Need(ballot.role, require, asked | ballot.lost_by_owners, ballot.lost_by, near),
                Need(ballot.role, require, asked, ballot.lost_by, near),
            ):
                if roster.has_eligible(need):
                    return roster.pick(need, dice)
        return roster.pick(Need(ballot.role, require, asked, near=near), dice)

    def _expect(self, task: Task, provider: Provider) -> tuple[float, float]:
        """Seconds that the task should take there, and seconds until it is late."""
        rule = self._rule
        history = self._histories.get(task.kind)
        if history is None:
            # Unknown work is assumed long: nothing is queued behind it.
            return rule.deadline_first_s, rule.deadline_first_s
        speed = speed_of(provider)
        deadline_s = rule.deadline_factor * history.slowest_s / speed
        return history.typical_s / speed, max(rule.deadline_min_s, deadline_s)


def speed_of(provider: Provider) -> float:
    """Return a provider's speed relative to the reference core, bounded from below."""
    return max(provider.score, _SCORE_MIN)
