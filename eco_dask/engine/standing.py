"""Accepted results that are not settled: they may flow, are judged again, and may be revoked.

::

    accept ──► standing ──judged again──► stands | asks for more | Backtracking
    GateReached, SettlingAsked, held-back results ──► Gates ──ripe──► settled, delivered, opened
    ResultsReleased ──► settled, once nothing unsettled rests on them

A receipt would tell that an answer was believed: nothing is posted before a result is settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from eco_dask.engine.actions import DeliverError, DeliverValue, Disagreement, OpenGate, Revoke
from eco_dask.engine.backtracking import Backtracking
from eco_dask.engine.ballot import Ballot, Gate
from eco_dask.engine.gates import Gates, ancestry
from eco_dask.ledger.receipts import ReceiptReason
from eco_dask.types import BallotId, GateId, OwnerId
from eco_dask.verification.attempt import Attempt, ErrorAnswer
from eco_dask.verification.policy import VerificationPolicy
from eco_dask.verification.quorum import Agreed, Disputed, Undecided

if TYPE_CHECKING:
    from eco_dask.engine.engine import Engine


class Standing:
    """Everything that was accepted and may still turn out wrong."""

    def __init__(self, engine: Engine, policy: VerificationPolicy) -> None:
        self._engine = engine
        self._policy = policy
        self._learning = engine.learning
        self._leases = engine.leases
        self._settling = engine.settling
        self.gates = Gates()
        self.backtracking = Backtracking(engine, self.gates)
        #: Standing ballots by the owners whose answers were accepted there.
        self._by_owner: dict[OwnerId, dict[BallotId, Ballot]] = {}

    # ------------------------------------------------------------------ acceptance

    def accept(self, ballot: Ballot, winner: Attempt, agreeing: Sequence[Attempt]) -> None:
        """Let a believed answer stand, whose bytes are here; deliver it if it may flow."""
        ballot.phase, ballot.winner, ballot.revocable = "standing", winner, True
        for held in ballot.leases.values():
            if held.attempt is None:
                self._leases.recall(held)
        self._engine.want(ballot, 0)
        case = ballot.case
        self._adopt(ballot, agreeing)
        self._learning.draw_audit(ballot, case)
        if ballot.flows and not isinstance(winner.answer, ErrorAnswer):
            self._deliver(ballot)
            if ballot.demands or ballot.audit:
                self.look_again(ballot)
        elif not ballot.gates:
            self._wait(Gate(None, (ballot,)))
        else:
            self.look_again(ballot)

    def _adopt(self, ballot: Ballot, agreeing: Sequence[Attempt]) -> None:
        """Take answers into the camp of the accepted one, and tell the policy of all."""
        winner, leases = ballot.accepted, ballot.leases
        joining = [a for a in agreeing if a.lease not in ballot.camp]
        ballot.camp, ballot.adopted = frozenset(a.lease for a in agreeing), len(ballot.attempts)
        ballot.units = self._engine.work_units(ballot, list(agreeing))
        stands_for = winner.stands_for or winner.digest
        for attempt in joining:
            held = leases[attempt.lease]
            self._engine.observe(ballot, attempt)
            self._engine.commit(ballot, held)
            self._by_owner.setdefault(attempt.owner, {})[ballot.task.ballot] = ballot
            if attempt.lease != winner.lease:
                held.attempt = replace(attempt, stands_for=stands_for)
                self._leases.release(held)
        for attempt in self._learning.compared(ballot, ballot.case, agreeing):
            self._settling.strike(leases[attempt.lease])
        self._engine.known.offer(ballot)

    def _deliver(self, ballot: Ballot) -> None:
        winner = ballot.accepted
        ballot.delivered = True
        if isinstance(winner.answer, ErrorAnswer):
            self._engine.do(DeliverError(ballot.task.ballot, winner.answer))
        else:
            agreeing = tuple(a for a in ballot.attempts if a.lease in ballot.camp)
            self._engine.do(DeliverValue(ballot.task.ballot, winner.lease, agreeing, ballot.doubt))
        held = ballot.leases[winner.lease]
        self._leases.release(held)
        # The provider need not keep its bytes; the gateway does.
        held.value_here = True

    # ------------------------------------------------------------------ judged again

    def on_answer(self, ballot: Ballot) -> None:
        """Take in one more answer, or that one will not come."""
        self.look_again(ballot)
        if ballot.released:
            self.gates.eased.append(ballot)

    def skip_audit(self, ballot: Ballot) -> bool:
        """Give up an audit that nobody can do; say whether that was all the ballot waited for."""
        if ballot.phase != "standing" or not ballot.auditing or ballot.pending:
            return False
        ballot.audit = False
        self.on_answer(ballot)
        return not ballot.wanted

    def look_again(self, ballot: Ballot) -> None:
        """Judge a standing ballot by what is known now, and ask for exactly what is missing."""
        if ballot.phase != "standing":
            return
        if self._engine.rounds.start(ballot):
            self.gates.set_stands(ballot, stands=False)
            return
        ballot.judged_at = self._learning.told
        verdict = self._policy.judge(ballot.case, ballot.bar)
        if isinstance(verdict, Agreed):
            self._on_agreed(ballot, verdict)
            return
        self.gates.set_stands(ballot, stands=False)
        if isinstance(verdict, Undecided):
            missing = 1 if ballot.role == "trusted" else verdict.missing
            self._engine.want(ballot, max(0, missing - ballot.pending), first=True)
        else:
            self._on_disputed(ballot, verdict)

    def _on_agreed(self, ballot: Ballot, verdict: Agreed) -> None:
        winner = ballot.accepted
        if all(a.lease != winner.lease for a in verdict.agreeing):
            self._overturn(ballot, verdict)
            return
        ballot.doubt = verdict.doubt
        if ballot.adopted != len(ballot.attempts):
            self._adopt(ballot, verdict.agreeing)
        auditing = ballot.auditing
        if not auditing:
            self._engine.want(ballot, 0)
        elif not ballot.pending and not ballot.wanted:
            if self._engine.has_trusted(ballot.task):
                self._engine.ask_trusted(ballot)
            else:
                self._engine.want(ballot, 1, first=True)
        self.gates.set_stands(ballot, stands=bool(ballot.demands) and not auditing)

    def _on_disputed(self, ballot: Ballot, verdict: Disputed) -> None:
        if ballot.role == "trusted" or self._engine.has_trusted(ballot.task):
            if ballot.role != "trusted" or not ballot.pending:
                self._engine.ask_trusted(ballot)
        elif not ballot.pending:
            self._engine.give_up(ballot, Disagreement(verdict.attempts), ReceiptReason.DISPUTED)

    def _overturn(self, ballot: Ballot, verdict: Agreed) -> None:
        """The accepted answer is wrong: another one stands."""
        for attempt in self._learning.compared(ballot, ballot.case, verdict.agreeing):
            self._settling.strike(ballot.leases[attempt.lease])
        if ballot.delivered:
            self.backtracking.overturn(ballot, verdict)
        else:
            self.reopen(ballot)

    def reopen(self, ballot: Ballot) -> None:
        """Let a result that nobody saw yet be voted on again."""
        for gate in tuple(ballot.gates):
            self.gates.leave(gate)
        self.forget(ballot)
        self._engine.known.withdraw(ballot)
        ballot.phase, ballot.winner, ballot.camp = "voting", None, frozenset()
        self._engine.known.started(ballot)
        self._engine.go_on(ballot)

    # ------------------------------------------------------------------ gates

    def reach(self, gate: GateId, ballots: Iterable[BallotId]) -> None:
        """Somebody waits until these stand; those that are not known are settled."""
        ballots = tuple(dict.fromkeys(ballots))
        if self.backtracking.is_revoked(ballots):
            self._engine.do(Revoke((), (gate,)))
        elif self.gates.find(gate) is None:
            self._wait(Gate(gate, self._unsettled(ballots)))

    def leave(self, gate_id: GateId) -> None:
        """Nobody waits there any more."""
        if (gate := self.gates.find(gate_id)) is not None:
            self.gates.leave(gate)

    def settle_soon(self, ballots: Iterable[BallotId]) -> None:
        """Bring results to the bar of delivery, and settle each as soon as it is there."""
        for ballot in self._unsettled(ballots):
            if ballot.phase != "closed":
                self._wait(Gate(None, (ballot,)))

    def release(self, ballots: Iterable[BallotId]) -> None:
        """Settle results that nobody uses any more, as far as nothing unsettled rests on them."""
        for ballot in self._unsettled(ballots):
            ballot.released = True
            self.gates.eased.append(ballot)

    def _unsettled(self, ballots: Iterable[BallotId]) -> tuple[Ballot, ...]:
        found = (self._engine.ballots.get(ballot) for ballot in ballots)
        return tuple(b for b in found if b is not None and b.phase != "closed")

    def _wait(self, gate: Gate) -> None:
        newly = self.gates.wait(gate)
        if len(newly) > 1:
            # In a fixed order, who turned bad late would be acquitted by its early answers.
            self._engine.dice.shuffle(newly)
        for ballot in newly:
            self.look_again(ballot)

    def _open(self, gate: Gate) -> None:
        """Settle all that a gate rests on, if it stands by what is known today."""
        if not gate.is_ripe:
            return
        settled = ancestry(gate.ballots)
        if not self._stands_today(gate, settled):
            return
        for ballot in settled:
            if not ballot.delivered:
                self._deliver(ballot)
        for ballot in settled:
            self._settling.settle(ballot)
        self.gates.leave(gate)
        if gate.id is not None:
            self._engine.do(OpenGate(gate.id))

    def _stands_today(self, gate: Gate, ballots: Sequence[Ballot]) -> bool:
        for ballot in ballots:
            if ballot.judged_at != self._learning.told:
                self.look_again(ballot)
        return gate.is_ripe

    # ------------------------------------------------------------------ what follows from an event

    def follow_up(self) -> bool:
        """Judge again what is in doubt, open gates, settle what was let go; say if any was there.

        Done after an event was taken in as a whole: one answer may bring an owner down, and with it
        hundreds of results.
        """
        some = False
        while True:
            if self._learning.doubted:
                owner = next(iter(self._learning.doubted))
                del self._learning.doubted[owner]
                self._doubt(owner)
            elif self.gates.ripe:
                self._open(self.gates.ripe.popleft())
            elif self.gates.eased:
                self._ease(self.gates.eased.pop())
            else:
                return some
            some = True

    def _doubt(self, owner: OwnerId) -> None:
        resting = [
            ballot
            for ballot in self._by_owner.get(owner, {}).values()
            # What waits for more answers is judged again when they are asked for.
            if not ballot.wanted and not ballot.pending
        ]
        if len(resting) > 1:
            self._engine.dice.shuffle(resting)
        for ballot in resting:
            self.look_again(ballot)

    def _ease(self, ballot: Ballot) -> None:
        if ballot.phase != "standing" or ballot.demands:
            return
        self.look_again(ballot)
        if (
            ballot.phase == "standing"
            and ballot.released
            and ballot.delivered
            and not (ballot.carries or ballot.awaited or ballot.wanted or ballot.pending)
        ):
            self.end(ballot, kept=True)

    def end(self, ballot: Ballot, *, kept: bool) -> None:
        """Settle a ballot whose result nobody needs: pay what is believed at its bar now.

        ``kept`` says whether the gateway could still have the task done, as one that is known.
        """
        self._engine.want(ballot, 0)
        self._engine.rounds.drop(ballot)
        ballot.unused = True
        verdict = self._policy.judge(ballot.case, "flow")
        if not isinstance(verdict, Agreed):
            disputed = isinstance(verdict, Disputed)
            reason = ReceiptReason.DISPUTED if disputed else ReceiptReason.UNDECIDED
            self._settling.close(ballot, reason)
            return
        self.believe(ballot, verdict)
        if not kept:
            self._engine.known.withdraw(ballot)
        self._settling.settle(ballot)

    def believe(self, ballot: Ballot, verdict: Agreed) -> None:
        """Take what is believed now as what a ballot is settled by."""
        leases = {a.lease for a in verdict.agreeing}
        if ballot.winner is None or ballot.winner.lease not in leases:
            ballot.winner = verdict.agreeing[0]
        ballot.doubt = verdict.doubt
        self._adopt(ballot, verdict.agreeing)

    def rest(self, ballot: Ballot) -> None:
        """Note what a task that was just submitted rests on."""
        self.gates.link(ballot, self._unsettled(ballot.task.inputs))

    def forget(self, ballot: Ballot) -> None:
        """Nothing rests on a ballot any more, and nobody doubts it."""
        if ballot.phase == "closed":
            self.gates.unlink(ballot)
        for attempt in ballot.attempts:
            resting = self._by_owner.get(attempt.owner)
            if resting is None:
                continue
            resting.pop(ballot.task.ballot, None)
            if not resting:
                del self._by_owner[attempt.owner]
