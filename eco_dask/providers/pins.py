"""How a server's certificate is known again: by the pin that travels in links.

link ──pin──► client_context ──handshake──► check_fingerprint ──► the first byte

Standard library only: a provider's agent needs no more of certificates than this.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import ssl

from eco_dask.errors import ConfigurationError, RegistrationError

#: In place of a pin: a public authority signed the certificate, and its name is checked.
PUBLIC_CA = "ca"

_FINGERPRINT = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PIN = re.compile(r"[a-z2-7]{26}", re.ASCII)
#: Bytes of a fingerprint that are pinned: nobody finds a second certificate with the same 128 bits.
_PIN_SIZE_BYTES = 16


def pin_of(fingerprint: str) -> str:
    """Return the short form of a fingerprint that travels in links: 26 letters and digits.

    Parameters
    ----------
    fingerprint : str
        64 hex digits, or a pin already, or :data:`PUBLIC_CA`, or empty for plain text.

    Raises
    ------
    ConfigurationError
        It is none of these.
    """
    if fingerprint in {"", PUBLIC_CA} or _PIN.fullmatch(fingerprint):
        return fingerprint
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise ConfigurationError(
            "the certificate's fingerprint is 26 letters and digits, or 64 hex digits (SHA-256); "
            f"got {len(fingerprint)} characters: copy the whole link again"
        )
    short = bytes.fromhex(fingerprint)[:_PIN_SIZE_BYTES]
    return base64.b32encode(short).decode().rstrip("=").lower()


def client_context(fingerprint: str) -> ssl.SSLContext:
    """Return what a provider connects with.

    With a pin it accepts any certificate: call :func:`check_fingerprint` after the handshake,
    before the first byte is sent. With :data:`PUBLIC_CA` it asks the system's authorities.

    Raises
    ------
    ConfigurationError
        ``fingerprint`` is none, so nothing could be checked afterwards.
    """
    if fingerprint == PUBLIC_CA:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context
    if not pin_of(fingerprint):
        raise ConfigurationError("a certificate's fingerprint is needed: copy the whole link again")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def check_fingerprint(der_bytes: bytes | None, fingerprint: str) -> None:
    """Refuse a server whose certificate is not the pinned one.

    Parameters
    ----------
    der_bytes : bytes or None
        ``SSLSocket.getpeercert(binary_form=True)``.
    fingerprint : str
        From the join link: a pin, or 64 lower case hex digits. :data:`PUBLIC_CA` is fulfilled by
        any certificate, as TLS itself has checked it.

    Raises
    ------
    RegistrationError
        Code ``"certificate-mismatch"``.
    """
    if fingerprint == PUBLIC_CA and der_bytes:
        return
    found = pin_of(hashlib.sha256(der_bytes).hexdigest()) if der_bytes else "none"
    fingerprint = pin_of(fingerprint)
    if not hmac.compare_digest(found.encode(), fingerprint.encode()):
        raise RegistrationError(
            "certificate-mismatch",
            f"the gateway shows certificate {found[:16]}, the join link expects "
            f"{fingerprint[:16]}: somebody may be in between, or the operator changed it; ask the "
            "operator for a fresh join link",
        )


def trust_only(der_bytes: bytes) -> ssl.SSLContext:
    """Return the client side of TLS 1.3 to the holder of this one certificate, whatever its name.

    For clients that cannot look at the certificate after the handshake: compare it with its pin by
    :func:`check_fingerprint` first.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    # It need not be an authority's to be trusted for itself.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=der_bytes)
    return context
