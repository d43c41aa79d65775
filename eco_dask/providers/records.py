"""What the registry tells: one provider, one strike, and which owners' names it takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from eco_dask.errors import RegistrationError
from eco_dask.providers.capability import CapabilityValue
from eco_dask.text import clean
from eco_dask.types import OwnerId, ProviderId

#: Trusted providers are run by the operator: they audit, settle disputes, read and write data.
Role = Literal["provider", "trusted"]

_OWNER = re.compile(r"[A-Za-z0-9._@-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ProviderRecord:
    """One enrolled provider as the registry knows it."""

    id: ProviderId
    owner: OwnerId
    role: Role
    #: Ed25519, 32 bytes.
    public_key: bytes
    #: Seconds since 1970.
    enrolled_at_s: float
    #: Last visit, in seconds since 1970; None before the first.
    seen_at_s: float | None
    revoked: bool
    revoked_reason: str
    #: In reference cores, from the last benchmark; None before the first.
    score: float | None
    #: What it last said about its machine; empty before the first visit.
    capability: Mapping[str, CapabilityValue]
    #: How many strikes it has; :meth:`Registry.strikes` lists them.
    strikes: int


@dataclass(frozen=True, slots=True)
class Strike:
    """One thing a provider did wrong."""

    provider: ProviderId
    reason: str
    #: Seconds since 1970.
    at_s: float


def check_owner(name: str) -> OwnerId:
    """Return ``name`` as an owner's.

    Raises
    ------
    RegistrationError
        Code ``"bad-owner"``: it is not 1 to 64 letters, digits or ``. _ @ -``.
    """
    if not _OWNER.fullmatch(name):
        raise RegistrationError(
            "bad-owner",
            f"an owner's name has 1 to 64 letters, digits or . _ @ - ; got {clean(name, 80)!r}",
        )
    return OwnerId(name)
