"""What an attempt may earn, and the entries and receipts that say so.

    grant ──hold──► Reserve          receipt ◄──settle── verdict
                                     Resolve(post | void)

Piece rate: an attempt is paid for the work of its *task*, not for its own time. The work of a task
is the median over the owners that agreed on it, held within a factor of the kind's own median once
enough distinct owners stand behind that, so nobody earns by being slow or by claiming time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from statistics import median

from eco_dask.engine.actions import OverBudget
from eco_dask.engine.ballot import HeldLease
from eco_dask.engine.facts import EngineRule, Provider, Task
from eco_dask.engine.history import Histories
from eco_dask.ledger.accounts import owner_account
from eco_dask.ledger.book import Entry, Reserve, Resolve
from eco_dask.ledger.receipts import Receipt, ReceiptReason
from eco_dask.types import EntryId, JobId, LeaseId, TaskKind
from eco_dask.verification.attempt import Attempt

#: How far a task's measured work may lie from its kind's established median: chunks at an edge
#: and whole chunks share a kind.
WORK_SPREAD_MAX = 4.0
#: Smallest pay of an accepted attempt.
PAY_MIN_MPT = 1
#: Part of what is left of a budget that one attempt of unknown cost may hold.
UNKNOWN_SHARE_OF_BUDGET = 1 / 16


class Treasury:
    """Holds, posts and voids for the engine; collects entries until they are taken."""

    def __init__(self, rule: EngineRule, histories: Histories) -> None:
        self._rule = rule
        self._histories = histories
        self._committed_mpt: Counter[JobId] = Counter()
        self._awaited: Counter[JobId] = Counter()
        self._entries: list[Entry] = []
        self._receipts: list[Receipt] = []

    def hold(self, task: Task, lease: LeaseId, provider: Provider) -> Reserve | OverBudget | None:
        """Reserve the most that an attempt may earn; None for a trusted worker, who earns none.

        Over budget is final only where :meth:`may_get_back` is false: what is held and not earned
        comes back. An attempt of unknown cost holds a small part of a budget, which is also the
        most that it can be paid, so that the job's other tasks can start.
        """
        if provider.role == "trusted":
            return None
        history = self._histories.get(task.kind)
        likely_units = history.typical_units if history else 0.0
        amount_mpt = self._price_mpt(
            likely_units * WORK_SPREAD_MAX if history else self._rule.work_first_units
        )
        if task.budget_mpt is not None:
            left_mpt = task.budget_mpt - self._committed_mpt[task.job]
            if self.is_short(task):
                price_mpt = self._price_mpt(likely_units)
                return OverBudget(task.budget_mpt, self._committed_mpt[task.job], price_mpt)
            if history is None:
                amount_mpt = min(amount_mpt, math.ceil(left_mpt * UNKNOWN_SHARE_OF_BUDGET))
            amount_mpt = min(amount_mpt, left_mpt)
        payee = owner_account(provider.owner)
        reserve = Reserve(EntryId(f"{lease}:hold"), task.payer, payee, amount_mpt)
        self._committed_mpt[task.job] += amount_mpt
        self._entries.append(reserve)
        return reserve

    def is_short(self, task: Task) -> bool:
        """Whether what is left of a job's budget pays for no other attempt, as long as it is so."""
        if task.budget_mpt is None:
            return False
        history = self._histories.get(task.kind)
        price_mpt = self._price_mpt(history.typical_units if history else 0.0)
        return task.budget_mpt - self._committed_mpt[task.job] < price_mpt

    def expect(self, job: JobId, change: int) -> None:
        """Count the answers and values under way for a job: each may end with points given back."""
        _add(self._awaited, job, change)

    def may_get_back(self, job: JobId) -> bool:
        """Whether holds of the job may still be voided without anyone's doing."""
        return job in self._awaited

    def work_units(self, kind: TaskKind, agreeing: Iterable[Attempt]) -> float:
        """Reference-core-seconds of a task, from the attempts that agreed on it."""
        units = median(a.work_units for a in agreeing)
        history = self._histories.get(kind)
        if history is None or not history.is_established:
            return units
        typical = history.typical_units
        return min(max(units, typical / WORK_SPREAD_MAX), typical * WORK_SPREAD_MAX)

    def commit(self, task: Task, held: HeldLease, units: float) -> None:
        """Count an accepted answer as what it will be paid, as long before it is settled.

        What is held beyond that is free for the job's other tasks.
        """
        if held.reserve is not None and held.due_mpt is None:
            held.due_mpt = min(self._price_mpt(units), held.reserve.amount_mpt)
            _add(self._committed_mpt, task.job, held.due_mpt - held.reserve.amount_mpt)

    def settle(
        self,
        task: Task,
        held: HeldLease,
        reason: ReceiptReason,
        at_s: float,
        paid_units: float | None = None,
    ) -> None:
        """Close a lease: post what ``paid_units`` are worth, or void the hold, and say why."""
        amount_mpt = 0
        if held.reserve is not None:
            due_mpt = held.due_mpt
            due_mpt = held.reserve.amount_mpt if due_mpt is None else due_mpt
            if paid_units is not None:
                amount_mpt = min(self._price_mpt(paid_units), due_mpt)
            outcome = "post" if amount_mpt else "void"
            entry_id = EntryId(f"{held.id}:end")
            self._entries.append(
                Resolve(entry_id, held.reserve.id, outcome, amount_mpt)  # type: ignore[arg-type]
            )
            _add(self._committed_mpt, task.job, amount_mpt - due_mpt)
        attempt = held.attempt
        self._receipts.append(
            Receipt(
                lease=held.id,
                ballot=task.ballot,
                job=task.job,
                kind=task.kind,
                provider=held.provider.id,
                owner=held.provider.owner,
                reason=reason,
                cpu_s=attempt.cpu_s if attempt else None,
                wall_s=attempt.wall_s if attempt else None,
                work_units=paid_units,
                amount_mpt=amount_mpt,
                issued_at_s=at_s,
                digest=attempt.digest if attempt else b"",
            )
        )

    def take(self) -> tuple[tuple[Entry, ...], tuple[Receipt, ...]]:
        """Return what was collected since the last call."""
        taken = tuple(self._entries), tuple(self._receipts)
        self._entries, self._receipts = [], []
        return taken

    def _price_mpt(self, units: float) -> int:
        return max(PAY_MIN_MPT, math.ceil(units * self._rule.price_mpt))


def _add(counts: Counter[JobId], job: JobId, change: int) -> None:
    """Add to a count, and forget jobs at zero: there is no end to jobs."""
    counts[job] += change
    if not counts[job]:
        del counts[job]
