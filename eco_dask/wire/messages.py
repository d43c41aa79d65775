"""Everything a gateway and a provider can say to each other, in the version :data:`PROTOCOL`.

Field order is wire order and buffers come last; a type code is never given a second meaning.

::

    provider ─ ToGateway ─►  gateway
    provider ◄─ ToProvider ─ gateway
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias, get_args

from eco_dask.types import TaskKind
from eco_dask.wire.fields import octets, text, whole
from eco_dask.wire.joining import (
    BenchmarkAsked,
    BenchmarkDone,
    Challenge,
    Hello,
    KeyTaken,
    NewKey,
    Proof,
    Refused,
    Resumed,
    Welcome,
)
from eco_dask.wire.kinds import (
    INPUTS_MAX,
    LISTED_MAX,
    MESSAGE_CHARS_MAX,
    MISSING_MODULE,
    PACKAGE_CHARS_MAX,
    PACKAGES_MAX,
    PROTOCOL,
    ROUNDS_MAX,
    SESSION_SIZE_BYTES,
    SKETCHED_BYTES_MAX,
    SLOTS_MAX,
    TRACEBACK_CHARS_MAX,
    Code,
    DigestBytes,
    Digests,
    Direction,
    Inputs,
    LeaseName,
    LeaseNames,
    Prose,
    Raw,
    Size,
    Span,
)
from eco_dask.wire.metering import ENERGY_UJ_MAX, METERED_MS_MAX, Metered, Unmetered

__all__ = [
    "ENERGY_UJ_MAX",
    "INPUTS_MAX",
    "LISTED_MAX",
    "MESSAGE_CHARS_MAX",
    "MESSAGE_TYPES",
    "METERED_MS_MAX",
    "MISSING_MODULE",
    "PACKAGES_MAX",
    "PACKAGE_CHARS_MAX",
    "PROTOCOL",
    "ROUNDS_MAX",
    "SESSION_SIZE_BYTES",
    "SKETCHED_BYTES_MAX",
    "SLOTS_MAX",
    "TRACEBACK_CHARS_MAX",
    "BenchmarkAsked",
    "BenchmarkDone",
    "Challenge",
    "Committed",
    "Declined",
    "Direction",
    "Evicted",
    "Failed",
    "Fetch",
    "Goodbye",
    "Hello",
    "KeyTaken",
    "Lease",
    "Message",
    "Metered",
    "Missing",
    "NewKey",
    "Outlook",
    "Proof",
    "Recall",
    "Receipted",
    "Refused",
    "Release",
    "Resumed",
    "SketchAsked",
    "Sketched",
    "Slots",
    "ToGateway",
    "ToProvider",
    "Unmetered",
    "ValueGone",
    "ValuePart",
    "Welcome",
]


@dataclass(frozen=True, slots=True)
class Committed:
    """The provider swears to a result: its digest and size, and what it cost.

    ``value`` carries the result when it is no larger than ``Welcome.inline_bytes_max`` and is
    empty otherwise; the gateway may then Fetch it until it sends Release.
    """

    TYPE_CODE: ClassVar[int] = 5
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    lease: LeaseName
    digest: DigestBytes
    size_bytes: Size
    cpu_s: Span
    wall_s: Span
    value: Raw


@dataclass(frozen=True, slots=True)
class Failed:
    """The task's own code raised, or broke its limits; this is voted upon like a result."""

    TYPE_CODE: ClassVar[int] = 6
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    lease: LeaseName
    error_type: Annotated[str, text(256, chars_min=1)]
    message: Prose
    traceback: Annotated[str, text(TRACEBACK_CHARS_MAX)]
    cpu_s: Span
    wall_s: Span


@dataclass(frozen=True, slots=True)
class Declined:
    """The provider gives a lease back unanswered, with a reason code: no vote, no strike."""

    TYPE_CODE: ClassVar[int] = 7
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    lease: LeaseName
    reason: Code
    message: Prose


@dataclass(frozen=True, slots=True)
class Missing:
    """Values that a lease needs and the provider does not hold; the gateway sends them again."""

    TYPE_CODE: ClassVar[int] = 8
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    lease: LeaseName
    digests: Digests


@dataclass(frozen=True, slots=True)
class ValueGone:
    """The provider cannot serve the value that Fetch asked for."""

    TYPE_CODE: ClassVar[int] = 9
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    lease: LeaseName


@dataclass(frozen=True, slots=True)
class Evicted:
    """Values that left the provider's cache."""

    TYPE_CODE: ClassVar[int] = 10
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    digests: Digests


