"""What the browser may ask of this server: each needs Jupyter's own login, and no answer a token.

GET coordinators, c/ID/...   POST c/ID/jobs/JOB/cancel   machine, clusters
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado.web import HTTPError, authenticated

from eco_dask.errors import EcoDaskError
from eco_dask.jupyter import asking
from eco_dask.jupyter.asking import Answer, CoordinatorError
from eco_dask.jupyter.coordinators import Coordinator
from eco_dask.jupyter.machine import Offer
from eco_dask.jupyter.parts import Parts

#: Root of all paths, below the server's base URL.
ROOT = "eco-dask"
_SLOTS_MAX = 4096
_Method = TypeVar("_Method", bound=Callable[..., Any])


def guarded(method: _Method) -> _Method:
    """Let nobody in but who logged into this Jupyter server and may do this there."""
    return cast("_Method", authenticated(authorized(method)))


class _Handler(APIHandler):
    """Errors of this package become answers that say what to do."""

    auth_resource = "eco-dask"

    @property
    def parts(self) -> Parts:
        """What this server keeps."""
        parts: Parts = self.settings["eco_dask"]
        return parts

    def coordinator(self, key: str) -> Coordinator:
        """Return a configured coordinator, or answer 404: nothing else is ever asked."""
        found = self.parts.coordinators.find(key)
        if found is None:
            raise HTTPError(404, f"no coordinator {key} is configured here; choose another")
        return found

    def body(self, *names: str) -> dict[str, Any]:
        """Return the fields of the request's JSON object."""
        found = self.get_json_body() or {}
        if not isinstance(found, dict) or found.keys() - set(names):
            raise HTTPError(400, f"the body is a JSON object of {', '.join(names)}")
        return found

    def answer(self, plain: Any, status: int = 200) -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.finish(json.dumps(plain))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say what an error of this package says."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, CoordinatorError):
            status_code = error.status
        elif isinstance(error, EcoDaskError):
            status_code = 409
        if isinstance(error, EcoDaskError):
            self.set_status(status_code)
            self.set_header("Content-Type", "application/json")
            self.finish(json.dumps({"message": str(error), "reason": type(error).__name__}))
            return
        super().write_error(status_code, **kwargs)

    def log_exception(self, kind: Any, error: Any, trace: Any) -> None:
        """Log what is unexpected; refusals are answers."""
        if not isinstance(error, EcoDaskError):
            super().log_exception(kind, error, trace)


class CoordinatorsHandler(_Handler):
    """The coordinators that are configured; a pasted link adds one."""

    @guarded
    def get(self) -> None:
        """List them, without tokens."""
        self.answer(
            {
                "coordinators": [each.to_plain() for each in self.parts.coordinators.listing()],
                "may_add": self.parts.rule.add,
                "may_share": self.parts.rule.share,
            }
        )

    @guarded
    async def post(self) -> None:
        """Add one, if an eco_dask coordinator answers there and takes the token."""
        body = self.body("link", "token", "name")
        text, token, name = (body.get(each) for each in ("link", "token", "name"))
        if not isinstance(text, str) or not text.strip():
            raise HTTPError(400, "paste the link of a coordinator")
        coordinators = self.parts.coordinators
        added = coordinators.add(text, token or None, name or None)
        try:
            await asking.read(added, "summary", {})
        except CoordinatorError:
            coordinators.remove(added.link.id)
            raise
        self.answer(added.to_plain(), 201)


class CoordinatorHandler(_Handler):
    """One coordinator that was added by its link."""

    @guarded
    def delete(self, key: str) -> None:
        """Forget it, and its token."""
        if not self.parts.coordinators.remove(key):
            raise HTTPError(404, "no link of that coordinator was pasted here")
        self.set_status(204)
        self.finish()


class ReadHandler(_Handler):
    """Reads from a coordinator."""

    @guarded
    async def get(self, key: str, path: str) -> None:
        """Pass on one of the readable paths."""
        query = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        etag = self.request.headers.get("If-None-Match")
        _pass_on(self, await asking.read(self.coordinator(key), path, query, etag))


class CancelHandler(_Handler):
    """Cancels a job."""

    @guarded
    async def post(self, key: str, job: str) -> None:
        """Pass the wish on."""
        _pass_on(self, await asking.cancel(self.coordinator(key), job))


class MachineHandler(_Handler):
    """The provider on this machine."""

    @guarded
    async def get(self) -> None:
        """Say whether it is lent, and what it says."""
        self.answer(await self.parts.machine.seen())

    @guarded
    async def post(self) -> None:
        """Lend it."""
        self._check()
        body = self.body("link", "slots", "memory")
        slots, memory = body.get("slots"), body.get("memory")
        if slots is not None and not (isinstance(slots, int) and 1 <= slots <= _SLOTS_MAX):
            raise HTTPError(400, f"slots is a whole number from 1 on; got {slots!r}")
        if memory is not None and not isinstance(memory, str):
            raise HTTPError(400, "memory is a size such as '4 GiB'")
        await self.parts.machine.start(body.get("link") or None, Offer(slots, memory or None))
        self.answer(self.parts.machine.state(), 201)

    @guarded
    async def patch(self) -> None:
        """Give it an order."""
        self._check()
        order = self.body("order").get("order")
        if not isinstance(order, str):
            raise HTTPError(400, "the body is a JSON object of an order")
        await self.parts.machine.order(order)
        self.answer(await self.parts.machine.seen())

    @guarded
    async def delete(self) -> None:
        """Stop lending it."""
        await self.parts.machine.stop()
        self.answer(self.parts.machine.state())

    def _check(self) -> None:
        if not self.parts.rule.share:
            raise HTTPError(403, "this server's machine is not to be lent (eco-dask.jupyter)")


class ClustersHandler(_Handler):
    """Networks on this machine."""

    @guarded
    async def post(self) -> None:
        """Start one."""
        n_providers = self.body("providers").get("providers", 4)
        if not isinstance(n_providers, int):
            raise HTTPError(400, "providers is a whole number")
        self.answer((await self.parts.clusters.start(n_providers)).to_plain(), 201)


class ClusterHandler(_Handler):
    """One network on this machine."""

    @guarded
    async def delete(self, key: str) -> None:
        """Stop it."""
        if not await self.parts.clusters.stop(key):
            raise HTTPError(404, "no cluster of that id was started by the panel")
        self.set_status(204)
        self.finish()


def _pass_on(handler: _Handler, answer: Answer) -> None:
    handler.set_status(answer.status)
    if answer.etag is not None:
        handler.set_header("Etag", answer.etag)
    # An answer that has not changed may have no body, not even an empty one.
    handler.finish(answer.body or None)


#: Paths below :data:`ROOT`, and who answers.
ROUTES: tuple[tuple[str, type[_Handler]], ...] = (
    (r"coordinators", CoordinatorsHandler),
    (r"coordinators/([0-9a-f]{12})", CoordinatorHandler),
    (r"c/([0-9a-f]{12})/jobs/([^/]+)/cancel", CancelHandler),
    (r"c/([0-9a-f]{12})/(.+)", ReadHandler),
    (r"machine", MachineHandler),
    (r"clusters", ClustersHandler),
    (r"clusters/([0-9a-f]{12})", ClusterHandler),
)
