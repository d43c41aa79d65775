"""The owner's page and the way for commands: HTTP on this machine only, for who has the token.

GET / ──► page      GET /state, POST /order, POST /config + token ──► Conduct

Any web page in the owner's browser can reach a local port. So every answer that tells or changes
anything needs the token, which is in the link's fragment and in a file of the owner's only; the
host must be this machine by name, against rebinding, and the origin, if there is one, this page.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from eco_dask.agent.conduct import Conduct, Order
from eco_dask.agent.settings_file import SettingsFile, known_settings
from eco_dask.errors import ConfigurationError
from eco_dask.providers.private_files import write_private
from eco_dask.settings import setting

#: Name of the file that leads commands to a running agent, in the folder of its key.
CONTROL_FILE = "control.json"
_HERE = "127.0.0.1"
_PAGE = Path(__file__).with_name("page")
_TYPES = {"page.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
_BODY_BYTES_MAX = 16_384
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class LocalPage:
    """Serves one agent's page until it is closed.

    Parameters
    ----------
    folder : Path
        Where :data:`CONTROL_FILE` is put.
    state : callable
        Returns the agent's state.
    """

    def __init__(
        self,
        folder: Path,
        conduct: Conduct,
        settings: SettingsFile,
        state: Callable[[], dict[str, Any]],
        port: int = 0,
    ) -> None:
        self.token = secrets.token_urlsafe(24)
        sockets = bind_sockets(port, _HERE)
        self.port: int = sockets[0].getsockname()[1]
        self._file = folder / CONTROL_FILE
        parts = {"page": self, "conduct": conduct, "settings": settings, "state": state}
        handlers: list[Any] = [
            ("/", _File, {"name": "page.html"}),
            ("/(page\\.css|page\\.js)", _File, {"name": ""}),
            ("/state", _State, parts),
            ("/order", _Order, parts),
            ("/config", _Config, parts),
        ]
        self._server = HTTPServer(Application(handlers), max_body_size=_BODY_BYTES_MAX)
        self._server.add_sockets(sockets)
        self._file.unlink(missing_ok=True)
        facts = {"port": self.port, "token": self.token, "pid": os.getpid()}
        write_private(self._file, json.dumps(facts).encode())

    @property
    def link(self) -> str:
        """What the owner opens; the fragment stays in the browser."""
        return f"http://{_HERE}:{self.port}/#{self.token}"

    def close(self) -> None:
        """Stop serving."""
        self._server.stop()
        self._file.unlink(missing_ok=True)


class _Local(RequestHandler):
    """What every answer is checked and marked with."""

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")
        self.clear_header("Server")

    def prepare(self) -> None:
        host = self.request.host
        name, _, _ = host.partition(":")
        if name not in {_HERE, "localhost"}:
            raise HTTPError(403, "this page answers on this machine only")
        origin = self.request.headers.get("Origin")
        if origin is not None and origin != f"http://{host}":
            raise HTTPError(403, "another page may not ask")

    def write_error(self, status_code: int, **details: Any) -> None:  # noqa: ARG002  Tornado's hook
        error = details.get("exc_info", (None, None))[1]
        words = error.log_message if isinstance(error, HTTPError) else "it failed; see the log"
        self.finish({"error": words or self._reason})


class _File(_Local):
    def initialize(self, name: str) -> None:
        self._name = name

    def get(self, name: str = "") -> None:
        chosen = name or self._name
        self.set_header("Content-Type", f"{_TYPES[chosen]}; charset=utf-8")
        self.finish((_PAGE / chosen).read_text(encoding="utf-8"))


class _Guarded(_Local):
    """For who has the token."""

    def initialize(
        self,
        page: LocalPage,
        conduct: Conduct,
        settings: SettingsFile,
        state: Callable[[], dict[str, Any]],
    ) -> None:
        self._page, self._conduct, self._settings = page, conduct, settings
        self._state = state

    def prepare(self) -> None:
        super().prepare()
        given = self.request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._page.token.encode()):
            raise HTTPError(401, "no valid token: open the link of eco-dask-worker page")

    def _body(self) -> dict[str, Any]:
        try:
            found = json.loads(self.request.body)
        except ValueError as error:
            raise HTTPError(400, "the body is no JSON") from error
        if not isinstance(found, dict):
            raise HTTPError(400, "the body is no map")
        return found


class _State(_Guarded):
    def get(self) -> None:
        settings = {name: setting(f"worker.{name}") for name in known_settings()}
        self.finish({**self._state(), "settings": settings})


class _Order(_Guarded):
    def post(self) -> None:
        try:
            order = Order(str(self._body().get("order")))
        except ValueError as error:
            raise HTTPError(400, f"an order is one of {', '.join(Order)}") from error
        self._conduct.give(order)
        self.finish({"order": order.value})


class _Config(_Guarded):
    def post(self) -> None:
        body = self._body()
        name, text = body.get("name"), body.get("value")
        if not isinstance(name, str) or not (text is None or isinstance(text, str)):
            raise HTTPError(400, "name and value are texts; without value, the default holds")
        try:
            value = self._settings.put(name, text)
        except ConfigurationError as error:
            raise HTTPError(400, str(error).replace("%", "%%")) from error
        self.finish({"name": name, "value": value})
