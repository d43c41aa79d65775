"""What a coordinator serves in which way: TLS 1.3 beyond loopback, plain text only where asked."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path

import dask
import pytest
from distributed import Scheduler
from distributed.security import Security

from eco_dask.cli.circle import (
    choose_security,
    gateways_ca,
    harden_dashboard,
    secure_dashboard,
)
from eco_dask.cli.running import security_of
from eco_dask.errors import ConfigurationError
from eco_dask.plugins.circle import CircleSecurity

TLS = "distributed.scheduler.dashboard.tls"


@dataclass
class Options:
    """A command line."""

    folder: Path
    host: str = "127.0.0.1"
    recruiters: str = "auto"
    security: Security = field(default_factory=Security)

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder / 'coordinator.sqlite'}"


CASES = {
    "loopback": ("127.0.0.1", "auto", False),
    "loopback, but tls": ("127.0.0.1", "tls", True),
    "a network": ("192.0.2.1", "auto", True),
    "all addresses": ("0.0.0.0", "auto", True),
    "no host is all addresses": ("", "auto", True),
    "plain as asked": ("192.0.2.1", "plain", False),
}


@pytest.mark.parametrize(("host", "recruiters", "tls"), CASES.values(), ids=CASES)
def test_beyond_loopback_it_is_tls_unless_plain_text_was_asked_for(
    tmp_path: Path, host: str, recruiters: str, tls: bool, caplog: pytest.LogCaptureFixture
) -> None:
    security = choose_security(Options(tmp_path / "data", host, recruiters))
    assert isinstance(security, CircleSecurity) is tls
    context = security.get_listen_args("scheduler")["ssl_context"]
    assert (context is not None) is tls
    if tls:
        assert context.minimum_version is ssl.TLSVersion.TLSv1_3
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert str(gateways_ca(security)).endswith("operator-ca.pem")
    warned = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert bool(warned) == (recruiters == "plain")


def test_keys_of_the_authorities_are_their_users_alone_and_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    choose_security(Options(folder, "192.0.2.1"))
    files = {path: path.read_bytes() for path in (folder / "recruiters").glob("*.pem")}
    assert len(files) == 7
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    choose_security(Options(folder, "192.0.2.1"))
    assert {path: path.read_bytes() for path in files} == files


def test_ones_own_certificates_are_used_with_tls_1_3(tmp_path: Path) -> None:
    given = security_of(tls_ca_file="ca.pem", tls_scheduler_cert="cert.pem", tls_scheduler_key=None)
    assert given.tls_min_version is ssl.TLSVersion.TLSv1_3
    assert choose_security(Options(tmp_path, "192.0.2.1", security=given)) is given
    with pytest.raises(ConfigurationError, match="contradict"):
        choose_security(Options(tmp_path, "192.0.2.1", "plain", given))


@pytest.mark.parametrize(
    ("address", "tls"), [("127.0.0.1:0", False), ("[::1]:0", False), (":0", True), ("0", True)]
)
def test_pages_beyond_loopback_have_tls(tmp_path: Path, address: str, tls: bool) -> None:
    with dask.config.set({f"{TLS}.cert": None, f"{TLS}.key": None}):
        secure_dashboard(address, tmp_path / "data")
        assert (dask.config.get(f"{TLS}.cert") is not None) is tls


def test_pages_speak_tls_1_3_and_nothing_less(tmp_path: Path) -> None:
    async def serve() -> None:
        secure_dashboard("0.0.0.0:0", tmp_path / "data")
        async with Scheduler(port=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as found:
            harden_dashboard(found)
            port = found.services["dashboard"].port
            await asyncio.to_thread(look, port)

    def look(port: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", port), 10) as plain,
            context.wrap_socket(plain) as wrapped,
        ):
            assert wrapped.version() == "TLSv1.3"
            wrapped.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            assert b"200 OK" in wrapped.recv(4096)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with (
            socket.create_connection(("127.0.0.1", port), 10) as plain,
            pytest.raises(ssl.SSLError),
        ):
            context.wrap_socket(plain)

    with dask.config.set({f"{TLS}.cert": None, f"{TLS}.key": None}):
        asyncio.run(serve())
