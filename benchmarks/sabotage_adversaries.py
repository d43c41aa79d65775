"""Who lies in the simulation, and how: providers as functions of what they see.

a lease for a task ──Crowd.answer──► b"right", or a wrong value: shared by colluders, or one's own

None of them knows the policy's figures, and none is told whether it is trusted. What they know is
what providers know: what they computed, their receipts, and each other.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

RIGHT = b"right"
#: Values that a blind guess is drawn from, the right one among them.
GUESSES = 10
#: Honest answers of a free-rider before it spares itself work, and the part that it spares then.
FREE_RIDER_STARTS = 10
FREE_RIDER_SPARES = 0.5


@dataclass(frozen=True, slots=True)
class Adversary:
    """One kind of liar."""

    name: str
    #: ``constant``, ``blind``, ``sleeper``, ``free-rider`` or ``copier``.
    way: str = "constant"
    #: Share of wrong answers of a constant one.
    rate: float = 1.0
    #: Honest answers of a sleeper before it wakes.
    honest_first: int = 0
    #: Whether liars lie about the same tasks and agree on the same wrong value.
    colludes: bool = True
    #: Whether it registers anew once it was caught.
    returns: bool = False
    #: Whether all registered in a row and dial from one network prefix.
    block: bool = False


NOBODY = Adversary("nobody", rate=0.0)


def _constants() -> list[Adversary]:
    return [
        Adversary(f"s={rate:g}{' colluding' if colludes else ''}", rate=rate, colludes=colludes)
        for rate in (0.01, 0.05, 0.1, 0.5, 1.0)
        for colludes in (True, False)
    ]


def adversaries(sleeps: tuple[int, ...]) -> list[Adversary]:
    """Return all kinds, with sleepers that are honest for so many answers first."""
    return [
        *_constants(),
        Adversary("blind", "blind"),
        *(Adversary(f"sleeper {n}", "sleeper", honest_first=n) for n in sleeps),
        Adversary("whitewasher s=0.1", rate=0.1, returns=True),
        Adversary("whitewasher s=1", returns=True),
        Adversary("sybil block s=0.1", rate=0.1, block=True),
        Adversary("sybil block s=1", block=True),
        Adversary("free-rider", "free-rider", colludes=False),
        Adversary("copier", "copier"),
    ]


@dataclass(slots=True)
class Crowd:
    """All providers of a run: which of them lie, and what each answers."""

    size: int
    liar_share: float
    adversary: Adversary
    seed: int
    #: Rate at which honest machines err by accident.
    fault_rate: float = 0.0
    liars: frozenset[int] = field(init=False)
    given: Counter[int] = field(init=False, default_factory=Counter)
    _random: random.Random = field(init=False)
    #: Wrong values that copiers passed on, by task.
    _said: dict[int, bytes] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        n = round(self.liar_share * self.size)
        first = self._random.randrange(self.size - n + 1)
        in_a_row = range(first, first + n)
        drawn = self._random.sample(range(self.size), n)
        self.liars = frozenset(in_a_row if self.adversary.block else drawn)

    def prefix(self, who: int) -> str:
        """Return the network prefix that a provider dials from."""
        block = self.adversary.block and who in self.liars
        return "203.0.113.0/24" if block else f"10.{who >> 8}.{who & 255}.0/24"

    def answer(self, who: int, task: int) -> bytes:
        """Return what a provider answers to a task."""
        self.given[who] += 1
        if who in self.liars:
            return self._lie(who, task)
        if self.fault_rate and self._random.random() < self.fault_rate:
            return b"fault %d" % self._random.getrandbits(60)
        return RIGHT

    def _lie(self, who: int, task: int) -> bytes:
        nth = self.given[who]
        match self.adversary.way:
            case "constant":
                wrong = self._draw(task) < self.adversary.rate
            case "sleeper":
                wrong = nth > self.adversary.honest_first
            case "free-rider":
                wrong = nth > FREE_RIDER_STARTS and self._random.random() < FREE_RIDER_SPARES
            case "blind":
                guess = self._random.randrange(GUESSES)
                return b"guess %d" % guess if guess else RIGHT
            case "copier":
                return self._copy(who, task)
            case way:
                raise ValueError(f"no adversary lies like {way!r}")
        if not wrong:
            return RIGHT
        return b"wrong" if self.adversary.colludes else b"wrong of %d" % who

    def _draw(self, task: int) -> float:
        """Return a number that colluders share for a task."""
        if not self.adversary.colludes:
            return self._random.random()
        return random.Random(self.seed * 1_000_003 + task).random()

    def _copy(self, who: int, task: int) -> bytes:
        """Repeat what a friend said to this task; make half of the others up."""
        if task not in self._said:
            honest = self._random.random() < 0.5
            self._said[task] = RIGHT if honest else b"made up by %d" % who
        return self._said[task]
