"""Certificates: made once, kept, and pinned by their fingerprint in a real handshake."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from eco_dask.errors import ConfigurationError, RegistrationError
from eco_dask.providers.certificates import (
    CERTIFICATE_FILE,
    KEY_FILE,
    ServerCertificate,
    load_or_create_certificate,
    server_context,
)
from eco_dask.providers.pins import check_fingerprint, client_context

NOW_S = 1.8e9
HOSTS = ["gate.example.org", "127.0.0.1", "[2001:db8::1]"]


@pytest.fixture
def certificate(tmp_path: Path) -> ServerCertificate:
    return load_or_create_certificate(tmp_path / "gateway", HOSTS, NOW_S)


def parsed(certificate: ServerCertificate) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate.cert_path.read_bytes())


def connect(certificate: ServerCertificate, client: ssl.SSLContext) -> tuple[bytes | None, str]:
    """Shake hands over a real socket; return the server's certificate and the TLS version."""
    context = server_context(certificate)

    def serve(listener: socket.socket) -> None:
        plain, _ = listener.accept()
        try:
            with context.wrap_socket(plain, server_side=True) as encrypted:
                encrypted.recv(1)
        except (ssl.SSLError, ConnectionError):
            plain.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        try:
            plain = socket.create_connection(listener.getsockname(), timeout=30)
            with client.wrap_socket(plain, server_hostname="anything") as encrypted:
                encrypted.sendall(b"x")
                return encrypted.getpeercert(binary_form=True), str(encrypted.version())
        finally:
            server.join(timeout=30)
            assert not server.is_alive()


def test_the_right_fingerprint_passes_a_real_handshake(certificate: ServerCertificate) -> None:
    der, version = connect(certificate, client_context(certificate.fingerprint))
    check_fingerprint(der, certificate.fingerprint)
    assert version == "TLSv1.3"


def test_the_wrong_fingerprint_is_refused_after_a_real_handshake(
    certificate: ServerCertificate, tmp_path: Path
) -> None:
    other = load_or_create_certificate(tmp_path / "other", HOSTS, NOW_S)
    der, _ = connect(other, client_context(certificate.fingerprint))
    with pytest.raises(RegistrationError, match="somebody may be in between") as refused:
        check_fingerprint(der, certificate.fingerprint)
    assert refused.value.code == "certificate-mismatch"


@pytest.mark.parametrize("der", [None, b"", b"no certificate"])
def test_no_certificate_is_a_mismatch(certificate: ServerCertificate, der: bytes | None) -> None:
    with pytest.raises(RegistrationError) as refused:
        check_fingerprint(der, certificate.fingerprint)
    assert refused.value.code == "certificate-mismatch"


@pytest.mark.parametrize("der", [None, b""])
def test_an_empty_fingerprint_matches_nothing(der: bytes | None) -> None:
    with pytest.raises(RegistrationError):
        check_fingerprint(der, "")


def test_older_tls_is_refused(certificate: ServerCertificate) -> None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect(certificate, client)


def test_the_certificate_is_kept_whatever_the_hosts_and_the_time(
    certificate: ServerCertificate,
) -> None:
    folder = certificate.cert_path.parent
    assert load_or_create_certificate(folder, ["elsewhere"], NOW_S + 1e9) == certificate


def test_it_says_what_was_asked(certificate: ServerCertificate) -> None:
    found = parsed(certificate)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["gate.example.org"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == [
        "127.0.0.1",
        "2001:db8::1",
    ]
    assert isinstance(found.public_key(), ec.EllipticCurvePublicKey)
    assert found.not_valid_before_utc.timestamp() <= NOW_S - 3600
    assert found.not_valid_after_utc.timestamp() - NOW_S > 10 * 365 * 86400


def test_the_key_is_private(certificate: ServerCertificate) -> None:
    assert stat.S_IMODE(certificate.key_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(certificate.key_path.parent.stat().st_mode) == 0o700
    secret = certificate.key_path.read_text().splitlines()[1]
    assert secret not in repr(certificate)


def test_a_crash_before_the_certificate_was_written_heals(certificate: ServerCertificate) -> None:
    key = certificate.key_path.read_bytes()
    certificate.cert_path.unlink()
    again = load_or_create_certificate(certificate.cert_path.parent, HOSTS, NOW_S)
    assert again.key_path.read_bytes() == key
    assert again.fingerprint != certificate.fingerprint


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (CERTIFICATE_FILE, b""),
        (CERTIFICATE_FILE, b"garbage"),
        (KEY_FILE, b""),
        (KEY_FILE, b"garbage"),
        (KEY_FILE, None),
    ],
)
def test_damage_is_an_error_and_never_a_new_certificate(
    certificate: ServerCertificate, name: str, content: bytes | None
) -> None:
    folder = certificate.cert_path.parent
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match="restore it from a backup"):
        load_or_create_certificate(folder, HOSTS, NOW_S)


def test_a_foreign_key_is_an_error(certificate: ServerCertificate, tmp_path: Path) -> None:
    other = load_or_create_certificate(tmp_path / "other", HOSTS, NOW_S)
    certificate.key_path.write_bytes(other.key_path.read_bytes())
    with pytest.raises(ConfigurationError, match="is not the key of"):
        load_or_create_certificate(certificate.cert_path.parent, HOSTS, NOW_S)


@pytest.mark.parametrize("fingerprint", ["", "abc", "G" * 64, "A" * 64, "a" * 65, "a" * 64 + "\n"])
def test_a_client_without_a_fingerprint_is_not_built(fingerprint: str) -> None:
    with pytest.raises(ConfigurationError, match="fingerprint"):
        client_context(fingerprint)


def test_a_host_name_must_fit_a_certificate(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="host name"):
        load_or_create_certificate(tmp_path, ["b\u00fccher.example"], NOW_S)
    with pytest.raises(ValueError, match="at least one host"):
        load_or_create_certificate(tmp_path, [], NOW_S)
