"""The certificate that a gateway shows: its own, or one that the operator keeps renewed.

choose(rule, folder) ──► ShownCertificate | None (plain text)      file changed ──refresh──► shown
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

from eco_dask.config import GatewayRule
from eco_dask.errors import ConfigurationError
from eco_dask.providers.certificates import (
    ServerCertificate,
    load_or_create_certificate,
    read_certificate,
    server_context,
)
from eco_dask.providers.link import is_loopback
from eco_dask.providers.pins import PUBLIC_CA

logger = logging.getLogger(__name__)


class ShownCertificate:
    """What providers see when they dial.

    Parameters
    ----------
    pin : str
        What join links say of it: a fingerprint, or that a public authority signed it.
    """

    def __init__(self, certificate: ServerCertificate, pin: str) -> None:
        self.pin = pin
        self.context = server_context(certificate)
        self._certificate = certificate
        self._changed_at_s = _changed_at_s(certificate)

    @classmethod
    def choose(cls, rule: GatewayRule, folder: Path) -> ShownCertificate | None:
        """Take the operator's certificate, or this gateway's own; None for plain text on loopback.

        Raises
        ------
        ConfigurationError
            The certificate cannot be used, or only one of its two files is named.
        """
        named = (rule.certificate, rule.certificate_key)
        if None not in named:
            given = read_certificate(Path(str(named[0])), Path(str(named[1])))
            return cls(given, PUBLIC_CA)
        if any(named):
            raise ConfigurationError(
                "eco-dask.gateway.certificate and certificate-key go together; only one is set"
            )
        if is_loopback(rule.host):
            return None
        own = load_or_create_certificate(folder, [rule.host], time.time())
        return cls(own, own.fingerprint)

    def binding(self) -> bytes:
        """Return what providers' signatures are bound to: the SHA-256 of the certificate."""
        return bytes.fromhex(self._certificate.fingerprint)

    def refresh(self) -> None:
        """Show the files as they are now, if they have changed; what cannot be read stays out."""
        changed_at_s = _changed_at_s(self._certificate)
        if self.pin != PUBLIC_CA or changed_at_s == self._changed_at_s:
            return
        self._changed_at_s = changed_at_s
        try:
            fresh = read_certificate(self._certificate.cert_path, self._certificate.key_path)
        except ConfigurationError as error:
            logger.warning("The renewed certificate is not used: %s", error)
            return
        self.context.load_cert_chain(fresh.cert_path, fresh.key_path)
        self._certificate = fresh
        logger.info("The renewed certificate %s is shown from now on", fresh.fingerprint[:16])


def _changed_at_s(certificate: ServerCertificate) -> float:
    try:
        return max(certificate.cert_path.stat().st_mtime, certificate.key_path.stat().st_mtime)
    except OSError:
        # In the middle of a renewal.
        return 0.0
