"""The messages by which a provider joins: challenge, key, benchmark, welcome, and coming back.

Field order is wire order and buffers come last; a type code is never given a second meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from eco_dask.types import OwnerId, ProviderId
from eco_dask.wire.fields import Fact, facts, many, octets, text, truth, whole
from eco_dask.wire.kinds import (
    LISTED_MAX,
    PACKAGE_CHARS_MAX,
    PACKAGES_MAX,
    SLOTS_MAX,
    Code,
    Digests,
    Direction,
    Key,
    LeaseNames,
    Nonce,
    Prose,
    Session,
    Signature,
    Size,
    Span,
    Version,
)


@dataclass(frozen=True, slots=True)
class Hello:
    """The provider's first message: its key, software and invite, and the session it resumes.

    ``session`` is empty for a new one. ``software`` names python, dask, distributed, eco_dask
    and numpy versions. ``slots`` is how many tasks it runs at a time.
    """

    TYPE_CODE: ClassVar[int] = 1
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    protocol: Version
    public_key: Key
    software: Annotated[dict[str, str], facts(texts_only=True)]
    invite: Annotated[str, text(256)]
    session: Session
    slots: Annotated[int, whole(1, SLOTS_MAX)]


@dataclass(frozen=True, slots=True)
class Proof:
    """The provider shows that it holds the key of its Hello, and says what it can do.

    ``cache_bytes`` is the budget of its value cache. ``packages`` lists what its tasks can import
    as ``name==version``; empty where that is unknown. ``energy`` is what the owner declares of
    place, price and machine.
    """

    TYPE_CODE: ClassVar[int] = 2
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    signature: Signature
    capability: Annotated[dict[str, Fact], facts()]
    cache_bytes: Size
    packages: Annotated[tuple[str, ...], many(text(PACKAGE_CHARS_MAX, 1), PACKAGES_MAX)]
    energy: Annotated[dict[str, Fact], facts()]


@dataclass(frozen=True, slots=True)
class NewKey:
    """The provider changes its key: from now on the new one stands for it.

    The connection proves the old key, ``signature`` the new one. Id, owner and books stay.
    """

    TYPE_CODE: ClassVar[int] = 13
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    public_key: Key
    signature: Signature


@dataclass(frozen=True, slots=True)
class KeyTaken:
    """The gateway has written the new key down, and refuses the old one from now on."""

    TYPE_CODE: ClassVar[int] = 74
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    public_key: Key


@dataclass(frozen=True, slots=True)
class BenchmarkDone:
    """The provider answers BenchmarkAsked: a digest per step, elapsed and CPU seconds."""

    TYPE_CODE: ClassVar[int] = 3
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    digests: Digests
    elapsed_s: Span
    cpu_s: Span


@dataclass(frozen=True, slots=True)
class Resumed:
    """The provider answers a resuming Welcome with the leases it still holds, answered or not."""

    TYPE_CODE: ClassVar[int] = 4
    DIRECTION: ClassVar[Direction] = Direction.TO_GATEWAY
    leases: LeaseNames


@dataclass(frozen=True, slots=True)
class Challenge:
    """The gateway's first message, sent unasked: its version and the nonce to sign."""

    TYPE_CODE: ClassVar[int] = 64
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    protocol: Version
    nonce: Nonce


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
    session: Session
    grace_s: Span
    inline_bytes_max: Size
    value_bytes_max: Size
    resumed: Annotated[bool, truth()]
    leases: LeaseNames


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider may not join; ``code`` is for programs, ``message`` says what to do."""

    TYPE_CODE: ClassVar[int] = 67
    DIRECTION: ClassVar[Direction] = Direction.TO_PROVIDER
    code: Code
    message: Prose
