"""A way between two processes that can fall silent, as a network does that a laptop has left.

provider ──► Relay ──► gateway: forwards, until it is moved; then what was there hears nothing more
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field

_PART_BYTES = 1 << 16


@dataclass
class Relay:
    """Forwards what dials :attr:`port` to another port of this machine, from ``source``."""

    to_port: int
    source: str = "127.0.0.1"
    dialled: int = 0
    _silent: threading.Event = field(default_factory=threading.Event)
    _open: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> Relay:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for each in self._open:
            each.close()

    def move(self, source: str) -> None:
        """Leave for another address: old connections are never closed, and carry nothing."""
        self._silent.set()
        self._silent, self.source = threading.Event(), source

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(
                    ("127.0.0.1", self.to_port), source_address=(self.source, 0)
                )
                self.dialled += 1
                self._open += (near, far)
                for way in ((near, far), (far, near)):
                    threading.Thread(
                        target=self._forward, args=(*way, self._silent), daemon=True
                    ).start()

    @staticmethod
    def _forward(come: socket.socket, go: socket.socket, silent: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while part := come.recv(_PART_BYTES):
                if not silent.is_set():
                    go.sendall(part)
            if not silent.is_set():
                go.shutdown(socket.SHUT_WR)
