"""The coordinator's two authorities: one signs for its own processes, one for recruiters.

    operator CA  ──signs──► scheduler and gateways        recruiters check servers by it
    recruiter CA ──signs──► recruiters                    the scheduler lets both in, gateways only
                                                          the operator's

Dask's TLS knows no roles: whoever shows a certificate of the CA may do all. With two of them a
recruiter's certificate opens the scheduler for clients and nothing else, and cannot stand for a
server.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from eco_dask.errors import ConfigurationError, RegistrationError
from eco_dask.providers.private_files import (
    hold_lock,
    make_private_folder,
    read_private,
    write_private,
)

FOLDER = "recruiters"
OPERATOR_CA, RECRUITER_CA, COORDINATOR = "operator-ca", "recruiter-ca", "coordinator"
#: Common names of the two authorities, by which roles are told apart.
OPERATOR_NAME, RECRUITER_NAME = "eco_dask operator", "eco_dask recruiters"
#: What the scheduler accepts: both authorities.
BOTH_CAS = "both-cas.pem"

_CREATING = ".creating"
_CA_DAYS = 3653
_SKEW = dt.timedelta(days=1)
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}", re.ASCII)
_REQUEST_BYTES_MAX = 8192


@dataclass(frozen=True, slots=True)
class Issued:
    """A recruiter's certificate."""

    pem: str
    #: In hex, as revocations name it.
    serial: str
    #: Seconds since 1970.
    expires_at_s: float


@dataclass(frozen=True, slots=True)
class Authority:
    """The files of both authorities, in a private folder of the coordinator."""

    folder: Path

    @classmethod
    def load_or_create(cls, folder: Path, at_s: float) -> Authority:
        """Return the authorities kept below ``folder``; the first call creates them.

        Raises
        ------
        ConfigurationError
            The folder cannot be used, or a file is damaged.
        """
        make_private_folder(folder)
        home = folder / FOLDER
        make_private_folder(home)
        authority = cls(home)
        with hold_lock(home / _CREATING, wait=True):
            if not (home / BOTH_CAS).exists():
                authority._create(at_s)
        return authority

    @classmethod
    def find(cls, folder: Path) -> Authority | None:
        """Return the authorities kept below ``folder``, or None if there are none."""
        home = folder / FOLDER
        return cls(home) if (home / BOTH_CAS).exists() else None

    def path(self, name: str) -> Path:
        """Return where a certificate lies."""
        return self.folder / f"{name}.pem"

    def key_path(self, name: str) -> Path:
        """Return where a certificate's key lies."""
        return self.folder / f"{name}-key.pem"

    @property
    def both_cas(self) -> Path:
        """What the scheduler accepts."""
        return self.folder / BOTH_CAS

    def operator_ca_pem(self) -> str:
        """Return what recruiters check servers by."""
        return self.path(OPERATOR_CA).read_text(encoding="ascii")

    def issue(self, name: str, request_pem: bytes, at_s: float, days: float) -> Issued:
        """Sign a recruiter's key.

        Parameters
        ----------
        name : str
            The recruiter's; whatever the request says of names is ignored.
        request_pem : bytes
            A certificate signing request, hostile input.
        at_s : float
            Now, in seconds since 1970.

        Raises
        ------
        RegistrationError
            Code ``"bad-request"``.
        """
        public_key = requested_key(request_pem)
        ca_key = _load_key(self.key_path(RECRUITER_CA))
        ca = x509.load_pem_x509_certificate(self.path(RECRUITER_CA).read_bytes())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        end = dt.timedelta(days=days)
        builder = _builder(check_recruiter(name), ca.subject, public_key, at_s, end)
        certificate = (
            builder.add_extension(usage, critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(ca_key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        expires_at_s = certificate.not_valid_after_utc.timestamp()
        return Issued(pem, f"{certificate.serial_number:x}", expires_at_s)

    def _create(self, at_s: float) -> None:
        cas = []
        for file, name in ((OPERATOR_CA, OPERATOR_NAME), (RECRUITER_CA, RECRUITER_NAME)):
            key = ec.generate_private_key(ec.SECP256R1())
            ca = _self_signed(name, key, at_s)
            write_private(self.key_path(file), _pem_of(key))
            write_private(self.path(file), ca.public_bytes(serialization.Encoding.PEM))
            cas.append((ca, key))
        (operator, operator_key), _ = cas
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage(
            [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        )
        end = dt.timedelta(days=_CA_DAYS)
        own = (
            _builder("coordinator", operator.subject, key.public_key(), at_s, end)
            .add_extension(usage, critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(operator_key, hashes.SHA256())
        )
        write_private(self.key_path(COORDINATOR), _pem_of(key))
        write_private(self.path(COORDINATOR), own.public_bytes(serialization.Encoding.PEM))
        # Last, so that what is there is whole.
        pems = [ca.public_bytes(serialization.Encoding.PEM) for ca, _ in cas]
        write_private(self.both_cas, b"".join(pems))


def check_recruiter(name: str) -> str:
    """Return a recruiter's name if it is one.

    Raises
    ------
    ConfigurationError
        It is not 1 to 64 letters, digits or ``. _ @ -``.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            "a recruiter's name has 1 to 64 letters, digits or . _ @ - ; got "
            f"{len(name)} characters of which some are others"
        )
    return name


def requested_key(request_pem: bytes) -> ec.EllipticCurvePublicKey:
    """Return the key that a signing request is for.

    Raises
    ------
    RegistrationError
        Code ``"bad-request"``: it is no request of a P-256 key, signed by that key.
    """
    wrong = RegistrationError(
        "bad-request", "this is no signing request of a P-256 key; use eco_dask.connect(link)"
    )
    if len(request_pem) > _REQUEST_BYTES_MAX:
        raise wrong
    try:
        request = x509.load_pem_x509_csr(request_pem)
        key = request.public_key()
        signed = request.is_signature_valid
    except (ValueError, TypeError, InvalidSignature) as error:
        raise wrong from error
    curve_fits = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    if not (signed and curve_fits and isinstance(key, ec.EllipticCurvePublicKey)):
        raise wrong
    return key


def _builder(
    name: str,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    at_s: float,
    lifetime: dt.timedelta,
) -> x509.CertificateBuilder:
    now = dt.datetime.fromtimestamp(at_s, dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + lifetime)
    )


def _self_signed(name: str, key: ec.EllipticCurvePrivateKey, at_s: float) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _builder(name, subject, key.public_key(), at_s, dt.timedelta(days=_CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(read_private(path), password=None)
    except (ValueError, TypeError):
        # Not chained: what a parser says about a private key does not belong into a log.
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError(f"{path} is damaged: restore it from a backup")
    return key
