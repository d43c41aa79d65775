"""A recruiter's link: where to enrol, the one-time word, and the certificate to expect.

eco-dask-recruiter://HOST:PORT/ID.SECRET.PIN  ──parse──► RecruiterLink
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from eco_dask.errors import ConfigurationError
from eco_dask.providers.link import JoinLink

#: Environment variable that may hold a recruiter's link.
LINK_VARIABLE = "ECO_DASK_RECRUITER_LINK"

_SCHEME, _PROVIDERS_SCHEME = "eco-dask-recruiter://", "eco-dask://"
_FILE_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True, repr=False)
class RecruiterLink:
    """A link in another scheme than providers', so that neither is taken for the other."""

    target: JoinLink

    def __str__(self) -> str:
        return str(self.target).replace(_PROVIDERS_SCHEME, _SCHEME, 1)

    def __repr__(self) -> str:
        return f"<RecruiterLink {self.target.redacted()}>"

    @classmethod
    def parse(cls, text: str) -> RecruiterLink:
        """Read a link as a person pasted it.

        Raises
        ------
        ConfigurationError
            It is none; the message never repeats it, as it may hold a secret.
        """
        if _SCHEME not in text:
            what = "a provider's link" if _PROVIDERS_SCHEME in text else "no recruiter's link"
            raise ConfigurationError(
                f"this is {what}: a recruiter's begins with {_SCHEME}, and the operator makes it "
                "with: eco-dask invite --recruiter NAME"
            )
        return cls(JoinLink.parse(text.replace(_SCHEME, _PROVIDERS_SCHEME, 1)))


def find_link(given: str | Path | None) -> RecruiterLink:
    """Return the link that was given, as text or in a file, or the one in the environment.

    Raises
    ------
    ConfigurationError
        There is none.
    """
    if given is None:
        found = os.environ.get(LINK_VARIABLE, "")
        if not found:
            raise ConfigurationError(
                "no recruiter's link: pass it, name a file that holds it, or put it into the "
                f"environment variable {LINK_VARIABLE}"
            )
        return RecruiterLink.parse(found)
    if isinstance(given, str) and "://" in given:
        return RecruiterLink.parse(given)
    try:
        with Path(given).open(encoding="utf-8") as file:
            return RecruiterLink.parse(file.read(_FILE_BYTES_MAX))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"cannot read a recruiter's link from {given} ({type(error).__name__})"
        ) from error
