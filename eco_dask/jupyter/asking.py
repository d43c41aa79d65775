"""One request to a coordinator's HTTP API: few paths, no redirects, bounded, the token never back.

ask(coordinator, "jobs", query) ──► Answer(status, body, etag)
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from eco_dask.errors import EcoDaskError, RegistrationError
from eco_dask.jupyter.coordinators import Coordinator
from eco_dask.jupyter.links import Link
from eco_dask.providers.pins import check_fingerprint, client_context, trust_only

_PREFIX = "/eco/api/v1/"
#: What the panel shows, and nothing else that a coordinator may serve.
_READABLE = re.compile(
    r"summary|network|verification|points|energy|jobs|providers|tasks"
    r"|(?:jobs|providers|owners|series)/[A-Za-z0-9_.-]{1,80}",
    re.ASCII,
)
_QUERY = frozenset({"limit", "after", "since", "until", "points", "owner", "state"})
_ANSWER_BYTES_MAX = 16 * 2**20
_CONNECT_S, _ANSWER_S = 4.0, 15.0
_HTTPS_PORT = 443
#: Tornado's status for connections that came to nothing.
_NO_ANSWER = 599


class CoordinatorError(EcoDaskError):
    """A coordinator that does not answer as one.

    Attributes
    ----------
    status : int
        HTTP status for the browser.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """What a coordinator said; ``body`` is JSON text."""

    status: int
    body: bytes
    etag: str | None


async def read(
    coordinator: Coordinator, path: str, query: Mapping[str, str], etag: str | None = None
) -> Answer:
    """Read one of the paths that the panel shows.

    Raises
    ------
    CoordinatorError
        The path is none of them, or no coordinator of eco_dask answers.
    """
    if not _READABLE.fullmatch(path) or ".." in path:
        raise CoordinatorError(404, f"the panel does not read {path[:80]!r}")
    kept = {name: value for name, value in query.items() if name in _QUERY}
    suffix = f"?{urlencode(kept)}" if kept else ""
    return await _ask(coordinator, path + suffix, etag=etag)


async def cancel(coordinator: Coordinator, job: str) -> Answer:
    """Cancel a job.

    Raises
    ------
    CoordinatorError
        The coordinator refuses, or does not answer.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,80}", job, re.ASCII):
        raise CoordinatorError(404, "there is no job of that name")
    return await _ask(coordinator, f"jobs/{job}/cancel", method="POST")


async def _ask(
    coordinator: Coordinator, path: str, *, method: str = "GET", etag: str | None = None
) -> Answer:
    link = coordinator.link
    headers = {"Accept": "application/json"}
    if link.token is not None:
        headers["Authorization"] = f"Bearer {link.token}"
    if etag is not None:
        headers["If-None-Match"] = etag
    request = HTTPRequest(
        link.url + _PREFIX + path,
        method=method,
        headers=headers,
        body=b"{}" if method == "POST" else None,
        # A redirect would lead the token, and this server, elsewhere.
        follow_redirects=False,
        connect_timeout=_CONNECT_S,
        request_timeout=_ANSWER_S,
    )
    client = SimpleAsyncHTTPClient(force_instance=True, max_body_size=_ANSWER_BYTES_MAX)
    try:
        if link.pin:
            request.ssl_options = await pinned(link)
        response = await client.fetch(request, raise_error=False)
    except RegistrationError as error:
        raise CoordinatorError(
            502,
            f"{coordinator.name} shows another certificate than its link's pin says: somebody may "
            "be in between, or the operator changed it. Nothing was sent. Paste a new link.",
        ) from error
    except (HTTPClientError, OSError, ValueError) as error:
        raise _unreachable(coordinator, error) from error
    finally:
        client.close()
    if response.code == _NO_ANSWER:
        raise _unreachable(coordinator, response.error)
    return _checked(coordinator, response.code, response.body or b"", response.headers.get("Etag"))


async def pinned(link: Link) -> ssl.SSLContext:
    """Return TLS that takes only the certificate of a link's pin, which the host is asked for.

    Nothing is sent on the connection that it is learnt by; the one of the request, with the token,
    takes no other.

    Raises
    ------
    OSError
        Nobody answers, or no TLS 1.3.
    RegistrationError
        The host shows another certificate.
    """
    parts = urlsplit(link.url)
    dialling = asyncio.open_connection(
        parts.hostname, parts.port or _HTTPS_PORT, ssl=client_context(link.pin)
    )
    _, writer = await asyncio.wait_for(dialling, _CONNECT_S)
    try:
        der_bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
    check_fingerprint(der_bytes, link.pin)
    return trust_only(der_bytes)


def _checked(coordinator: Coordinator, status: int, body: bytes, etag: str | None) -> Answer:
    name, token = coordinator.name, coordinator.link.token
    if status == HTTPStatus.NOT_MODIFIED:
        return Answer(status, b"", etag)
    if token is not None and token.encode() in body:
        raise CoordinatorError(502, f"{name} answered with the token itself; nothing is shown")
    match status:
        case 401 | 403:
            hint = "is not valid there" if token is not None else "is needed"
            raise CoordinatorError(
                403, f"{name} refuses: a token with the right to do this {hint}. Paste a new link."
            )
        case 404:
            raise CoordinatorError(404, f"{name} does not know that, or is no eco_dask coordinator")
        case _ if status != HTTPStatus.OK or not _is_object(body):
            raise CoordinatorError(
                502, f"{name} does not answer as an eco_dask coordinator (HTTP {status})"
            )
    return Answer(status, body, etag)


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict | list)
    except ValueError:
        return False


def _unreachable(coordinator: Coordinator, error: BaseException | None) -> CoordinatorError:
    return CoordinatorError(
        504,
        f"{coordinator.name} ({coordinator.link.url}) does not answer: {_words(error)}. Is the "
        "coordinator running, with its dashboard?",
    )


def _words(error: BaseException | None) -> str:
    text = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)
    return str(text or type(error).__name__)[:200]
