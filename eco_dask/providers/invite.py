"""The one-time word that lets a provider join: an id to find it by, a secret to prove it.

::

    "ID.SECRET" --parse--> Invite --secret_hash--> what the registry stores
"""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass

from blake3 import blake3

from eco_dask.errors import RegistrationError

_SHAPE = re.compile(r"([a-z0-9]{4,32})\.([A-Za-z0-9_-]{16,128})", re.ASCII)
_ID_SIZE_BYTES = 6
_SECRET_SIZE_BYTES = 20
_LABEL = b"eco_dask invite\x00"


@dataclass(frozen=True, slots=True, repr=False)
class Invite:
    """An invite in the open; only ``str`` shows the secret."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"<Invite {self.redacted()}>"

    def __str__(self) -> str:
        return f"{self.id}.{self.secret}"

    def redacted(self) -> str:
        """Return the form for logs and screens."""
        return f"{self.id}.***"

    @classmethod
    def draw(cls) -> Invite:
        """Draw a new one: 48 bits to find it by, 160 bits that nobody guesses."""
        return cls(_word(_ID_SIZE_BYTES), _word(_SECRET_SIZE_BYTES))

    @classmethod
    def parse(cls, text: str) -> Invite:
        """Read ``"ID.SECRET"``.

        Raises
        ------
        RegistrationError
            Code ``"invite-unknown"``; the message does not repeat the text, it may hold a secret.
        """
        match = _SHAPE.fullmatch(text)
        if match is None:
            raise RegistrationError(
                "invite-unknown",
                f"no invite of the form ID.SECRET but {len(text)} other characters: copy it again, "
                "or ask the operator for a new one",
            )
        return cls(*match.groups())

    def secret_hash(self) -> bytes:
        """Return what may be stored, 32 bytes. The secret is random, so it needs no salt."""
        return blake3(_LABEL + str(self).encode()).digest()


def _word(size_bytes: int) -> str:
    """Draw letters and digits only: nothing that a chat or a shell would change."""
    drawn = base64.b32encode(secrets.token_bytes(size_bytes))
    return drawn.decode().rstrip("=").lower()
