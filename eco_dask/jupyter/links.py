"""Where a coordinator's HTTP API is, and when a token may travel there.

"https://host:8787/#token=...&pin=..." ──parse──► Link(url, token, pin=pin)
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from eco_dask.errors import ConfigurationError
from eco_dask.providers.link import is_loopback
from eco_dask.providers.pins import PUBLIC_CA, pin_of

#: Characters of a bearer token (RFC 6750); also keeps it on one line of a header.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=:-]{1,512}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}", re.ASCII)
_FORM = "https://HOST:PORT/#token=TOKEN"
#: Whose certificate is checked by its name, as a public authority signed it.
_PUBLIC = ""


@dataclass(frozen=True, slots=True)
class Link:
    """The address of a coordinator's HTTP API, and the token for it.

    Raises
    ------
    ConfigurationError
        The address is none, or the token would travel in plain text.
    """

    #: ``http[s]://host:port[/prefix]`` without a slash at its end.
    url: str
    token: str | None = field(default=None, repr=False)
    #: Whether the token may leave this machine in plain text: only where settings say so.
    insecure: bool = False
    #: Pin of the coordinator's certificate; empty where a public authority signed it.
    pin: str = _PUBLIC

    def __post_init__(self) -> None:
        scheme, host = _check_address(self.url)
        pin = pin_of(self.pin)
        if pin and scheme == "http":
            raise ConfigurationError(f"a pin is a certificate's, and {host} has none: use https://")
        object.__setattr__(self, "pin", _PUBLIC if pin == PUBLIC_CA else pin)
        if self.token is None:
            return
        if not _TOKEN.fullmatch(self.token):
            raise ConfigurationError(
                "the token holds characters that no token has: copy it again, without blanks"
            )
        if scheme == "http" and not is_loopback(host) and not self.insecure:
            raise ConfigurationError(
                f"the token for {host} would travel in plain text: use https://, or connect "
                "without a token for the public figures"
            )

    @property
    def id(self) -> str:
        """Short name of the address, the same whenever it is configured."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:12]


def parse(text: str, token: str | None = None) -> Link:
    """Read a link as a person pasted it.

    Parameters
    ----------
    text : str
        Such as ``https://host:8787/#token=...`` or a dashboard's address, whose page is left out.
    token : str, optional
        Comes before the link's own.

    Raises
    ------
    ConfigurationError
        It is no link. The message never repeats the text, which may hold a secret.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"this is no address of the form {_FORM}") from None
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(f"write the token as {_FORM}, not as a user or password")
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/").removesuffix("/status").removesuffix("/eco/api/v1")
    place = f"{host}:{port}" if port is not None else str(host or "")
    said = parse_qs(parts.fragment)
    found = token or next(iter(said.get("token", [])), None)
    pin = next(iter(said.get("pin", [])), _PUBLIC)
    return Link(f"{parts.scheme}://{place}{path}", found or None, pin=pin)


def _check_address(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
        raise ConfigurationError(
            f"a coordinator's address has the form {_FORM}; got one of {len(url)} characters "
            "that has not"
        )
    if parts.query or parts.fragment or url.endswith("/") or ".." in parts.path:
        raise ConfigurationError(f"a coordinator's address has the form {_FORM}, and no more")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return parts.scheme, host
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        # Link-local holds the metadata services of clouds, which hand out credentials.
        raise ConfigurationError(f"no coordinator is at {host}, an address of no host")
    return parts.scheme, host
