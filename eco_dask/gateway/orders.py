"""Carries out what the engine says: leases, fetches and recalls, books, results to Dask.

Action ──┬─► sessions: leases, fetches, recalls, releases     Record ──durable──► results to Dask
         └─► intake: results, gates, what is wrong and what is settled
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eco_dask.engine import actions as do
from eco_dask.engine import events as ev
from eco_dask.gateway.checking import Checking
from eco_dask.gateway.comparing import Comparing
from eco_dask.gateway.environments import who_lacks
from eco_dask.gateway.failures import Lacking, claimed_error, failure_error
from eco_dask.gateway.own_checks import OwnChecks
from eco_dask.gateway.session import Granted, Session
from eco_dask.gateway.submission import Submission
from eco_dask.gateway.tally import JobTally, Tallies
from eco_dask.ledger.energy_entries import Use
from eco_dask.types import BallotId, JobId, LeaseId, ProviderId
from eco_dask.verification.sketch import Sketch
from eco_dask.wire import messages as m

if TYPE_CHECKING:
    from eco_dask.gateway.gateway import Gateway

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Grant:
    """A lease that was sent and is not over."""

    session: Session
    ballot: BallotId
    job: JobId


class Orders:
    """The engine's hands: one for each gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._grants: dict[LeaseId, Grant] = {}
        self.comparing = Comparing(self._sketch_arrived, gateway.now_s)
        self.checking = Checking(gateway.feed, gateway.now_s)
        self._own_checks = OwnChecks(gateway)
        self.tallies = Tallies()
        self._ends: list[Callable[[], None]] = []
        self._do: dict[type, Callable[[Any], None]] = {
            do.GrantLease: self._grant,
            do.RecallLease: self._recall,
            do.ReleaseAnswer: self._release,
            do.FetchValue: self._fetch,
            do.AskSketches: self._ask_sketches,
            do.CheckValue: self._check,
            do.OpenGate: lambda a: self._ends.append(gateway.standing.gates.opened(a.gate)),
            do.Revoke: self._revoke,
            do.ForgetTask: self._forget,
            do.Strike: lambda a: self.strike(a.provider, a.reason),
            do.DeliverValue: self._deliver_value,
            do.DeliverError: self._deliver_error,
            do.FailTask: self._fail,
        }

    def carry_out(self, actions: Iterable[do.Action]) -> None:
        """Do all that came of one event; results wait until what was recorded is durable."""
        record: do.Record | None = None
        for action in actions:
            if isinstance(action, do.Record):
                record = action
            else:
                self._do[type(action)](action)
        ends, self._ends = self._ends, []
        if record is not None:
            self._gateway.writer.record(record.entries, record.receipts, _all_of(ends))
            self._tell_receipts(record)
        else:
            for end in ends:
                end()

    def submission_of(self, lease: LeaseId) -> Submission | None:
        """Return the task that a lease is for, None once it is over."""
        grant = self._grants.get(lease)
        return self._gateway.intake.find(grant.ballot) if grant is not None else None

    def holder_of(self, lease: LeaseId) -> Session | None:
        """Return the session that a lease was granted to, None once it is over."""
        grant = self._grants.get(lease)
        return grant.session if grant is not None else None

    def forget_lease(self, lease: LeaseId) -> None:
        """A lease is over, or its provider is gone."""
        self._grants.pop(lease, None)
        self._gateway.energy.over(lease)
        self.comparing.forget(lease)
        self._gateway.fetching.forget(lease)
        self.checking.forget(lease)

    # ------------------------------------------------------------------ leases

    def _grant(self, action: do.GrantLease) -> None:
        gateway = self._gateway
        session, submission = gateway.sessions[action.provider], gateway.intake.find(action.ballot)
        if submission is None or submission.package is None:
            raise RuntimeError(f"lease {action.lease!r} granted for a task that is not here")
        tally = self._tally(submission)
        tally.attempts["check" if submission.is_check else action.purpose] += 1
        if action.purpose == "vote" and gateway.standing.retention.find(action.ballot) is not None:
            tally.backtracked += 1
        due_at_s = gateway.now_s() + action.deadline_s
        bytes_max = session.limits.value_bytes_max
        session.leases[action.lease] = Granted(
            submission.package,
            action.kind,
            due_at_s,
            min(submission.result_bytes_max or bytes_max, bytes_max),
            submission.unsafe_results,
            submission.party,
        )
        self._grants[action.lease] = Grant(session, action.ballot, submission.job)
        purpose: Use = "check" if submission.is_check else action.purpose
        gateway.energy.granted(
            action.lease, action.provider, action.ballot, submission.job, purpose
        )
        gateway.count_work(submission.job)
        session.send_lease(action.lease, gateway.now_s())

    def _recall(self, action: do.RecallLease) -> None:
        if (session := self._gateway.sessions.get(action.provider)) is not None:
            session.send(m.Recall((action.lease,)))

    def _release(self, action: do.ReleaseAnswer) -> None:
        submission = self.submission_of(action.lease)
        if submission is not None and action.lease != submission.winner:
            submission.values.pop(action.lease, None)
        self.forget_lease(action.lease)
        if (session := self._gateway.sessions.get(action.provider)) is not None:
            session.forget(action.lease)
            session.send(m.Release((action.lease,)))

    def _fetch(self, action: do.FetchValue) -> None:
        # Not at once: the engine is in the middle of an event, and a fetch may fail.
        session = self._grants[action.lease].session
        self._later(lambda: self._gateway.fetching.ask(session, action.lease))

    def _tell_receipts(self, record: do.Record) -> None:
        for receipt in record.receipts:
            session = self._gateway.sessions.get(receipt.provider)
            if session is not None:
                session.leases.pop(receipt.lease, None)
                session.send(m.Receipted(receipt.lease, receipt.reason, receipt.amount_mpt))
            self._grants.pop(receipt.lease, None)
            self._gateway.energy.over(receipt.lease)

    def strike(self, provider: ProviderId, reason: str) -> None:
        """Note that a provider was caught."""
        logger.info("Strike against provider %s: %s", provider, reason)
        gateway, at_s = self._gateway, self._gateway.now_s()
        gateway.writer.write(lambda: gateway.registry.strike(provider, reason, at_s))

    # ------------------------------------------------------------------ comparing and checking

    def _ask_sketches(self, action: do.AskSketches) -> None:
        submission = self._gateway.intake.find(action.ballot)
        values = submission.values if submission is not None else {}
        here = {lease: values[lease] for lease in action.leases if lease in values}
        there = {lease: self.holder_of(lease) for lease in action.leases if lease not in values}
        self.comparing.ask(action.round, here, there)

    def _sketch_arrived(self, lease: LeaseId, number: int, sketch: Sketch | None) -> None:
        at_s, chance = self._gateway.now_s(), secrets.randbits(64)
        self._gateway.feed(ev.SketchArrived(lease, number, sketch, at_s, chance))

    def _check(self, action: do.CheckValue) -> None:
        submission = self._gateway.intake.find(action.ballot)
        call = submission.call if submission is not None else None
        value = submission.values.get(action.lease) if submission is not None else None
        if submission is not None and value is not None and self._own_checks.may_check(submission):
            self._own_checks.check(action.lease, submission, value)
        else:
            self.checking.check(action.lease, call, value)

    @staticmethod
    def _later(call: Callable[[], None]) -> None:
        # The engine is in the middle of an event.
        asyncio.get_running_loop().call_soon(call)

    # ------------------------------------------------------------------ ends

    def _deliver_value(self, action: do.DeliverValue) -> None:
        gateway = self._gateway
        submission = gateway.intake.find(action.ballot)
        if submission is None:
            return
        value = submission.values[action.lease]
        # Answers that come late are compared with it.
        submission.values, submission.winner = {action.lease: value}, action.lease
        gateway.intake.accept(action.ballot)
        self._tally(submission).accepted(action.ballot, action.doubt)
        wall_s = min(a.wall_s for a in action.agreeing)

        def end() -> None:
            gateway.standing.told(action.ballot, submission, a_value=True)
            submission.succeed(value, gateway.now_s(), wall_s)

        self._ends.append(end)

    def _deliver_error(self, action: do.DeliverError) -> None:
        self._end_badly(action.ballot, claimed_error(action.error))

    def _fail(self, action: do.FailTask) -> None:
        submission = self._gateway.intake.find(action.ballot)
        if submission is None:
            return
        who = who_lacks(submission.require, self._gateway.sessions.values())
        lacking = Lacking(who, submission.lacking)
        error = failure_error(submission.key, action.failure, submission.values, lacking)
        if submission.winner is not None:
            self._gateway.intake.fail_accepted(action.ballot, error)
        else:
            self._end_badly(action.ballot, error)

    def _end_badly(self, ballot: BallotId, error: Exception) -> None:
        gateway = self._gateway
        submission = gateway.intake.accept(ballot)
        if submission is None:
            return

        def end() -> None:
            submission.fail(error, gateway.now_s())
            gateway.standing.told(ballot, submission, a_value=False)

        self._ends.append(end)

    def _revoke(self, action: do.Revoke) -> None:
        for ballot in action.ballots:
            if (submission := self._gateway.standing.retention.find(ballot)) is not None:
                self._tally(submission).revoked(ballot)
        self._gateway.intake.revoke(action.ballots, action.gates)

    def _forget(self, action: do.ForgetTask) -> None:
        submission = self._gateway.standing.forget(action.ballot)
        if submission is not None:
            self._tally(submission).settled(action.ballot, action.doubt, unused=action.unused)

    def _tally(self, submission: Submission) -> JobTally:
        return self.tallies.of(submission.job)


def _all_of(ends: list[Callable[[], None]]) -> Callable[[], None] | None:
    if not ends:
        return None
    if len(ends) == 1:
        return ends[0]

    def end_all() -> None:
        for end in ends:
            end()

    return end_all
