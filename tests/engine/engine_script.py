"""Scenarios as text: a small network that is told events by name and answers in words.

net = Net("a b c"); net.submit(owners=2)     -> ["ask b", "ask a"]
net.answer("a", "1"); net.answer("b", "1")   -> ["a agreed paid", ..., "deliver 1"]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eco_dask.engine import actions as act
from eco_dask.engine import events as ev
from eco_dask.engine.engine import Engine
from eco_dask.engine.facts import EngineRule, Provider, Task
from eco_dask.ledger.receipts import Receipt
from eco_dask.types import Account, BallotId, Digest, JobId, LeaseId, OwnerId, ProviderId, TaskKind
from eco_dask.verification.attempt import Answer, ErrorAnswer, ValueAnswer
from eco_dask.verification.rules import QuorumRule
from eco_dask.verification.sketch import Sketch


def provider(text: str) -> Provider:
    """``"a"`` is owner a's machine, ``"a2+gpu*3"`` another with a GPU and 3 slots, T is trusted."""
    text, _, slots = text.partition("*")
    name, *tags = text.split("+")
    role = "trusted" if name[0] == "T" else "provider"
    return Provider(ProviderId(name), OwnerId(name[0]), role, frozenset(tags), int(slots or 1))


def saying(text: str) -> Answer:
    """``"1"`` is a value, ``"!Oops"`` an error."""
    if text.startswith("!"):
        return ErrorAnswer(text[1:], "message", "traceback")
    return ValueAnswer(Digest(text.encode()), 8)


def granted(net: Net) -> act.GrantLease:
    """The one lease that the last event granted."""
    (grant,) = (action for action in net.actions if isinstance(action, act.GrantLease))
    return grant


class Net:
    """An engine, a clock that only :meth:`tick` moves, and names for everything."""

    def __init__(self, who: str = "", **rule: Any) -> None:
        self.rule = EngineRule(**{"prefetch_s": 0.0, **rule})
        self.engine = Engine(self.rule)
        self.now_s = 0.0
        self.events = 0
        self.leases: dict[str, dict[str, str]] = {}
        self.actions: list[act.Action] = []
        self.failure: act.Failure | None = None
        self.receipts: list[Receipt] = []
        self.forgotten: set[str] = set()
        self.round = 0
        self.asked_for_sketches: set[str] = set()
        self.join(who)

    def tell(self, kind: Any, *facts: Any, **more: Any) -> list[str]:
        self.events += 1
        event = kind(*facts, **more, at_s=self.now_s, chance=self.events * 0x9E3779B97F4A7C15)
        self.actions = self.engine.handle(event)
        return [words for action in self.actions for words in self.read(action)]

    def read(self, action: act.Action) -> list[str]:
        match action:
            case act.Record(_, receipts):
                self.receipts += receipts
                return [f"{r.provider} {r.reason}" + " paid" * (r.amount_mpt > 0) for r in receipts]
            case act.GrantLease(lease, ballot, who):
                self.leases.setdefault(ballot, {})[who] = lease
                return [f"ask {who}"]
            case act.RecallLease(_, who):
                return [f"recall {who}"]
            case act.FetchValue(_, _, who):
                return [f"fetch {who}"]
            case act.Strike(who, reason):
                return [f"strike {who} {reason}"]
            case act.DeliverValue(_, _, agreeing):
                return [f"deliver {agreeing[0].digest.decode()}"]
            case act.DeliverError(_, error):
                return [f"deliver !{error.error_type}"]
            case act.FailTask(_, failure):
                self.failure = failure
                return [f"fail {type(failure).__name__}"]
            case act.AskSketches(_, leases, number):
                self.round = number
                self.asked_for_sketches = {self.holder(lease) for lease in leases}
                return ["sketch " + " ".join(sorted(self.asked_for_sketches))]
            case act.OpenGate(gate):
                return [f"open {gate}"]
            case act.ForgetTask(ballot):
                assert ballot not in self.forgotten
                self.forgotten.add(ballot)
                return []
            case act.ReleaseAnswer():
                return []

    # ------------------------------------------------------------------ events by name

    def join(self, who: str) -> list[str]:
        return [w for text in who.split() for w in self.tell(ev.ProviderJoined, provider(text))]

    def leave(self, who: str) -> list[str]:
        return self.tell(ev.ProviderLeft, who)

    def slots(self, who: str, slots: int) -> list[str]:
        return self.tell(ev.SlotsChanged, who, slots)

    def holder(self, lease: str) -> str:
        return next(w for held in self.leases.values() for w, each in held.items() if each == lease)

    def sketch(self, who: str, sketch: Sketch | None, number: int = 0) -> list[str]:
        return self.tell(ev.SketchArrived, self.leases["t"][who], number or self.round, sketch)

    def submit(
        self, name: str = "t", owners: int = 2, attempts: int = 6, job: str = "j", **task: Any
    ) -> list[str]:
        compare = task.pop("compare", "exact")
        require = frozenset(task.pop("require", "").split())
        submitted = Task(
            BallotId(name),
            task.pop("kind", TaskKind("k")),
            JobId(job),
            Account("recruiter:r"),
            QuorumRule(owners, attempts, compare),
            require,
            **task,
        )
        return self.tell(ev.TaskSubmitted, submitted)

    def answer(
        self,
        who: str,
        what: str | Answer,
        task: str = "t",
        *,
        here: bool = True,
        cpu_s: float = 1.0,
    ) -> list[str]:
        lease = LeaseId(self.leases[task][who])
        answer = saying(what) if isinstance(what, str) else what
        return self.tell(ev.AnswerArrived, lease, answer, cpu_s, cpu_s, here)

    def decline(self, who: str, task: str = "t") -> list[str]:
        return self.tell(ev.LeaseDeclined, self.leases[task][who])

    def serve(self, who: str, task: str = "t") -> list[str]:
        return self.tell(ev.ValueArrived, self.leases[task][who])

    def withhold(self, who: str, task: str = "t", *, mismatch: bool = False) -> list[str]:
        return self.tell(ev.ValueFailed, self.leases[task][who], mismatch)

    def cancel(self, task: str = "t") -> list[str]:
        return self.tell(ev.TaskCancelled, task)

    def tick(self, after_s: float = 0.0) -> list[str]:
        self.now_s += after_s
        return self.tell(ev.Ticked)


def asked(words: list[str]) -> list[str]:
    """Whom the engine asks in these words."""
    return [w.removeprefix("ask ") for w in words if w.startswith("ask ")]


def two_answer(
    net: Net, what: Sequence[str] = "11", *, here: bool = True
) -> tuple[str, str, list[str]]:
    """Submit a task for two owners and let both answer; return them and the last words."""
    first, second = asked(net.submit(owners=2))
    net.tick(5.0)
    net.answer(first, what[0], here=here)
    return first, second, net.answer(second, what[1], here=here)
