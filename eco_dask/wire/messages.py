"""Everything a gateway and a provider can say to each other, protocol version 1.

Field order is wire order and buffers come last; a type code is never given a second meaning.

::

    provider ─ ToGateway ─►  gateway
    provider ◄─ ToProvider ─ gateway
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, ClassVar, TypeAlias, get_args

from eco_dask.types import DIGEST_SIZE_BYTES, Digest, LeaseId, OwnerId, ProviderId, TaskKind
from eco_dask.wire.fields import Buffer, Fact, facts, many, octets, raw, seconds, text, truth, whole

#: The version both sides name in their first message. A changed meaning raises it.
PROTOCOL = 3

#: Characters of a human-readable message; see :func:`eco_dask.wire.fields.clip`.
MESSAGE_CHARS_MAX = 4096
#: Characters of a traceback.
TRACEBACK_CHARS_MAX = 16 * 1024
#: Leases or digests that one message of either side may list.
LISTED_MAX = 4096
#: Packages that a provider lists, and characters of each entry.
PACKAGES_MAX, PACKAGE_CHARS_MAX = 1024, 128
#: Digests of values that one lease may need. More than a provider lists, as only we write leases.
INPUTS_MAX = 16 * 1024
#: Slots of one provider.
SLOTS_MAX = 4096
#: Rounds of comparison of one task.
ROUNDS_MAX = 1_000_000
#: Bytes of the longest sketch that travels, which must fit a frame: of some 40,000 arrays, or of
#: 24 GB. A value that needs more is compared bit by bit.
SKETCHED_BYTES_MAX = 6 << 20
#: Why a lease is declined whose code imports what is not there; the message is the module's name.
MISSING_MODULE = "missing-module"
#: Tokens that let a provider resume its session.
SESSION_SIZE_BYTES = 32


class Direction(Enum):
    """Which way a message travels."""

    TO_GATEWAY = "to the gateway"
    TO_PROVIDER = "to the provider"
    BOTH = "both ways"


_Version = Annotated[int, whole(1, 65535)]
_Key = Annotated[bytes, octets(32)]
_Nonce = Annotated[bytes, octets(32)]
_Signature = Annotated[bytes, octets(64)]
_Session = Annotated[bytes, octets(SESSION_SIZE_BYTES, or_none=True)]
_Digest = Annotated[Digest, octets(DIGEST_SIZE_BYTES)]
_Digests = Annotated[tuple[Digest, ...], many(octets(DIGEST_SIZE_BYTES), LISTED_MAX)]
_Inputs = Annotated[tuple[Digest, ...], many(octets(DIGEST_SIZE_BYTES), INPUTS_MAX)]
_Lease = Annotated[LeaseId, text(128, chars_min=1)]
_Leases = Annotated[tuple[LeaseId, ...], many(text(128, chars_min=1), LISTED_MAX)]
_Code = Annotated[str, text(64, chars_min=1)]
_Prose = Annotated[str, text(MESSAGE_CHARS_MAX)]
_Span = Annotated[float, seconds()]
_Size = Annotated[int, whole()]
_Buffer = Annotated[Buffer, raw()]


@dataclass(frozen=True, slots=True)
class Hello:
    """The provider's first message: its key, software and invite, and the session it resumes.

    ``session`` is empty for a new one. ``software`` names python, dask, distributed, eco_dask
    and numpy versions. ``slots`` is how many tasks it runs at a time.
    """

    TYPE_CODE: ClassVar[int] = 1
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    protocol: _Version
    public_key: _Key
    software: Annotated[dict[str, str], facts(texts_only=True)]
    invite: Annotated[str, text(256)]
    session: _Session
    slots: Annotated[int, whole(1, SLOTS_MAX)]


@dataclass(frozen=True, slots=True)
class Proof:
    """The provider shows that it holds the key of its Hello, and says what it can do.

    ``cache_bytes`` is the budget of its value cache. ``packages`` lists what its tasks can import
    as ``name==version``; empty where that is unknown.
    """

    TYPE_CODE: ClassVar[int] = 2
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    signature: _Signature
    capability: Annotated[dict[str, Fact], facts()]
    cache_bytes: _Size
    packages: Annotated[tuple[str, ...], many(text(PACKAGE_CHARS_MAX, 1), PACKAGES_MAX)]


@dataclass(frozen=True, slots=True)
class BenchmarkDone:
    """The provider answers BenchmarkAsked: a digest per step, elapsed and CPU seconds."""

    TYPE_CODE: ClassVar[int] = 3
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    digests: _Digests
    elapsed_s: _Span
    cpu_s: _Span


@dataclass(frozen=True, slots=True)
class Resumed:
    """The provider answers a resuming Welcome with the leases it still holds, answered or not."""

    TYPE_CODE: ClassVar[int] = 4
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    leases: _Leases


@dataclass(frozen=True, slots=True)
class Committed:
    """The provider swears to a result: its digest and size, and what it cost.

    ``value`` carries the result when it is no larger than ``Welcome.inline_bytes_max`` and is
    empty otherwise; the gateway may then Fetch it until it sends Release.
    """

    TYPE_CODE: ClassVar[int] = 5
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    lease: _Lease
    digest: _Digest
    size_bytes: _Size
    cpu_s: _Span
    wall_s: _Span
    value: _Buffer


@dataclass(frozen=True, slots=True)
class Failed:
    """The task's own code raised, or broke its limits; this is voted upon like a result."""

    TYPE_CODE: ClassVar[int] = 6
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    lease: _Lease
    error_type: Annotated[str, text(256, chars_min=1)]
    message: _Prose
    traceback: Annotated[str, text(TRACEBACK_CHARS_MAX)]
    cpu_s: _Span
    wall_s: _Span


