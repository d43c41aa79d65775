"""What settled answers teach: audits are drawn, evidence goes to the policy, caught owners go.

accepted alone ──draw──► one more attempt          settled ──Evidence──► policy ──► barred
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eco_dask.engine.ballot import Ballot
from eco_dask.types import OwnerId, TaskKind
from eco_dask.verification.attempt import Attempt, Case
from eco_dask.verification.policy import Evidence, Means, VerificationPolicy
from eco_dask.verification.quorum import Agreed

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

    def audits(self, ballot: Ballot, case: Case, verdict: Agreed) -> bool:
        """Ask for one more attempt if an audit was drawn; say whether the ballot waits for it.

        It is drawn per task and after the answer was committed to, so that nobody can prepare for
        it. An answer that several owners or a trusted worker gave needs none.
        """
        owners = {a.owner for a in case.attempts}
        if len(owners) > 1 or any(a.trusted for a in verdict.agreeing):
            return False
        if ballot.audit is None:
            ballot.audit = self._engine.dice.happens(self._policy.audit_chance(case))
        if not ballot.audit:
            return False
        if ballot.pending:
            return True
        if self._engine.has_trusted(ballot.task):
            self._engine.ask_trusted(ballot)
        else:
            self._engine.want(ballot, 1, first=True)
        return True

    def accepted(self, ballot: Ballot, case: Case, camp: tuple[Attempt, ...]) -> None:
        """Tell the policy of all answers that are in, as one of them was accepted."""
        owners = {a.owner for a in case.attempts}
        if len(owners) < 2:  # noqa: PLR2004  a lone answer was compared with nothing
            return
        if len({a.owner for a in camp}) > 1:
            self._note_reproducible(case.kind)
        means: Means = "agreed"
        if ballot.audit or any(a.trusted for a in camp):
            means = "audited"
        leases = {a.lease for a in camp}
        first = next(iter(case.attempts)).lease
        for attempt in case.attempts:
            if not attempt.trusted:
                drawn = bool(ballot.audit) and attempt.lease == first
                self._tell(case, attempt, means, right=attempt.lease in leases, drawn=drawn)

    def came_late(self, case: Case, attempt: Attempt, *, right: bool) -> None:
        """Tell the policy of an answer that was compared with the accepted one afterwards."""
        if not attempt.trusted:
            self._tell(case, attempt, "agreed", right=right, drawn=False)

    def _tell(
        self, case: Case, attempt: Attempt, means: Means, *, right: bool, drawn: bool
    ) -> None:
        if not right and case.kind not in self._reproducible:
            return
        alike = tuple(
            a.owner
            for a in case.attempts
            if a.owner != attempt.owner and not a.trusted and self._policy.same(case, a, attempt)
        )
        self.changed.add(attempt.owner)
        evidence = Evidence(case.kind, attempt.owner, right, means, alike, drawn)
        for owner in (attempt.owner, *self._policy.learn(evidence)):
            self._bar(owner)

    def _note_reproducible(self, kind: TaskKind) -> None:
        self._reproducible[kind] = None
        if len(self._reproducible) > KINDS_MAX:
            del self._reproducible[next(iter(self._reproducible))]

    def _bar(self, owner: OwnerId) -> None:
        self._engine.roster.set_barred(owner, barred=not self._policy.admits(owner))
