"""The gateway's door: a WebSocket server that providers dial.

    HTTPServer ──one ProviderSocket each──► Handshake ──► Session ──► Gateway

Tornado serves it on the Dask worker's own event loop.
"""

from __future__ import annotations

import ssl
from typing import Any, ClassVar
from weakref import WeakSet

from distributed.utils import get_ip
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets
from tornado.web import Application

from eco_dask.gateway.admission import Admission
from eco_dask.gateway.door import Door
from eco_dask.gateway.enrolling import REQUEST_BYTES_MAX, Enrolling, RecruiterHandler
from eco_dask.gateway.gateway import Gateway
from eco_dask.gateway.offences import Offences
from eco_dask.gateway.provider_socket import ProviderSocket
from eco_dask.recruiters.authority import Authority
from eco_dask.recruiters.enrolment import PATH as RECRUITERS_PATH

#: Path of the provider protocol, version 1.
PATH = "/eco/v1/provider"


#: Bytes of the request that asks for a WebSocket.
HEADER_BYTES_MAX = 8192


class GuardedServer(HTTPServer):
    """An HTTP server that turns away who is one too many, before TLS begins."""

    def guard(self, door: Door, offences: Offences) -> None:
        """Ask ``door`` about every connection."""
        self._door, self._offences = door, offences
        self._asked: WeakSet[object] = WeakSet()

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Take in a new connection, or close it."""
        host = str(address[0])
        code = self._door.enter(host, stream)
        if code is not None:
            self._offences.by_stranger(host, code)
            stream.close()
            return
        super().handle_stream(stream, address)

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        """Take one request of each connection: a provider's becomes a WebSocket."""
        stream = getattr(server_conn, "stream", None)
        if server_conn in self._asked and stream is not None:
            stream.close()
        self._asked.add(server_conn)
        return super().start_request(server_conn, request_conn)

    def on_close(self, server_conn: object) -> None:
        """Note who came and spoke no WebSocket: other protocols, half-open connections."""
        super().on_close(server_conn)
        stream = getattr(server_conn, "stream", None)
        address = getattr(getattr(server_conn, "context", None), "remote_ip", "")
        if stream is not None and not self._door.has_spoken(stream):
            self._offences.by_stranger(str(address), "no-websocket")


class ProviderServer:
    """Listens for providers on one address."""

    _KIND: ClassVar[dict[bool, str]] = {False: "ws", True: "wss"}

    def __init__(
        self,
        gateway: Gateway,
        admission: Admission,
        context: ssl.SSLContext | None,
        authority: Authority | None = None,
    ) -> None:
        rule = gateway.rule
        door = Door(rule.guard, gateway.now_s)
        enrolling = Enrolling(gateway, authority)
        routing = {"gateway": gateway, "admission": admission, "door": door}
        application = Application(
            [
                (PATH, ProviderSocket, routing),
                (RECRUITERS_PATH, RecruiterHandler, {"enrolling": enrolling, "door": door}),
            ],
            log_function=lambda _: None,
        )
        self._server = GuardedServer(
            application,
            ssl_options=context,
            max_body_size=REQUEST_BYTES_MAX,
            body_timeout=rule.guard.hello_s,
            max_header_size=HEADER_BYTES_MAX,
            # Also the time for TLS: nothing has been read before.
            idle_connection_timeout=rule.guard.hello_s,
            max_buffer_size=rule.limits.frame_bytes_max + HEADER_BYTES_MAX,
        )
        self._server.guard(door, gateway.offences)
        self._tls = context is not None
        self._host = rule.host
        self.port = 0

    def listen(self, port: int) -> None:
        """Start to listen; port 0 takes any free one.

        Raises
        ------
        OSError
            If the port is taken or the address is not this machine's.
        """
        sockets = bind_sockets(port, self._host)
        self.port = sockets[0].getsockname()[1]
        self._server.add_sockets(sockets)

    @property
    def address(self) -> str:
        """What providers on this network dial."""
        # Listening on every address is no address that anyone could dial.
        host = get_ip() if self._host in ("", "0.0.0.0", "::") else self._host  # noqa: S104
        host = f"[{host}]" if ":" in host else host
        return f"{self._KIND[self._tls]}://{host}:{self.port}"

    def stop(self) -> None:
        """Stop listening."""
        self._server.stop()
