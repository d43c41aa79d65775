"""A recruiter's way in: a key drawn here, a certificate fetched with the link's one-time word.

    RecruiterLink ──POST, pinned TLS──► gateway ──► Credentials ──kept──► Security, address

The key never leaves this machine. The link is worth nothing once it was used; what it was turned
into is kept in the user's data directory, so that the same call works again.
"""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from eco_dask.config import data_directory
from eco_dask.errors import ConfigurationError, RegistrationError
from eco_dask.providers.invite import Invite
from eco_dask.providers.pins import check_fingerprint, client_context
from eco_dask.providers.private_files import make_private_folder, read_private, write_private
from eco_dask.recruiters.link import RecruiterLink

#: Where a gateway takes recruiters' requests.
PATH = "/eco/v1/recruiter"
FOLDER = "recruiter"
_ANSWER_BYTES_MAX = 64 * 1024
_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a recruiter's client needs; the key and the token are secrets."""

    #: Name of the recruiter.
    recruiter: str
    #: What the client dials, ``tls://...``, or ``tcp://...`` on this machine.
    scheduler: str
    #: Seconds since 1970.
    expires_at_s: float
    #: For the HTTP API.
    token: str = field(default="", repr=False)
    #: PEM; empty for plain text on this machine.
    ca: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)


def credentials(link: RecruiterLink, folder: Path | None = None) -> Credentials:
    """Return what a link was turned into, now or before.

    Parameters
    ----------
    folder : Path, optional
        Where credentials are kept. Default: ``recruiter`` in ``eco-dask.data-directory``.

    Raises
    ------
    RegistrationError
        The gateway refuses the link.
    ConfigurationError
        The kept credentials have expired or cannot be read, or nobody answers.
    """
    home = data_directory() / FOLDER if folder is None else folder
    path = home / f"{Invite.parse(link.target.invite).id}.json"
    if path.exists():
        return _kept(path)
    make_private_folder(home)
    found = enrol(link)
    write_private(path, json.dumps(asdict(found)).encode())
    return found


def _kept(path: Path) -> Credentials:
    try:
        found = Credentials(**json.loads(read_private(path)))
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{path} is damaged: remove it, and ask the operator for a new link"
        ) from error
    if found.expires_at_s <= time.time():
        raise ConfigurationError(
            f"the certificate of recruiter {found.recruiter} has expired: ask the operator for a "
            f"new link (eco-dask invite --recruiter {found.recruiter})"
        )
    return found


def enrol(link: RecruiterLink) -> Credentials:
    """Turn a link into credentials; it is used up afterwards.

    Raises
    ------
    RegistrationError
        The gateway refuses the link, or is another one.
    ConfigurationError
        Nobody answers.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "recruiter")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    asked = {
        "invite": link.target.invite,
        "request": request.public_bytes(serialization.Encoding.PEM).decode(),
    }
    try:
        answer = _post(link, asked)
        refusal = answer.get("refused")
        if refusal is not None:
            raise RegistrationError(str(refusal["code"])[:64], str(refusal["message"])[:1000])
        return Credentials(
            **{name: answer[name] for name in ("recruiter", "scheduler", "expires_at_s", "token")},
            ca=answer["ca"],
            certificate=answer["certificate"],
            key=key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ).decode(),
        )
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"the gateway at {link.target.address} did not enrol this recruiter "
            f"({str(error)[:200] or type(error).__name__}): check that it runs and can be reached "
            "from here"
        ) from error


def _post(link: RecruiterLink, asked: dict[str, str]) -> dict[str, Any]:
    place = link.target.address.partition("://")[2]
    pin = link.target.fingerprint
    connection: http.client.HTTPConnection
    if pin:
        connection = http.client.HTTPSConnection(
            place, context=client_context(pin), timeout=_TIMEOUT_S
        )
        connection.connect()
        # Before the first byte is sent: the request holds the word.
        check_fingerprint(connection.sock.getpeercert(binary_form=True), pin)
    else:
        connection = http.client.HTTPConnection(place, timeout=_TIMEOUT_S)
    try:
        headers = {"Content-Type": "application/json", "Connection": "close"}
        connection.request("POST", PATH, json.dumps(asked), headers)
        body = connection.getresponse().read(_ANSWER_BYTES_MAX)
    finally:
        connection.close()
    answer = json.loads(body)
    if not isinstance(answer, dict):
        raise TypeError("the answer is no object")
    return answer