@dataclass(frozen=True, slots=True)
class Slots:
    """How many tasks the provider runs at a time from now on, and why; 0 is a pause."""

    TYPE_CODE: ClassVar[int] = 11
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    slots: Annotated[int, whole(0, SLOTS_MAX)]
    reason: Annotated[str, text(256)]


@dataclass(frozen=True, slots=True)
class Sketched:
    """The provider answers SketchAsked; empty if it no longer has the value."""

    TYPE_CODE: ClassVar[int] = 12
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    lease: LeaseName
    round: Annotated[int, whole(1, ROUNDS_MAX)]
    sketch: Raw


@dataclass(frozen=True, slots=True)
class ValuePart:
    """A stretch of a value: ``data`` stands at ``offset_bytes`` of ``size_bytes``, in order."""

    TYPE_CODE: ClassVar[int] = 32
    DIRECTION: ClassVar[Direction] = Direction.BOTH
    digest: DigestBytes
    size_bytes: Size
    offset_bytes: Size
    data: Raw


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The sender leaves for good and reads nothing more; the session cannot be resumed."""

    TYPE_CODE: ClassVar[int] = 33
    DIRECTION: ClassVar[Direction] = Direction.BOTH
    reason: Prose


@dataclass(frozen=True, slots=True)
class Lease:
    """One task for the provider, to be answered within ``deadline_s`` of receipt.

    ``inputs`` and ``constants`` name the values it needs, which were sent before unless the
    provider holds them. ``task`` is what the sandbox runs; the agent never looks inside.
    Tasks of one ``recruiter`` may meet in a process, those of two never; the name says no more.
    """

    TYPE_CODE: ClassVar[int] = 68
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    lease: LeaseName
    kind: Annotated[TaskKind, text(256)]
    recruiter: Annotated[str, text(64)]
    deadline_s: Span
    inputs: Inputs
    constants: Inputs
    result_bytes_max: Size
    task: Raw


@dataclass(frozen=True, slots=True)
class Fetch:
    """The gateway wants the value that this lease committed to."""

    TYPE_CODE: ClassVar[int] = 69
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    lease: LeaseName


@dataclass(frozen=True, slots=True)
class Release:
    """The answers to these leases are no longer needed; the provider may forget them."""

    TYPE_CODE: ClassVar[int] = 70
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    leases: LeaseNames


@dataclass(frozen=True, slots=True)
class Recall:
    """These answers are no longer needed: give back what has not started.

    What runs already may be finished and answered; a right answer is paid within a grace time.
    """

    TYPE_CODE: ClassVar[int] = 71
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    leases: LeaseNames


@dataclass(frozen=True, slots=True)
class Receipted:
    """What a lease earned, in millipoints, and the reason code; also when it earned nothing."""

    TYPE_CODE: ClassVar[int] = 72
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    lease: LeaseName
    reason: Code
    amount_mpt: Size


@dataclass(frozen=True, slots=True)
class SketchAsked:
    """The gateway reveals a seed: the provider sketches the value it committed to before.

    Two answers of other bytes are compared by their sketches; the bytes are held against the
    sketch when they are fetched.
    """

    TYPE_CODE: ClassVar[int] = 73
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    lease: LeaseName
    round: Annotated[int, whole(1, ROUNDS_MAX)]
    seed: Annotated[bytes, octets(32)]


@dataclass(frozen=True, slots=True)
class Outlook:
    """Why a provider that has nothing to do gets no work, and how many tasks wait in all.

    Codes: ``no-demand``, ``tags`` (the detail names those that the waiting tasks need),
    ``witnessed`` (its owner was asked already), ``probation`` (it was, and its answer does not
    count alone yet), ``lost`` (this machine lost them before), ``price`` (no points are left for
    them at present), ``barred``, ``soon``.
    """

    TYPE_CODE: ClassVar[int] = 80
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    code: Code
    detail: Annotated[str, text(256)]
    waiting: Size


#: What a provider may send.
ToGateway: TypeAlias = (
    Hello | Proof | BenchmarkDone | Resumed | Committed | Failed | Declined | Missing | ValueGone
    | Evicted | Slots | Sketched | NewKey | Metered | Unmetered | ValuePart | Goodbye
)  # fmt: skip
#: What a gateway may send.
ToProvider: TypeAlias = (
    Challenge | BenchmarkAsked | Welcome | Refused | Lease | Fetch | Release | Recall | Receipted
    | Outlook | SketchAsked | KeyTaken | ValuePart | Goodbye
)  # fmt: skip
Message: TypeAlias = ToGateway | ToProvider

#: Every message type once, in order of type code.
MESSAGE_TYPES: tuple[type[Message], ...] = tuple(
    sorted(get_args(Message), key=lambda message: message.TYPE_CODE)
)
