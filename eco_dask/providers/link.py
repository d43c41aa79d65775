"""The join link: everything a provider needs to join, as one word that survives copy and paste.

::

    eco-dask://host:port/ID.SECRET.PIN  <--str / parse-->  JoinLink

The pin is the start of the server certificate's SHA-256, or "ca" for a certificate of a public
authority. No character of a link means anything to a shell, a chat or a mail program.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eco_dask.errors import ConfigurationError, RegistrationError
from eco_dask.providers.invite import Invite
from eco_dask.providers.pins import pin_of

#: Environment variable that may hold a join link.
LINK_VARIABLE = "ECO_DASK_JOIN_LINK"

_FORM = "eco-dask://HOST:PORT/ID.SECRET.PIN"
#: The second form of the pin is that of earlier versions.
_LINK = re.compile(
    r"eco-dask://([^/?#\s]+)/([^/?#\s.]+(?:\.[^/?#\s.]+)?)(?:\.([a-z0-9]+)|\?tls=([0-9A-Fa-f:]+))?",
    re.ASCII,
)
_PLACE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", re.ASCII)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_HOST_SIZE_MAX = 253
_PORT_MAX = 65535
#: What mail programs and chats put around a link.
_WRAPPING = " \t\r\n\"'`<>\u2018\u2019\u201c\u201d\u00a0\u200b\ufeff"


@dataclass(frozen=True, slots=True, repr=False)
class JoinLink:
    """Where to connect, the word that lets in, and the certificate to expect.

    Only ``str`` shows the invite's secret. The parts are in canonical form: ``parse`` of ``str``
    is the same link.

    Raises
    ------
    ConfigurationError
        A part is malformed, or plain text would leave the machine.
    """

    #: "wss://host:port", or "ws://host:port" for plain text on loopback.
    address: str
    #: "ID.SECRET".
    invite: str
    #: Pin of the server's certificate, or "ca"; empty with "ws://". A whole SHA-256 in hex may be
    #: given, and is kept as a pin.
    fingerprint: str = ""

    def __post_init__(self) -> None:
        scheme, separator, place = self.address.partition("://")
        if separator == "" or scheme not in {"ws", "wss"}:
            raise ConfigurationError(
                f"an address starts with ws:// or wss://, not with {scheme[:8]!r}"
            )
        host, port = _split_place(place)
        if place != f"{host}:{port}":
            raise ConfigurationError(f"write the address in its short form, {host}:{port}")
        _check_invite(self.invite)
        object.__setattr__(self, "fingerprint", pin_of(self.fingerprint))
        if (scheme == "wss") != bool(self.fingerprint):
            raise ConfigurationError(
                f"{scheme}://{place} {'has no' if scheme == 'wss' else 'has a'} certificate "
                "fingerprint: wss:// needs one and ws:// has none"
            )
        if scheme == "ws" and not is_loopback(host):
            raise ConfigurationError(
                f"the link to {place} has no pin at its end, and plain text is only allowed to "
                "this same machine (localhost): ask the operator for the whole link"
            )

    def __str__(self) -> str:
        suffix = f".{self.fingerprint}" if self.fingerprint else ""
        return f"eco-dask://{self._place}/{self.invite}{suffix}"

    def __repr__(self) -> str:
        return f"<JoinLink {self.redacted()}>"

    @property
    def _place(self) -> str:
        return self.address.partition("://")[2]

    def redacted(self) -> str:
        """Return the form for logs: the invite's secret is left out."""
        suffix = f".{self.fingerprint}" if self.fingerprint else ""
        return f"eco-dask://{self._place}/{Invite.parse(self.invite).redacted()}{suffix}"

    @classmethod
    def parse(cls, text: str) -> JoinLink:
        """Read a link as a person pasted it, with blanks or quotes around it.

        Raises
        ------
        ConfigurationError
            It is no join link, or would use plain text beyond loopback. The message never
            repeats the text, which may hold a secret.
        """
        match = _LINK.fullmatch(text.strip(_WRAPPING))
        if match is None:
            raise ConfigurationError(
                f"this is no join link: it has the form {_FORM} without blanks; got "
                f"{len(text)} other characters: copy the whole link again"
            )
        place, invite, pin, whole = match.groups(default="")
        host, port = _split_place(place)
        fingerprint = pin or whole.replace(":", "").lower()
        scheme = "wss" if fingerprint else "ws"
        return cls(f"{scheme}://{host}:{port}", invite, fingerprint)


def find_link(argument: str | None, file: Path | None, environ: Mapping[str, str]) -> JoinLink:
    """Return the join link from the first source that has one: argument, file, environment.

    A file or the variable ``ECO_DASK_JOIN_LINK`` is better than an argument on a shared machine,
    where every user sees the arguments of all processes.

    Raises
    ------
    ConfigurationError
        No source has one, the file cannot be read, or what it holds is no link.
    """
    if argument:
        return JoinLink.parse(argument)
    if file is not None:
        try:
            return JoinLink.parse(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"cannot read a join link from {file} ({type(error).__name__}): check that it is "
                "the text file that the operator sent"
            ) from error
    if environ.get(LINK_VARIABLE):
        return JoinLink.parse(environ[LINK_VARIABLE])
    raise ConfigurationError(
        "no join link: give it as the argument, in a file, or in the environment variable "
        f"{LINK_VARIABLE}; the operator makes one with an invite ({_FORM})"
    )


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` is this machine by its name alone; IPv6 with or without brackets."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _split_place(place: str) -> tuple[str, int]:
    """Return the host in canonical form, IPv6 in brackets, and the port."""
    match = _PLACE.fullmatch(place)
    if match is None:
        raise ConfigurationError(
            f"a join link names HOST:PORT (IPv6 as [::1]:8788) after //; got {len(place)} other "
            f"characters: copy it again, it has the form {_FORM}"
        )
    host, port = match[1].lower(), int(match[2])
    if not 1 <= port <= _PORT_MAX:
        raise ConfigurationError(f"a port lies between 1 and {_PORT_MAX}; got {port}")
    if host.startswith("["):
        return f"[{_ip(ipaddress.IPv6Address, host[1:-1])}]", port
    if re.fullmatch(r"[0-9.]+", host):
        return _ip(ipaddress.IPv4Address, host), port
    if len(host) > _HOST_SIZE_MAX or not all(map(_LABEL.fullmatch, host.split("."))):
        raise ConfigurationError(
            f"the {len(host)} characters before the port are no host name: copy the link again"
        )
    return host, port


def _ip(kind: type[ipaddress.IPv4Address | ipaddress.IPv6Address], text: str) -> str:
    try:
        return str(kind(text))
    except ValueError as error:
        raise ConfigurationError(f"{text[:80]!r} is no IP address") from error


def _check_invite(text: str) -> None:
    try:
        Invite.parse(text)
    except RegistrationError as error:
        raise ConfigurationError(f"the join link holds {error}") from None
