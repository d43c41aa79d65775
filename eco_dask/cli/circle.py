"""How a coordinator serves recruiters: which TLS, and what refuses to start without.

--recruiters auto|tls|plain, --tls-..., --host ──choose_security──► Dask's Security
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
from pathlib import Path
from typing import Protocol

import dask
from distributed import Scheduler
from distributed.security import Security

from eco_dask.errors import ConfigurationError
from eco_dask.ledger.database import open_database
from eco_dask.plugins.circle import CircleSecurity
from eco_dask.providers.certificates import load_or_create_certificate
from eco_dask.providers.link import is_loopback
from eco_dask.recruiters.authority import OPERATOR_CA, Authority
from eco_dask.recruiters.roll import Roll

logger = logging.getLogger(__name__)


class Circle(Protocol):
    """What of the command line matters here."""

    @property
    def host(self) -> str:
        """Address that recruiters' clients dial."""

    @property
    def folder(self) -> Path:
        """The data directory."""

    @property
    def database(self) -> str:
        """URL of the books."""

    @property
    def recruiters(self) -> str:
        """One of auto, tls and plain."""

    @property
    def security(self) -> Security:
        """What --tls-ca-file, --tls-cert and --tls-key gave."""


def choose_security(options: Circle) -> Security:
    """Return how recruiters are served: plain text beyond loopback only where it was asked for.

    Raises
    ------
    ConfigurationError
        The options contradict each other, or the certificates cannot be made or read.
    """
    if options.security.tls_scheduler_cert:
        if options.recruiters == "plain":
            raise ConfigurationError("--recruiters plain and --tls-cert contradict each other")
        return options.security
    if options.recruiters == "plain":
        if not is_loopback(options.host):
            logger.warning(
                "Recruiters are served in plain text on %s, as --recruiters plain says: whoever "
                "reaches that port may run code here, and read and change everything",
                options.host or "all addresses",
            )
        return options.security
    if options.recruiters == "auto" and is_loopback(options.host):
        return options.security
    authority = Authority.load_or_create(options.folder, time.time())
    engine = open_database(options.database)
    return CircleSecurity(authority, Roll(engine))


def secure_dashboard(address: str, folder: Path) -> None:
    """Have Dask serve its pages with TLS, if they are served beyond this machine.

    Parameters
    ----------
    address : str
        "HOST:PORT", "PORT" or ":PORT"; without a host, all addresses.

    Raises
    ------
    ConfigurationError
        The certificate cannot be made or read.
    """
    host, _, _ = address.rpartition(":")
    if is_loopback(host) or dask.config.get("distributed.scheduler.dashboard.tls.cert") is not None:
        return
    own = load_or_create_certificate(folder, [host or socket.gethostname()], time.time())
    dask.config.set(
        {
            "distributed.scheduler.dashboard.tls.cert": str(own.cert_path),
            "distributed.scheduler.dashboard.tls.key": str(own.key_path),
        }
    )


def harden_dashboard(scheduler: Scheduler) -> None:
    """Take TLS 1.3 only for Dask's pages, where they have TLS at all."""
    context = getattr(scheduler.http_server, "ssl_options", None)
    if isinstance(context, ssl.SSLContext):
        context.minimum_version = ssl.TLSVersion.TLSv1_3


def gateways_ca(security: Security) -> str | None:
    """Return the file of the authority that gateways trust: recruiters have no business there."""
    ca: str | None = security.tls_ca_file
    if isinstance(security, CircleSecurity) and ca is not None:
        return str(Path(ca).with_name(f"{OPERATOR_CA}.pem"))
    return ca


def operators_security(folder: Path) -> Security:
    """Return what the operator's own commands dial the scheduler with."""
    authority = Authority.find(folder)
    return CircleSecurity.of_operator(authority) if authority is not None else Security()
