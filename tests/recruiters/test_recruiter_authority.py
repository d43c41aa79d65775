"""The recruiters' authority signs keys that were proven, for the name that the operator gave."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from eco_dask.errors import ConfigurationError, RegistrationError
from eco_dask.recruiters.authority import Authority, check_recruiter

NOW_S = 1.8e9


def request(key: object, name: str = "somebody else") -> bytes:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    extra = x509.BasicConstraints(ca=True, path_length=None)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    built = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .add_extension(extra, critical=True)
        .sign(key, algorithm)  # type: ignore[arg-type]
    )
    return built.public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.load_or_create(tmp_path_factory.mktemp("data"), NOW_S)


def test_what_a_request_says_of_names_and_rights_is_ignored(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issued = authority.issue("rita", request(key), NOW_S, 30)
    found = x509.load_pem_x509_certificate(issued.pem.encode())
    assert found.subject.rfc4514_string() == "CN=rita"
    assert found.issuer.rfc4514_string() == "CN=eco_dask recruiters"
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert found.public_key() == key.public_key()
    end = dt.datetime.fromtimestamp(NOW_S, dt.UTC) + dt.timedelta(days=30)
    assert found.not_valid_after_utc == end
    assert issued.serial == f"{found.serial_number:x}"


def other_key(request_pem: bytes) -> bytes:
    """Change a byte of the signature."""
    der = bytearray(x509.load_pem_x509_csr(request_pem).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1

    body = base64.encodebytes(bytes(der)).decode()
    head, tail = (f"-----{word} CERTIFICATE REQUEST-----\n" for word in ("BEGIN", "END"))
    return f"{head}{body}{tail}".encode()


P256 = request(ec.generate_private_key(ec.SECP256R1()))
HOSTILE = {
    "nothing": b"",
    "junk": bytes(range(256)),
    "giant": P256 + b"x" * 10_000,
    "another curve": request(ec.generate_private_key(ec.SECP384R1())),
    "RSA": request(rsa.generate_private_key(65537, 2048)),
    "Ed25519": request(ed25519.Ed25519PrivateKey.generate()),
    "somebody else's key": other_key(P256),
    "a certificate": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
}


@pytest.mark.parametrize("pem", HOSTILE.values(), ids=HOSTILE)
def test_other_requests_are_refused(authority: Authority, pem: bytes) -> None:
    with pytest.raises(RegistrationError) as refused:
        authority.issue("rita", pem, NOW_S, 30)
    assert refused.value.code == "bad-request"


@pytest.mark.parametrize("name", ["", "a b", "a" * 65, "a\nb", "rita,O=operator", "ri/ta"])
def test_names_are_words(name: str) -> None:
    with pytest.raises(ConfigurationError):
        check_recruiter(name)


def test_a_damaged_authority_is_not_replaced(tmp_path: Path) -> None:
    found = Authority.load_or_create(tmp_path, NOW_S)
    found.key_path("recruiter-ca").write_bytes(b"junk")
    again = Authority.load_or_create(tmp_path, NOW_S)
    with pytest.raises(ConfigurationError, match="damaged"):
        again.issue("rita", P256, NOW_S, 1)
