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
        if ballot.phase == "standing" and ballot.judged_at != self._engine.learning.told:
            # What was learned since it was asked for may have made the answer needless.
            self._engine.standing.look_again(ballot)
            if ballot.wanted <= 0:
                return True
        provider = self._pick(ballot)
        if provider is None:
            return False
        if ballot.phase == "voting":
            known = self._engine.known.draw(ballot, provider)
            if known is not None and self._lease(known, provider, "known") is None:
                return True
        purpose: Purpose = "audit" if ballot.phase == "standing" and ballot.auditing else "vote"
        over = self._lease(ballot, provider, purpose)
        if over is None:
            ballot.wanted -= 1
            ballot.stuck_since_s = None
            return True
        if self._treasury.may_get_back(ballot.task.job):
            return False
        if not self._engine.standing.skip_audit(ballot):
            self._engine.give_up(ballot, over, ReceiptReason.UNDECIDED)
        return True

    def _lease(self, ballot: Ballot, provider: Provider, purpose: Purpose) -> OverBudget | None:
        """Lease a task to somebody, unless the points do not suffice."""
        task, engine = ballot.task, self._engine
        lease = self._new_id()
        reserve = self._treasury.hold(task, lease, provider)
        if isinstance(reserve, OverBudget):
            return reserve
        estimate_s, deadline_s = self._expect(task, provider)
        held = HeldLease(lease, task.ballot, provider, engine.now_s, 0.0, reserve, purpose)
        engine.leases.hold(ballot, held, estimate_s, deadline_s)
        engine.do(GrantLease(lease, task.ballot, provider.id, task.kind, deadline_s, purpose))
        return None

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
        prefer = ballot.task.prefer
        if ballot.lost_by:
            for need in (
                Need(
                    ballot.role,
                    require,
                    asked | ballot.lost_by_owners,
                    ballot.lost_by,
                    near,
                    prefer,
                ),
                Need(ballot.role, require, asked, ballot.lost_by, near, prefer),
            ):
                if roster.has_eligible(need):
                    return roster.pick(need, dice)
        return roster.pick(Need(ballot.role, require, asked, near=near, prefer=prefer), dice)

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
