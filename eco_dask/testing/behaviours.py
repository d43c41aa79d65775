"""What a misbehaving provider does, as a table of faults.

runner's answer ──Behaviour.say──► what is committed to ──Behaviour.serve──► what is served
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random

import numpy as np

from eco_dask.agent.runner_process import Done, Raised
from eco_dask.errors import ConfigurationError, ValueCodecError
from eco_dask.types import Digest, LeaseId
from eco_dask.values import EncodedValue, encode

Answer = Done | Raised
#: Exit status of a provider that vanishes.
EXIT_VANISHED = 9
#: Lies are drawn from this many, so that two of them agree only where it was agreed.
_LIES = 1 << 30


class Behaviour:
    """Honest: says what the runner answered, and serves what was said.

    Parameters
    ----------
    dice : random.Random
        Seeded, so that a test can be repeated.
    """

    def __init__(self, dice: Random) -> None:
        self.dice = dice

    def say(self, answer: Answer) -> Answer | None:
        """Return what is said of a runner's answer; None to keep silent."""
        return answer

    def serve(self, answer: Done) -> tuple[bytes, ...] | None:
        """Return the bytes to serve of an answer; None if they are gone."""
        return answer.parts

    def sketched(self, answer: Done) -> tuple[bytes, ...] | None:
        """Return the bytes that a sketch of an answer is made of; None to send none."""
        return self.serve(answer)

    def noise(self) -> bytes:
        """Return a frame to send after an answer; empty for none."""
        return b""


class Lie(Behaviour):
    """Commits to, and serves, a wrong value in a share of its answers."""

    def __init__(self, dice: Random, share: float) -> None:
        super().__init__(dice)
        self._share = share

    def say(self, answer: Answer) -> Answer:
        """Change the value, or say nothing new of an error."""
        if isinstance(answer, Done) and self.dice.random() < self._share:
            return falsified(answer, self.dice)
        return answer


class Collude(Behaviour):
    """Gives the same wrong answer as everybody else with the same word."""

    def __init__(self, dice: Random, word: str) -> None:
        super().__init__(dice)
        self._word = word

    def say(self, answer: Answer) -> Answer:
        """Change the value as agreed."""
        if isinstance(answer, Raised):
            return answer
        return falsified(answer, Random(f"{self._word}:{answer.digest.hex()}"))


class ClaimError(Behaviour):
    """Claims in a share of its answers that the task raised."""

    def __init__(self, dice: Random, share: float) -> None:
        super().__init__(dice)
        self._share = share

    def say(self, answer: Answer) -> Answer:
        """Turn the value into an error."""
        if isinstance(answer, Raised) or self.dice.random() >= self._share:
            return answer
        text = "the moon is in the wrong house"
        cost_s = (answer.cpu_s, answer.wall_s)
        return Raised(answer.lease, "RuntimeError", text, f"RuntimeError: {text}", *cost_s)


class Vanish(Behaviour):
    """Ends without a word after some answers, as a machine that loses power."""

    def __init__(self, dice: Random, answers: int) -> None:
        super().__init__(dice)
        self._answers_left = answers

    def say(self, answer: Answer) -> Answer:
        """Answer, or end this process."""
        if self._answers_left == 0:
            os._exit(EXIT_VANISHED)
        self._answers_left -= 1
        return answer


class Stall(Behaviour):
    """Takes leases and never answers."""

    def say(self, answer: Answer) -> None:
        """Keep silent."""


class Withhold(Behaviour):
    """Commits, and never has the bytes. Shows with values too large to come along only."""

    def serve(self, answer: Done) -> None:
        """Have nothing."""


class Renege(Withhold):
    """Commits, and gives the lease back as if unanswered when its bytes are asked for."""


class Mismatch(Behaviour):
    """Commits to the right value and serves other bytes of the same length."""

    def serve(self, answer: Done) -> tuple[bytes, ...]:
        """Flip the last bit."""
        *parts, last = [part for part in answer.parts if part]
        return (*parts, last[:-1] + bytes([last[-1] ^ 1]))


class Sleeper(Behaviour):
    """Honest for its first answers, to earn trust, then lies in every one."""

    def __init__(self, dice: Random, answers: int) -> None:
        super().__init__(dice)
        self._answers_left = answers

    def say(self, answer: Answer) -> Answer:
        """Be honest while it counts."""
        if self._answers_left > 0 or isinstance(answer, Raised):
            self._answers_left -= 1
            return answer
        return falsified(answer, self.dice)


class SketchLie(Behaviour):
    """Commits to and serves the right value, with a sketch of a wrong one."""

    def sketched(self, answer: Done) -> tuple[bytes, ...]:
        """Change the value."""
        return falsified(answer, self.dice).parts


