"""What messages are made of: the version, bounds, and the kinds of their fields.

fields.text, whole, octets, ... ──► Lease, Digests, Prose, ... ──► messages, joining
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from eco_dask.types import DIGEST_SIZE_BYTES, Digest, LeaseId
from eco_dask.wire.fields import Buffer, many, octets, raw, seconds, text, whole

#: The version both sides name in their first message. A changed meaning raises it.
PROTOCOL = 4

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


Version = Annotated[int, whole(1, 65535)]
Key = Annotated[bytes, octets(32)]
Nonce = Annotated[bytes, octets(32)]
Signature = Annotated[bytes, octets(64)]
Session = Annotated[bytes, octets(SESSION_SIZE_BYTES, or_none=True)]
DigestBytes = Annotated[Digest, octets(DIGEST_SIZE_BYTES)]
Digests = Annotated[tuple[Digest, ...], many(octets(DIGEST_SIZE_BYTES), LISTED_MAX)]
Inputs = Annotated[tuple[Digest, ...], many(octets(DIGEST_SIZE_BYTES), INPUTS_MAX)]
LeaseName = Annotated[LeaseId, text(128, chars_min=1)]
LeaseNames = Annotated[tuple[LeaseId, ...], many(text(128, chars_min=1), LISTED_MAX)]
Code = Annotated[str, text(64, chars_min=1)]
Prose = Annotated[str, text(MESSAGE_CHARS_MAX)]
Span = Annotated[float, seconds()]
Size = Annotated[int, whole()]
Raw = Annotated[Buffer, raw()]
