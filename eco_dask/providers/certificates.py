"""The gateway's own certificate, pinned by the fingerprint that travels in the join link.

No authority is asked: whoever has the link knows the fingerprint, and nobody else gets in.

::

    load_or_create_certificate --fingerprint--> JoinLink --> pins.check_fingerprint
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from eco_dask.errors import ConfigurationError
from eco_dask.providers.pins import pin_of
from eco_dask.providers.private_files import (
    hold_lock,
    make_private_folder,
    read_private,
    write_private,
)

CERTIFICATE_FILE = "gateway-certificate.pem"
KEY_FILE = "gateway-key.pem"

_CREATING = ".gateway-certificate.creating"
_LIFETIME = dt.timedelta(days=3653)
#: Clocks of providers may be behind.
_SKEW = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """Where a gateway's certificate and key lie, and what clients pin."""

    cert_path: Path
    key_path: Path
    #: SHA-256 of the certificate in DER, 64 lower case hex digits.
    fingerprint: str


def load_or_create_certificate(
    folder: Path, hosts: Sequence[str], at_s: float
) -> ServerCertificate:
    """Return the certificate kept in ``folder``; the first call there creates it.

    Parameters
    ----------
    folder : Path
        Folder of the gateway, for its user only.
    hosts : Sequence[str]
        Names and IP addresses to write into a new certificate, at least one. They inform;
        clients pin the fingerprint, so a kept certificate serves other hosts too.
    at_s : float
        Now, in seconds since 1970; a new certificate is valid for ten years.

    Raises
    ------
    ConfigurationError
        Certificate or key is missing, damaged or does not fit the other. They are never replaced
        silently: that would break every join link already handed out.
    """
    if not hosts:
        raise ValueError("a certificate names at least one host")
    make_private_folder(folder)
    cert_path, key_path = folder / CERTIFICATE_FILE, folder / KEY_FILE
    with hold_lock(folder / _CREATING, wait=True):
        # The certificate is written last, so without it nobody has pinned anything yet.
        if not cert_path.exists():
            if not key_path.exists():
                write_private(key_path, _pem_of(ec.generate_private_key(ec.SECP256R1())))
            key = _load_key(key_path)
            certificate = _self_signed(key, hosts, at_s)
            write_private(cert_path, certificate.public_bytes(serialization.Encoding.PEM))
    certificate = _load_certificate(cert_path)
    if certificate.public_key() != _load_key(key_path).public_key():
        raise ConfigurationError(
            f"{key_path} is not the key of {cert_path}: restore both from one backup, or move both "
            "away and hand out new join links"
        )
    return ServerCertificate(cert_path, key_path, certificate.fingerprint(hashes.SHA256()).hex())


def pin_of_own(cert_path: Path) -> str:
    """Return the pin of a certificate that signed itself; empty for one that an authority signed.

    Raises
    ------
    ConfigurationError
        It cannot be read.
    """
    certificate = _load_certificate(cert_path)
    own = certificate.issuer == certificate.subject
    return pin_of(certificate.fingerprint(hashes.SHA256()).hex()) if own else ""


def read_certificate(cert_path: Path, key_path: Path) -> ServerCertificate:
    """Return a certificate that somebody else made, such as a public authority.

    Raises
    ------
    ConfigurationError
        It cannot be read, or the key is not its own.
    """
    certificate = _load_certificate(cert_path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert_path, key_path)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"{key_path} cannot be used as the key of {cert_path} ({error.strerror or error}): see "
            "eco-dask.gateway.certificate and certificate-key"
        ) from error
    return ServerCertificate(cert_path, key_path, certificate.fingerprint(hashes.SHA256()).hex())


def server_context(certificate: ServerCertificate) -> ssl.SSLContext:
    """Return what a gateway's server listens with: TLS 1.3 or nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate.cert_path, certificate.key_path)
    return context


def _self_signed(
    key: ec.EllipticCurvePrivateKey, hosts: Sequence[str], at_s: float
) -> x509.Certificate:
    now = dt.datetime.fromtimestamp(at_s, dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "eco_dask gateway")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_san(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _san(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        pass
    try:
        return x509.DNSName(host)
    except ValueError as error:
        raise ConfigurationError(
            f"{host!r} is no host name for a certificate: write it in ASCII (xn--...)"
        ) from error


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    pem = read_private(path)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Not chained: what a parser says about a private key does not belong into a log.
        key = None
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key
    raise ConfigurationError(
        f"{path} is damaged or no elliptic curve key: restore it from a backup, or move it and "
        f"{CERTIFICATE_FILE} away and hand out new join links"
    )


def _load_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (ValueError, OSError) as error:
        raise ConfigurationError(
            f"cannot read the certificate {path}: restore it from a backup, or move it and "
            f"{KEY_FILE} away and hand out new join links"
        ) from error