class SketchWithhold(Behaviour):
    """Commits to what only its own bits are, and sends no sketch of it."""

    def say(self, answer: Answer) -> Answer:
        """Lie, so that a sketch will be asked for."""
        return falsified(answer, self.dice) if isinstance(answer, Done) else answer

    def sketched(self, answer: Done) -> None:
        """Send none."""


class SketchRight(Behaviour):
    """Commits to and serves a wrong value, with a sketch of the right one."""

    def __init__(self, dice: Random) -> None:
        super().__init__(dice)
        self._right: dict[LeaseId, tuple[bytes, ...]] = {}

    def say(self, answer: Answer) -> Answer:
        """Lie, and remember the truth."""
        if isinstance(answer, Raised):
            return answer
        self._right[answer.lease] = answer.parts
        return falsified(answer, self.dice)

    def sketched(self, answer: Done) -> tuple[bytes, ...]:
        """Take the truth."""
        return self._right[answer.lease]


class Garbage(Behaviour):
    """Sends random bytes where a frame should be."""

    def noise(self) -> bytes:
        """Return random bytes."""
        return self.dice.randbytes(64)


class Flood(Behaviour):
    """Sends a frame as long as it likes: more than the gateway takes."""

    def noise(self) -> bytes:
        """Return far too many bytes."""
        return bytes(64 << 20)


def falsified(answer: Done, dice: Random) -> Done:
    """Return an answer with a wrong value of, where possible, the same type."""
    honest = EncodedValue.from_bytes(b"".join(answer.parts))
    for wrong in (_shifted(honest.decode(), dice), dice.random()):
        try:
            encoded = encode(wrong)
        except ValueCodecError:
            continue
        if encoded.digest != answer.digest:
            parts = tuple(bytes(part) for part in encoded.parts())
            return replace(answer, digest=Digest(encoded.digest), parts=parts)
    raise AssertionError("a random number equals the task's own answer")


def _shifted(value: object, dice: Random) -> object:
    match value:
        case None | int():
            return (value or 0) + 1 + dice.randrange(_LIES)
        case str():
            return f"{value} {dice.randrange(_LIES)}"
        case bytes():
            return value + dice.randbytes(4)
        case list() | tuple() if value:
            return type(value)([_shifted(value[0], dice), *value[1:]])
        case dict() if value:
            first, *others = value.items()
            return {first[0]: _shifted(first[1], dice), **dict(others)}
        case np.ndarray() | np.integer() if value.dtype.kind in "iu":
            offset = dice.randrange(1, min(_LIES, int(np.iinfo(value.dtype).max)))
            return value ^ value.dtype.type(offset)
    try:
        return value + (1 + dice.random())  # type: ignore[operator]
    except (TypeError, ValueError, ArithmeticError):
        # Not a number: a lie of another type will have to do.
        return dice.random()


#: Name of each behaviour, and how it is made from its parameter and seeded dice.
BEHAVIOURS: Mapping[str, Callable[[str, Random], Behaviour]] = {
    "honest": lambda _, dice: Behaviour(dice),
    "lie": lambda share, dice: Lie(dice, float(share or 1)),
    "collude": lambda word, dice: Collude(dice, word),
    "error": lambda share, dice: ClaimError(dice, float(share or 1)),
    "vanish": lambda answers, dice: Vanish(dice, int(answers or 0)),
    "stall": lambda _, dice: Stall(dice),
    "withhold": lambda _, dice: Withhold(dice),
    "renege": lambda _, dice: Renege(dice),
    "mismatch": lambda _, dice: Mismatch(dice),
    "sleeper": lambda answers, dice: Sleeper(dice, int(answers or 20)),
    "sketch-lie": lambda _, dice: SketchLie(dice),
    "sketch-withhold": lambda _, dice: SketchWithhold(dice),
    "sketch-right": lambda _, dice: SketchRight(dice),
    "garbage": lambda _, dice: Garbage(dice),
    "flood": lambda _, dice: Flood(dice),
}


def behaviour_of(text: str, seed: str) -> Behaviour:
    """Make the behaviour that ``text`` names, as in ``lie:0.5``.

    Raises
    ------
    ConfigurationError
        If there is none of that name, or its parameter is no number.
    """
    name, _, parameter = text.partition(":")
    try:
        return BEHAVIOURS[name](parameter, Random(seed))
    except (KeyError, ValueError) as error:
        raise ConfigurationError(
            f"a behaviour is one of {', '.join(BEHAVIOURS)}, some with a number as in lie:0.5; "
            f"got {text!r}"
        ) from error
