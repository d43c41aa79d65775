"""The gateway's door: a WebSocket server that providers dial.

    HTTPServer ──one ProviderSocket each──► Handshake ──► Session ──► Gateway

Tornado serves it on the Dask worker's own event loop.
"""

from __future__ import annotations

import ssl
from typing import ClassVar

from distributed.utils import get_ip
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from eco_dask.gateway.admission import Admission
from eco_dask.gateway.gateway import Gateway
from eco_dask.gateway.provider_socket import ProviderSocket

#: Path of the provider protocol, version 1.
PATH = "/eco/v1/provider"


class ProviderServer:
    """Listens for providers on one address."""

    _KIND: ClassVar[dict[bool, str]] = {False: "ws", True: "wss"}

    def __init__(
        self, gateway: Gateway, admission: Admission, context: ssl.SSLContext | None
    ) -> None:
        rule = gateway.rule
        application = Application(
            [(PATH, ProviderSocket, {"gateway": gateway, "admission": admission})],
            websocket_max_message_size=rule.limits.frame_bytes_max,
            websocket_ping_interval=rule.ping_s,
            websocket_ping_timeout=rule.ping_s,
            log_function=lambda _: None,
        )
        self._server = HTTPServer(application, ssl_options=context, max_body_size=0)
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