@dataclass(frozen=True, slots=True)
class Declined:
    """The provider gives a lease back unanswered, with a reason code: no vote, no strike."""

    TYPE_CODE: ClassVar[int] = 7
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    lease: _Lease
    reason: _Code
    message: _Prose


@dataclass(frozen=True, slots=True)
class Missing:
    """Values that a lease needs and the provider does not hold; the gateway sends them again."""

    TYPE_CODE: ClassVar[int] = 8
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    lease: _Lease
    digests: _Digests


@dataclass(frozen=True, slots=True)
class ValueGone:
    """The provider cannot serve the value that Fetch asked for."""

    TYPE_CODE: ClassVar[int] = 9
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    lease: _Lease


@dataclass(frozen=True, slots=True)
class Evicted:
    """Values that left the provider's cache."""

    TYPE_CODE: ClassVar[int] = 10
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    digests: _Digests


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
    lease: _Lease
    round: Annotated[int, whole(1, ROUNDS_MAX)]
    sketch: _Buffer


@dataclass(frozen=True, slots=True)
class ValuePart:
    """A stretch of a value: ``data`` stands at ``offset_bytes`` of ``size_bytes``, in order."""

    TYPE_CODE: ClassVar[int] = 32
    DIRECTION: ClassVar[Direction] = Direction.BOTH
    digest: _Digest
    size_bytes: _Size
    offset_bytes: _Size
    data: _Buffer


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The sender leaves for good and reads nothing more; the session cannot be resumed."""

    TYPE_CODE: ClassVar[int] = 33
    DIRECTION: ClassVar[Direction] = Direction.BOTH
    reason: _Prose


@dataclass(frozen=True, slots=True)
class Challenge:
    """The gateway's first message, sent unasked: its version and the nonce to sign."""

    TYPE_CODE: ClassVar[int] = 64
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    protocol: _Version
    nonce: _Nonce


