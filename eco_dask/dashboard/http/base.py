"""What all answers of the API have in common: tokens, questions, JSON, tags, errors in words.

Authorization ──► Scope ──► handler ──► JSON with an ETag, or {"error": ...}
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, Final

from distributed.http.utils import RequestHandler
from tornado.web import HTTPError

from eco_dask.dashboard.view import View
from eco_dask.ledger.tokens import PUBLIC, Scope, ScopeKind
from eco_dask.text import clean

#: Name of the scheduler plugin, whose view is served.
PLUGIN: Final = "eco-scheduler"
LIMIT_MAX: Final = 1000
LIMIT: Final = 100
_TEXT_CHARS_MAX: Final = 200
EVERYBODY: Final[frozenset[ScopeKind]] = frozenset({"public", "owner", "recruiter", "operator"})
WITH_TOKEN: Final[frozenset[ScopeKind]] = EVERYBODY - {"public"}
RECRUITERS: Final[frozenset[ScopeKind]] = frozenset({"recruiter", "operator"})


class ApiHandler(RequestHandler):
    """One route: whom it is for, what may be asked."""

    #: Whose tokens open it; "public" is without any.
    audience: ClassVar[frozenset[ScopeKind]] = WITH_TOKEN
    #: Names of the query's parameters.
    parameters: ClassVar[Collection[str]] = ()

    scope: Scope

    async def prepare(self) -> None:
        """Find out who asks, before anything is done."""
        self._tag: str | None = None
        self.scope = await self.find_scope()
        if self.scope.kind not in self.audience:
            if self.scope.kind == "public":
                raise HTTPError(401, reason="this needs a token: eco-dask token new --scope SCOPE")
            raise HTTPError(403, reason=f"the scope {self.scope.kind} does not open this")
        unknown = set(self.request.query_arguments) - set(self.parameters)
        if unknown:
            known = ", ".join(sorted(self.parameters)) or "none"
            raise HTTPError(400, reason=f"unknown parameter; known are: {known}")

    async def find_scope(self) -> Scope:
        """Return what the request's token opens.

        Raises
        ------
        HTTPError
            401: there is a token, and it opens nothing.
        """
        header = self.request.headers.get_list("Authorization")
        if not header:
            return PUBLIC
        kind, _, token = header[0].partition(" ")
        found: Scope | None = None
        if len(header) == 1 and kind.lower() == "bearer":
            tokens = self.plugin.tokens
            found = await asyncio.to_thread(tokens.scope_of, token.strip(), time.time())
        if found is None:
            raise HTTPError(401, reason="the token is wrong, expired or revoked")
        return found

    @property
    def plugin(self) -> Any:
        """The scheduler plugin."""
        plugin = self.server.plugins.get(PLUGIN)
        if plugin is None:
            raise HTTPError(503, reason="the coordinator is starting, or has no eco_dask plugin")
        return plugin

    @property
    def view(self) -> View:
        """What all screens show."""
        view: View = self.plugin.view
        return view

    # ------------------------------------------------------------------ questions

    def ask_text(self, name: str) -> str | None:
        """Return a parameter, None if it was not given."""
        given = self.get_query_arguments(name, strip=False)
        if not given:
            return None
        if len(given) > 1 or not given[0] or len(given[0]) > _TEXT_CHARS_MAX:
            raise HTTPError(400, reason=f"{name} is given once, with 1 to 200 characters")
        text = str(given[0])
        if clean(text) != text:
            raise HTTPError(400, reason=f"{name} has characters that cannot be shown")
        return text

    def ask_number(self, name: str, default: float, low: float, high: float) -> float:
        """Return a parameter as a number within bounds."""
        text = self.ask_text(name)
        if text is None:
            return default
        try:
            number = float(text) if text.isascii() and "_" not in text else None
        except ValueError:
            number = None
        if number is None or not low <= number <= high:
            raise HTTPError(400, reason=f"{name} is a number from {low:g} to {high:g}")
        return number

    def ask_whole(self, name: str, default: int, low: int, high: int) -> int:
        """Return a parameter as a whole number within bounds."""
        text = self.ask_text(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
            raise HTTPError(400, reason=f"{name} is a whole number from {low} to {high}")
        return int(text)

    # ------------------------------------------------------------------ answers

    def answer(self, plain: Mapping[str, Any]) -> None:
        """Send JSON; its tag leaves the time out, so that what has not changed is not sent."""
        body = encode(plain)
        untimed = encode({name: it for name, it in plain.items() if name != "at_s"})
        self._tag = f'W/"{hashlib.sha256(untimed).hexdigest()[:32]}"'
        self.set_header("Content-Type", "application/json")
        self.finish(body)

    def answer_page(
        self, name: str, items: Sequence[Any], key: str, limit: int, **other: Any
    ) -> None:
        """Send a page of which one item more than the limit was found, if there are more."""
        page = list(items[:limit])
        more = page[-1][key] if len(items) > limit and page else None
        self.answer({**other, name: page, "next": more})

    def compute_etag(self) -> str | None:
        """Return the tag that :meth:`answer` made; Tornado compares it with If-None-Match."""
        return self._tag

    def set_default_headers(self) -> None:
        """Keep browsers from guessing, and caches from keeping."""
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("Vary", "Authorization")
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say in JSON what is wrong; nothing of what was sent is repeated."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        told = error.reason if isinstance(error, HTTPError) and error.reason else None
        if status_code == HTTPStatus.UNAUTHORIZED:
            self.set_header("WWW-Authenticate", 'Bearer realm="eco_dask"')
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = [it for it in ("GET", "POST") if it.lower() in vars(type(self))]
            self.set_header("Allow", ", ".join(allowed))
        phrase = HTTPStatus(status_code).phrase
        # The status line has no room for sentences of ours.
        self.set_status(status_code, phrase)
        self.set_header("Content-Type", "application/json")
        self.finish(encode({"error": told or phrase}))


def encode(plain: Any) -> bytes:
    """Return JSON, without the numbers that JSON does not have."""
    return json.dumps(plain, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
