"""All routes of the API, as Dask's HTTP server takes them: ``distributed.scheduler.http.routes``.

path ──► handler, and what it answers with
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from tornado.web import HTTPError

from eco_dask.dashboard.http import events, figures, openapi, things
from eco_dask.dashboard.http.base import EVERYBODY, ApiHandler

PREFIX: Final = "/eco/api/v1"


class OpenApi(ApiHandler):
    """The document that describes the API."""

    audience = EVERYBODY

    async def get(self) -> None:
        """Answer."""
        self.answer(document())


class Unknown(ApiHandler):
    """What is no route."""

    audience = EVERYBODY

    async def prepare(self) -> None:
        """Refuse."""
        self._tag = None
        raise HTTPError(404, reason="there is no such route; see /eco/api/v1/openapi.json")


#: Path below the prefix, handler, and what it answers with.
PATHS: Final[Mapping[str, tuple[type[ApiHandler], str]]] = {
    "/summary": (figures.Summary, "Summary"),
    "/network": (figures.NetworkRoute, "Network"),
    "/verification": (figures.VerificationRoute, "Verification"),
    "/points": (figures.PointsRoute, "Points"),
    "/energy": (figures.EnergyRoute, "Energy"),
    "/tasks": (figures.Tasks, "Tasks"),
    "/series/{name}": (figures.SeriesRoute, "Series"),
    "/providers": (things.Providers, "Providers"),
    "/providers/{provider}": (things.ProviderRoute, "Provider"),
    "/owners/{name}": (things.OwnerRoute, "Owner"),
    "/jobs": (things.Jobs, "Jobs"),
    "/jobs/{job}": (things.JobRoute, "Job"),
    "/jobs/{job}/cancel": (things.CancelRoute, "Cancelled"),
    "/receipts": (things.Receipts, "Receipts"),
    "/events": (events.Events, "Events"),
    "/openapi.json": (OpenApi, "Document"),
}


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    import eco_dask

    return openapi.document(eco_dask.__version__, PATHS)


def _pattern(path: str) -> str:
    parts = (r"([^/]+)" if part.startswith("{") else part for part in path.split("/"))
    return PREFIX + "/".join(parts).replace(".", r"\.")


#: What Dask reads.
routes: list[tuple[str, type[ApiHandler], dict[str, Any]]] = [
    *((_pattern(path), handler, {}) for path, (handler, _) in PATHS.items()),
    (rf"{PREFIX}(?:/.*)?", Unknown, {}),
]
