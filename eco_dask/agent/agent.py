"""The agent: takes leases, has the runner do them, answers, keeps and serves values.

Lease ──► (values here?) ──► RunnerProcess ──► Committed | Failed ──Fetch──► ValuePart
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from eco_dask.agent.answers import answer_message, sketch_bytes, too_large
from eco_dask.agent.dialling import Introduction
from eco_dask.agent.diary import Diary
from eco_dask.agent.energy import EnergyMeter
from eco_dask.agent.line import Line
from eco_dask.agent.pausing import Pausing
from eco_dask.agent.runner_process import Done, Lacks, Raised, RunnerProcess, RunnerRule, Work
from eco_dask.agent.turns import Turns
from eco_dask.text import clean
from eco_dask.types import Digest, LeaseId
from eco_dask.wire import messages as m
from eco_dask.wire.cache import BlobCache
from eco_dask.wire.fields import Buffer
from eco_dask.wire.messages import LISTED_MAX
from eco_dask.wire.values import ValueAssembler, split

logger = logging.getLogger(__name__)

#: Leases handed to the runner beyond its slots: enough that it never waits, few enough to recall.
FED_AHEAD = 32
#: Seconds that a task which was called back while it ran has to finish: nobody waits for it any
#: more, and one that hangs would block its slot for good.
RECALLED_S = 5.0


@dataclass(slots=True)
class Tally:
    """What this provider has done since it started."""

    answered: int = 0
    declined: int = 0
    earned_mpt: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


class Agent:
    """One provider's connection to one gateway, and the leases it holds."""

    def __init__(
        self,
        about: Introduction,
        runner_rule: RunnerRule,
        *,
        reconnect_max_s: float = 30.0,
        on_change: Callable[[str], None] = lambda _: None,
        diary: Diary | None = None,
    ) -> None:
        self.about = self._about = about
        self.toll, self.sandbox = about.toll, runner_rule.sandbox
        self._report = on_change
        #: What was said last to the owner, and what the gateway said of the prospects of work.
        self.last_change = ""
        self.outlook: tuple[str, str] | None = None
        self._line = Line(
            about,
            self._resume,
            self._on_message,
            reconnect_max_s=reconnect_max_s,
            on_change=self._on_change,
        )
        self._slots = runner_rule.slots
        self._runner = RunnerProcess(runner_rule, self._on_answer, self._on_runner_death)
        hidden = runner_rule.sandbox.profile.name == "container"
        self.energy = EnergyMeter(about.energy, self._say, lambda: self._runner.pids, hidden=hidden)
        self._runner.on_used = self.energy.take
        self.pausing = Pausing(
            self._runner,
            self._say,
            self._decline,
            lambda: tuple(lease.lease for lease in self._waiting),
            self._feed_runner,
        )
        self.diary = diary or Diary()
        about.toll.on_bytes = self.diary.transferred
        self._cache = BlobCache(about.cache_bytes)
        self._arriving = ValueAssembler(about.limits, unasked=True)
        self._waiting: deque[m.Lease] = deque()
        self._turns = Turns()
        self._leases: dict[LeaseId, m.Lease] = {}
        #: Answers kept until the gateway releases them.
        self._answers: dict[LeaseId, Done | Raised] = {}
        #: Leases whose task the runner was ended for.
        self._abandoned: set[LeaseId] = set()
        #: Values asked for because the gateway believed them to be here.
        self._asked: set[Digest] = set()
        self._sketching: set[asyncio.Task[None]] = set()
        #: One sketch at a time: it takes a core while it is made.
        self._sketcher = asyncio.Lock()
        self.tally = Tally()

    # ------------------------------------------------------------------ life

    async def run(self) -> None:
        """Serve until :meth:`leave` is called.

        Raises
        ------
        RegistrationError
            If the gateway refuses this provider for good.
        """
        runner = asyncio.create_task(self._runner.run())
        metering = asyncio.create_task(self.energy.run())
        try:
            await self._runner.ready.wait()
            await self._line.run()
        finally:
            runner.cancel()
            metering.cancel()
            await asyncio.gather(runner, metering, return_exceptions=True)

    def leave(self) -> None:
        """Say goodbye and end :meth:`run`."""
        self._line.leave()

    def _on_change(self, words: str) -> None:
        self.last_change = words
        self._report(words)

    @property
    def owner(self) -> str:
        """The account that is paid; empty before the first connection."""
        welcome = self._line.welcome
        return welcome.owner if welcome is not None else ""

    @property
    def connected(self) -> bool:
        """Whether a gateway has let us in."""
        return self._line.connection is not None

    @property
    def idle(self) -> bool:
        """Whether it holds no task, and no answer whose bytes somebody may want."""
        return not self._leases and not self._answers

    def held(self) -> list[tuple[m.Lease, bool]]:
        """Return the tasks it holds, and whether each of them runs."""
        return [(lease, self._runner.is_running(name)) for name, lease in self._leases.items()]

    def runner_pids(self) -> tuple[int, ...]:
        """Return the processes that work for others."""
        return self._runner.pids

    def renew(self, rule: RunnerRule) -> None:
        """Let other limits hold from the next runner on, which starts once this one is empty."""
        self._runner.renew(rule)

    def _resume(self, welcome: m.Welcome) -> None:
        """Compare the leases of both sides; what only one side knows is void."""
        known = set(welcome.leases) if welcome.resumed else set()
        for lease in tuple(self._leases):
            if lease not in known:
                self._drop(lease)
        self._answers = {k: v for k, v in self._answers.items() if k in known}
        # Parts that were under way start again from the first.
        self._asked.clear()
        self._arriving = ValueAssembler(self._about.limits, unasked=True)
        verb = "Back" if welcome.resumed else "Joined"
        self._on_change(
            f"{verb} as provider {welcome.provider} of owner {welcome.owner}, "
            f"{self._slots} slot{'s' if self._slots != 1 else ''}"
        )
        if welcome.resumed:
            self._say(m.Resumed(tuple(self._leases.keys() | self._answers.keys())))
            for answer in self._answers.values():
                self._say_answer(answer)
            self.energy.send()
        else:
            # A new session starts with an empty mirror of this cache.
            self._cache = BlobCache(self._about.cache_bytes)
        self.pausing.welcomed(self._slots)

    # ------------------------------------------------------------------ the gateway's messages

    def _on_message(self, message: m.Message) -> None:
        match message:
            case m.Lease():
                self._leases[message.lease] = message
                self._cache.pin((*message.inputs, *message.constants))
                self._waiting.append(message)
                if self.pausing.took(message):
                    self._feed_runner()
            case m.ValuePart():
                value = self._arriving.feed(message)
                if value is not None:
                    self._asked.discard(message.digest)
                    self._keep(message.digest, value)
                    self._feed_runner()
            case m.Fetch(lease):
                self._serve(lease)
            case m.SketchAsked():
                self._sketch(message)
            case m.Release(leases):
                for lease in leases:
                    self._answers.pop(lease, None)
            case m.Recall(leases):
                for lease in leases:
                    self._recall(lease)
            case m.Outlook(code, detail):
                self.outlook = (code, detail)
            case m.Receipted(lease, reason, amount_mpt):
                self.diary.receipted(lease, reason, amount_mpt)
                self.tally.earned_mpt += amount_mpt
                self.tally.reasons[reason] += 1

    def _keep(self, digest: Digest, value: bytearray) -> None:
        evicted = self._cache.add(digest, value)
        if not evicted:
            return
        for start in range(0, len(evicted), LISTED_MAX):
            self._say(m.Evicted(tuple(evicted[start : start + LISTED_MAX])))
        if digest in evicted:
            # It does not fit beside what other leases need: those that need it go elsewhere.
            for lease in tuple(self._waiting):
                if digest in (*lease.inputs, *lease.constants):
                    self._decline(lease.lease, "cache-full", "its inputs do not fit the cache")

    def _serve(self, lease: LeaseId) -> None:
        answer, parts = self._answers.get(lease), self._bytes_of(lease)
        connection = self._line.connection
        if not isinstance(answer, Done) or parts is None or connection is None:
            self._say(m.ValueGone(lease))
            return
        connection.outbox.send_value(split(answer.digest, parts, self._about.limits.part_bytes))

    def _sketch(self, asked: m.SketchAsked) -> None:
        """Sketch, in a thread, what was committed to; what is not here any more gets an empty one.

        Nothing is executed for it: the encoded value's own arrays are read.
        """
        task = asyncio.get_running_loop().create_task(self._say_sketch(asked))
        self._sketching.add(task)
        task.add_done_callback(self._sketching.discard)

    async def _say_sketch(self, asked: m.SketchAsked) -> None:
        sketch = b""
        async with self._sketcher:
            parts = self._sketched_bytes_of(asked.lease)
            if parts is not None:
                sketch = await asyncio.to_thread(sketch_bytes, parts, asked.seed)
        self._say(m.Sketched(asked.lease, asked.round, sketch))

    def _bytes_of(self, lease: LeaseId) -> tuple[bytes, ...] | None:
        """Return the encoded value that answers a lease, None if it is not kept."""
        answer = self._answers.get(lease)
        return answer.parts if isinstance(answer, Done) else None

    def _sketched_bytes_of(self, lease: LeaseId) -> tuple[bytes, ...] | None:
        """Return what a sketch is made of: the very bytes that would be served."""
        return self._bytes_of(lease)

    def _recall(self, lease: LeaseId) -> None:
        waiting = next((w for w in self._waiting if w.lease == lease), None)
        if waiting is not None:
            self._waiting.remove(waiting)
            self._decline(lease, "recalled", "it had not started")
        elif lease in self._leases:
            asyncio.get_running_loop().call_later(RECALLED_S, self._abandon, lease)

    def _abandon(self, lease: LeaseId) -> None:
        """End the runner for the sake of a task that was called back and does not finish."""
        if lease not in self._leases:
            return
        if self._runner.is_running(lease):
            self._abandoned.add(lease)
            self._runner.kill()
        else:
            # It stands behind others in the runner's pipe.
            asyncio.get_running_loop().call_later(RECALLED_S, self._abandon, lease)

    # ------------------------------------------------------------------ the runner

    def _feed_runner(self) -> None:
        """Hand over leases whose values are here, in order, one recruiter's at a time."""
        if self.pausing.reason or self._runner.is_ending:
            return
        at_s = time.monotonic()
        for recruiter in self._turns.order(
            (w.recruiter for w in self._waiting), self._runner.busy, at_s
        ):
            self._feed_of(recruiter)
            if self._runner.busy:
                return

    def _feed_of(self, recruiter: str) -> None:
        for lease in tuple(self._waiting):
            if self._runner.busy >= self._slots + FED_AHEAD:
                return
            if lease.recruiter != recruiter:
                continue
            missing = self._missing(lease)
            if missing:
                self._ask_for(lease, missing)
                continue
            self._waiting.remove(lease)
            inputs = tuple(self._held(d) for d in lease.inputs)
            constants = tuple(self._held(d) for d in lease.constants)
            self.energy.fed(lease.lease)
            self._turns.fed(recruiter)
            self._runner.feed(Work(lease.lease, lease.task, inputs, constants, recruiter))

    def _missing(self, lease: m.Lease) -> tuple[Digest, ...]:
        return tuple(d for d in (*lease.inputs, *lease.constants) if d not in self._cache)

    def _ask_for(self, lease: m.Lease, missing: tuple[Digest, ...]) -> None:
        """Ask once for values that the gateway believes to be here."""
        absent = tuple(d for d in missing if d not in self._asked)
        if absent:
            self._asked.update(absent)
            for start in range(0, len(absent), LISTED_MAX):
                self._say(m.Missing(lease.lease, absent[start : start + LISTED_MAX]))

    def _held(self, digest: Digest) -> Buffer:
        value = self._cache.get(digest)
        if value is None:
            raise RuntimeError(f"value {digest.hex()} was pinned and is gone")
        return value

    def _on_answer(self, answer: Done | Raised | Lacks) -> None:
        if isinstance(answer, Lacks):
            # No vote: whoever has the module would answer otherwise, and neither of them lies.
            self._decline(answer.lease, m.MISSING_MODULE, clean(answer.module, 100))
        if isinstance(answer, Lacks) or answer.lease not in self._leases:
            self._feed_runner()
            return
        self.tally.answered += 1
        kind = self._leases[answer.lease].kind
        self.diary.answered(answer.lease, kind, answer.wall_s, time.time())
        limits = self._about.limits
        bytes_max = min(self._leases[answer.lease].result_bytes_max, limits.value_bytes_max)
        self._drop(answer.lease)
        if isinstance(answer, Done) and answer.size_bytes > bytes_max:
            answer = too_large(answer, bytes_max)
        self._answers[answer.lease] = answer
        self._say_answer(answer)
        self._feed_runner()

    def _say_answer(self, answer: Done | Raised) -> None:
        welcome = self._line.welcome
        inline_bytes_max = welcome.inline_bytes_max if welcome is not None else -1
        self._say(answer_message(answer, inline_bytes_max))

    def _on_runner_death(self, leases: list[LeaseId], reason: str) -> None:
        """Give back what may have killed the runner; what only stood in line runs in the next."""
        suspects = self._abandoned.intersection(leases) or set(leases[: self._slots])
        self._abandoned.clear()
        self.energy.over(suspects)
        for lease in suspects:
            self._decline(lease, "runner-died", f"the runner ended: {reason}")
        innocent = [self._leases[lease] for lease in leases if lease in self._leases]
        self._waiting.extendleft(reversed(innocent))
        self._feed_runner()

    def _decline(self, lease: LeaseId, reason: str, message: str) -> None:
        if lease not in self._leases:
            return
        self.tally.declined += 1
        self._drop(lease)
        self._say(m.Declined(lease, reason, message))

    def _drop(self, lease: LeaseId) -> None:
        held = self._leases.pop(lease)
        self.pausing.over(lease)
        self._cache.unpin((*held.inputs, *held.constants))
        if held in self._waiting:
            self._waiting.remove(held)

    def _say(self, message: m.Message) -> bool:
        """Send, if there is a connection; after a reconnect, :meth:`_resume` makes up for it."""
        return self._line.say(message)
