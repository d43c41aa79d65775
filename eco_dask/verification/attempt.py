"""What came of a lease: the answer a provider swears to, and what it says the answer cost.

lease ─► Attempt(answer: ValueAnswer | ErrorAnswer)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from blake3 import blake3

from eco_dask.types import Digest, LeaseId, OwnerId, ProviderId, TaskKind
from eco_dask.verification.rules import Rule
from eco_dask.verification.sketch import Sketch

#: Addresses of objects differ between honest processes: ``<Foo object at 0x7f3a...>``.
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}")


@dataclass(frozen=True, slots=True)
class ValueAnswer:
    """The task returned a value; the provider commits to its canonical bytes."""

    digest: Digest
    #: Length of the canonical bytes.
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """The task's code raised. All text is the provider's, hence hostile."""

    error_type: str
    message: str
    traceback: str

    @property
    def digest(self) -> Digest:
        """Commitment to the error: type and message, object addresses left out.

        The traceback is not part of it: paths and line numbers of libraries differ honestly.
        """
        # The length keeps text from moving between the two and giving the same digest.
        text = f"{len(self.error_type)}:{self.error_type}{_ADDRESS.sub('0x', self.message)}"
        return Digest(
            blake3(text.encode(errors="replace"), derive_key_context="eco-dask error").digest()
        )


Answer = ValueAnswer | ErrorAnswer


@dataclass(frozen=True, slots=True)
class Attempt:
    """One provider's answer to one task."""

    lease: LeaseId
    provider: ProviderId
    owner: OwnerId
    #: Whether the operator's own worker gave it: its word decides.
    trusted: bool
    answer: Answer
    #: CPU seconds the provider claims.
    cpu_s: float
    #: Seconds from start to end of the task, as the provider claims.
    wall_s: float
    #: Reference-core-seconds: the claim, bounded by what the gateway saw, times the score.
    work_units: float
    #: Under the seed of the ballot's latest round of comparison; None if it was not asked for one.
    sketch: Sketch | None = None
    #: Commitment of the accepted answer that this one agreed with before its bytes were let go.
    stands_for: Digest | None = None
    #: Power of the algebraic check that the answer passed; 0 without one.
    check_power: float = 0.0

    @property
    def digest(self) -> Digest:
        """What the provider committed to."""
        return self.answer.digest


@dataclass(frozen=True, slots=True)
class Case:
    """One task's answers."""

    kind: TaskKind
    attempts: tuple[Attempt, ...]
    rule: Rule


def same_digest(a: Attempt, b: Attempt) -> bool:
    """Compare two attempts bit for bit; a value never agrees with an error."""
    return type(a.answer) is type(b.answer) and (a.stands_for or a.digest) == (
        b.stands_for or b.digest
    )