@dataclass(frozen=True, slots=True)
class BenchmarkAsked:
    """The gateway asks for a reproducible computation, to measure speed and check arithmetic."""

    TYPE_CODE: ClassVar[int] = 65
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    seed: Annotated[bytes, octets(32)]
    steps: Annotated[int, whole(1, LISTED_MAX)]
    size: Annotated[int, whole(1, 65536)]


@dataclass(frozen=True, slots=True)
class Welcome:
    """The provider has joined.

    ``session`` lets it resume within ``grace_s`` after a lost connection. A result up to
    ``inline_bytes_max`` belongs into its Committed; one above ``value_bytes_max`` is not taken.
    When ``resumed``, ``leases`` are those the gateway believes outstanding.
    """

    TYPE_CODE: ClassVar[int] = 66
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    provider: Annotated[ProviderId, text(128, chars_min=1)]
    owner: Annotated[OwnerId, text(128, chars_min=1)]
    session: _Session
    grace_s: _Span
    inline_bytes_max: _Size
    value_bytes_max: _Size
    resumed: Annotated[bool, truth()]
    leases: _Leases


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider may not join; ``code`` is for programs, ``message`` says what to do."""

    TYPE_CODE: ClassVar[int] = 67
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    code: _Code
    message: _Prose


@dataclass(frozen=True, slots=True)
class Lease:
    """One task for the provider, to be answered within ``deadline_s`` of receipt.

    ``inputs`` and ``constants`` name the values it needs, which were sent before unless the
    provider holds them. ``task`` is what the sandbox runs; the agent never looks inside.
    """

    TYPE_CODE: ClassVar[int] = 68
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    lease: _Lease
    kind: Annotated[TaskKind, text(256)]
    deadline_s: _Span
    inputs: _Inputs
    constants: _Inputs
    result_bytes_max: _Size
    task: _Buffer


@dataclass(frozen=True, slots=True)
class Fetch:
    """The gateway wants the value that this lease committed to."""

    TYPE_CODE: ClassVar[int] = 69
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    lease: _Lease


@dataclass(frozen=True, slots=True)
class Release:
    """The answers to these leases are no longer needed; the provider may forget them."""

    TYPE_CODE: ClassVar[int] = 70
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    leases: _Leases


@dataclass(frozen=True, slots=True)
class Recall:
    """These answers are no longer needed: give back what has not started.

    What runs already may be finished and answered; a right answer is paid within a grace time.
    """

    TYPE_CODE: ClassVar[int] = 71
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    leases: _Leases


@dataclass(frozen=True, slots=True)
class Receipted:
    """What a lease earned, in millipoints, and the reason code; also when it earned nothing."""

    TYPE_CODE: ClassVar[int] = 72
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    lease: _Lease
    reason: _Code
    amount_mpt: _Size


@dataclass(frozen=True, slots=True)
class SketchAsked:
    """The gateway reveals a seed: the provider sketches the value it committed to before.

    Two answers of other bytes are compared by their sketches; the bytes are held against the
    sketch when they are fetched.
    """

    TYPE_CODE: ClassVar[int] = 73
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    lease: _Lease
    round: Annotated[int, whole(1, ROUNDS_MAX)]
    seed: Annotated[bytes, octets(32)]


#: What a provider may send.
ToGateway: TypeAlias = (
    Hello | Proof | BenchmarkDone | Resumed | Committed | Failed | Declined | Missing | ValueGone
    | Evicted | Slots | Sketched | ValuePart | Goodbye
)  # fmt: skip
#: What a gateway may send.
ToProvider: TypeAlias = (
    Challenge | BenchmarkAsked | Welcome | Refused | Lease | Fetch | Release | Recall | Receipted
    | SketchAsked | ValuePart | Goodbye
)  # fmt: skip
Message: TypeAlias = ToGateway | ToProvider

#: Every message type once, in order of type code.
MESSAGE_TYPES: tuple[type[Message], ...] = tuple(
    sorted(get_args(Message), key=lambda message: message.TYPE_CODE)
)
