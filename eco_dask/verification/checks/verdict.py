"""What an algebraic check says about one answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """What a task's function was called with."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passed:
    """No error was found: evidence, of a stated strength."""

    #: Chance that an answer wrong by ten times what rounding explains would have failed, whatever
    #: is wrong with it; 0 to 1.
    power: float

    def __post_init__(self) -> None:
        if not 0 <= self.power <= 1:
            raise ValueError(f"power is a probability; got {self.power}")


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer is wrong."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """Nothing can be said, or not at a tenth of the task's own cost."""

    reason: str


CheckVerdict = Passed | Failed | NotApplicable
#: Takes the call, the answer and a seed of 32 bytes that nobody knew when the answer was given.
Checker = Callable[[Call, Any, bytes], CheckVerdict]
