"""What answers teach: audits are drawn, evidence goes to the policy, caught owners get nothing.

accepted ──draw──► one more attempt       compared ──Evidence──► policy ──► barred, doubted owners
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eco_dask.engine.ballot import Ballot
from eco_dask.types import OwnerId, TaskKind
from eco_dask.verification.attempt import Attempt, Case
from eco_dask.verification.policy import Evidence, Means, VerificationPolicy

if TYPE_CHECKING:
    from eco_dask.engine.engine import Engine

#: Kinds of task that are remembered.
KINDS_MAX = 10_000


class Learning:
    """Draws audits for the engine, and tells the policy what came of answers."""

    def __init__(self, engine: Engine, policy: VerificationPolicy) -> None:
        self._engine = engine
        self._policy = policy
        #: Kinds of which two answers agreed once: whoever differs there is wrong. Elsewhere the
        #: task may give another answer each time, and nobody is blamed for that.
        self._reproducible: dict[TaskKind, None] = {}
        #: Owners of whom something was learned since somebody took note of it.
        self.changed: set[OwnerId] = set()
        #: Owners whose unsettled answers must be judged again, and how often the policy was told
        #: something: what was judged since then needs no second look.
        self.doubted: dict[OwnerId, None] = {}
        self.told = 0

    def draw_audit(self, ballot: Ballot, case: Case) -> None:
        """Draw whether an answer that was just accepted is computed once more.

        It is drawn per task and after the answer was committed to, so that nobody can prepare for
        it.
        """
        if ballot.audit is None:
            ballot.audit = self._engine.dice.happens(self._policy.audit_chance(case))
            ballot.audited = frozenset(a.lease for a in case.attempts)

    def compared(self, ballot: Ballot, case: Case, camp: Sequence[Attempt]) -> list[Attempt]:
        """Tell the policy of the answers that are in, as some of them were accepted.

        Returns
        -------
        list of Attempt
            Those that are wrong.
        """
        leases = {a.lease for a in camp}
        wrong = [a for a in case.attempts if a.lease not in leases]
        owners = {a.owner for a in case.attempts}
        if len(owners) < 2:  # noqa: PLR2004  a lone answer was compared with nothing
            return wrong
        if len({a.owner for a in camp}) > 1:
            self._note_reproducible(case.kind)
        means: Means = "agreed"
        if ballot.audit or any(a.trusted for a in camp):
            means = "audited"
        for attempt in case.attempts:
            right = attempt.lease in leases
            # Who is proved wrong after all is told of once more.
            if attempt.trusted or ballot.told.get(attempt.lease, not right) == right:
                continue
            ballot.told[attempt.lease] = right
            asked = ballot.leases[attempt.lease].purpose
            by: Means = "known" if asked == "known" else means
            self._tell(case, attempt, by, right=right)
        return wrong

    def came_late(self, case: Case, attempt: Attempt, means: Means, *, right: bool) -> None:
        """Tell the policy of an answer that was compared with the accepted one afterwards."""
        if not attempt.trusted:
            self._tell(case, attempt, means, right=right)

    def checked(self, case: Case, attempt: Attempt, power: float, *, right: bool) -> None:
        """Tell the policy of an answer that passed an algebraic check of that power, or failed."""
        if not attempt.trusted:
            self._learn(Evidence(case.kind, attempt.owner, right, "checked", power=power))

    def _tell(self, case: Case, attempt: Attempt, means: Means, *, right: bool) -> None:
        if not right and means != "known" and case.kind not in self._reproducible:
            return
        alike = tuple(
            a.owner
            for a in case.attempts
            if a.owner != attempt.owner and not a.trusted and self._policy.same(case, a, attempt)
        )
        self._learn(Evidence(case.kind, attempt.owner, right, means, alike))

    def _learn(self, evidence: Evidence) -> None:
        self.changed.add(evidence.owner)
        self.told += 1
        doubted = self._policy.learn(evidence)
        for owner in doubted:
            self.doubted[owner] = None
        for owner in (evidence.owner, *doubted):
            self._bar(owner)

    def _note_reproducible(self, kind: TaskKind) -> None:
        self._reproducible[kind] = None
        if len(self._reproducible) > KINDS_MAX:
            del self._reproducible[next(iter(self._reproducible))]

    def _bar(self, owner: OwnerId) -> None:
        admitted = self._policy.admits(owner)
        if not admitted and owner not in self._engine.roster.barred:
            # Its points are not posted yet, and its answers prove nothing: see what rests on them.
            self.doubted[owner] = None
        self._engine.roster.set_barred(owner, barred=not admitted)
