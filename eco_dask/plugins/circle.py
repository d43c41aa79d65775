"""Who may do what on the scheduler's own port: recruiters submit work, the operator runs the rest.

    TLS handshake ──certificate──► revoked: gone before a byte of Dask's protocol is read
    op ──handler──► operator's certificate | recruiter's: clients' operations only

Recruiters of one coordinator trust each other, as Dask's scheduler unpickles what they send. This
keeps out who is nobody here, and keeps honest mistakes from becoming the operator's.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any

from distributed import Scheduler
from distributed.security import Security
from sqlalchemy.exc import SQLAlchemyError

from eco_dask.dask_internals import expects_comm, open_comms
from eco_dask.recruiters.authority import COORDINATOR, OPERATOR_CA, RECRUITER_NAME, Authority
from eco_dask.recruiters.roll import Roll

logger = logging.getLogger(__name__)

#: What a recruiter's client may not ask for: to be a worker, to change or end the coordinator's
#: processes, and to run functions in them.
OPERATORS_ONLY = (
    "add_keys", "broadcast", "heartbeat_worker", "proxy", "register-worker", "register_nanny",
    "register_nanny_plugin", "register_scheduler_plugin", "register_worker_plugin",
    "restart_workers", "retire_workers", "run_function", "terminate", "unregister",
    "unregister_nanny_plugin", "unregister_scheduler_plugin", "unregister_worker_plugin",
    "workers_to_close",
)  # fmt: skip
#: How often revocations are looked up, in seconds.
LOOK_S = 5.0


class CircleSecurity(Security):
    """Dask's TLS with two authorities and revocation.

    Parameters
    ----------
    authority : Authority
        The coordinator's.
    roll : Roll
        Who is revoked.
    """

    def __init__(self, authority: Authority, roll: Roll) -> None:
        own = str(authority.path(COORDINATOR)), str(authority.key_path(COORDINATOR))
        super().__init__(
            require_encryption=True,
            tls_ca_file=str(authority.both_cas),
            tls_min_version=ssl.TLSVersion.TLSv1_3,
            tls_scheduler_cert=own[0],
            tls_scheduler_key=own[1],
            tls_worker_cert=own[0],
            tls_worker_key=own[1],
            tls_client_cert=own[0],
            tls_client_key=own[1],
        )
        self._roll = roll
        self.revoked = roll.revoked()

    @staticmethod
    def of_operator(authority: Authority) -> Security:
        """Return what the operator's own commands dial the scheduler with."""
        return Security(
            require_encryption=True,
            tls_ca_file=str(authority.path(OPERATOR_CA)),
            tls_client_cert=str(authority.path(COORDINATOR)),
            tls_client_key=str(authority.key_path(COORDINATOR)),
        )

    def get_listen_args(self, role: str) -> dict[str, Any]:
        """Return what Dask listens with; its TLS also asks who is revoked."""
        arguments: dict[str, Any] = super().get_listen_args(role)
        context = arguments["ssl_context"]
        context.sslsocket_class = _socket_class(lambda: self.revoked)
        return arguments

    async def watch(self, scheduler: Scheduler) -> None:
        """Look up revocations until cancelled, and end the connections of who was revoked."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                self.revoked = await asyncio.to_thread(self._roll.revoked)
            except SQLAlchemyError as error:
                logger.warning("Who of the recruiters is revoked could not be looked up: %s", error)
                continue
            for comm in open_comms(scheduler):
                if serial_of(comm.extra_info.get("peercert")) in self.revoked:
                    logger.warning("A revoked recruiter's connection is ended")
                    comm.abort()


def _socket_class(revoked: Callable[[], frozenset[str]]) -> type[ssl.SSLSocket]:
    class CheckedSocket(ssl.SSLSocket):
        """Ends a handshake with a certificate that was revoked."""

        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            if serial_of(self.getpeercert()) in revoked():
                raise ConnectionResetError(104, "the certificate was revoked")

    return CheckedSocket


def serial_of(certificate: dict[str, Any] | None) -> str | None:
    """Return a certificate's serial number as revocations name it; None without certificate."""
    if not certificate:
        return None
    return f"{int(str(certificate.get('serialNumber', '0')), 16):x}"


def is_recruiter(certificate: dict[str, Any] | None) -> bool:
    """Tell whether the authority for recruiters signed a certificate."""
    issuer = (certificate or {}).get("issuer", ())
    names = [value for part in issuer for key, value in part if key == "commonName"]
    return RECRUITER_NAME in names


def restrict(scheduler: Scheduler) -> None:
    """Leave the operator's operations to the operator's own certificates."""
    for op in OPERATORS_ONLY:
        handler = scheduler.handlers.get(op)
        if handler is not None:
            scheduler.handlers[op] = _operators_only(op, handler)


def _operators_only(op: str, handler: Callable[..., Any]) -> Callable[..., Any]:
    with_comm = expects_comm(handler)

    async def guarded(comm: Any, **arguments: Any) -> Any:
        if is_recruiter(comm.extra_info.get("peercert")):
            logger.warning("A recruiter at %s asked for %r and was refused", comm.peer_address, op)
            raise PermissionError(
                f"{op!r} is the operator's: a recruiter's certificate does not allow it here"
            )
        result = handler(comm, **arguments) if with_comm else handler(**arguments)
        return await result if asyncio.iscoroutine(result) else result

    return guarded
