"""Routes that list things page by page: providers, owners, jobs, receipts; and cancelling a job.

Snapshot, books ──access──► {"jobs": [...], "next": ...}
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tornado.web import HTTPError

from eco_dask.dashboard.energy import plain_figures
from eco_dask.dashboard.http import access
from eco_dask.dashboard.http.base import LIMIT, LIMIT_MAX, RECRUITERS, WITH_TOKEN, ApiHandler
from eco_dask.dashboard.model import Job
from eco_dask.dashboard.plain import to_plain
from eco_dask.energy.figures import EnergyFigures
from eco_dask.ledger.receipts import Receipt, explain
from eco_dask.ledger.tokens import ScopeKind
from eco_dask.text import clean
from eco_dask.types import JobId, LeaseId, OwnerId, ProviderId

_JOBS_MAX = 200
_STATES = ("running", "done", "failed", "cancelled")
_FOREIGN = "this is another owner's"


class Providers(ApiHandler):
    """Machines: all for recruiters and the operator, an owner's own for an owner."""

    parameters = ("limit", "after", "owner")

    async def get(self) -> None:
        """Answer with a page, by id."""
        limit = self.ask_whole("limit", LIMIT, 1, LIMIT_MAX)
        after, owner = self.ask_text("after") or "", self.ask_text("owner")
        if self.scope.kind == "owner" and owner not in (None, self.scope.name):
            raise HTTPError(403, reason=_FOREIGN)
        found = await self.view.snapshot()
        shown = sorted(
            (
                it
                for it in found.providers
                if it.id > after
                and owner in (None, it.owner)
                and access.sees_provider(self.scope, it)
            ),
            key=lambda it: it.id,
        )
        page = [to_plain(it) for it in shown[: limit + 1]]
        self.answer_page("providers", page, "id", limit, at_s=found.at_s)


class ProviderRoute(ApiHandler):
    """One machine."""

    async def get(self, provider: str) -> None:
        """Answer."""
        found = await self.view.snapshot()
        of_id = [it for it in found.providers if it.id == provider]
        if self.scope.kind == "owner" and not [it for it in of_id if it.owner == self.scope.name]:
            # Whether there is such a machine is nobody else's business either.
            raise HTTPError(403, reason=_FOREIGN)
        if not of_id:
            raise HTTPError(404, reason="there is no such provider")
        self.answer({"at_s": found.at_s, **to_plain(of_id[0])})


class OwnerRoute(ApiHandler):
    """One owner, with the owner's machines."""

    audience = frozenset[ScopeKind]({"owner", "operator"})

    async def get(self, name: str) -> None:
        """Answer."""
        if not access.sees_owner(self.scope, name):
            raise HTTPError(403, reason=_FOREIGN)
        found = await self.view.snapshot()
        for owner in found.owners:
            if owner.name == name:
                own = [to_plain(it) for it in found.providers if it.owner == name]
                self.answer({"at_s": found.at_s, **to_plain(owner), "providers": own})
                return
        raise HTTPError(404, reason="there is no such owner")


class Jobs(ApiHandler):
    """Jobs, the latest first."""

    audience = RECRUITERS
    parameters = ("limit", "after", "state")

    async def get(self) -> None:
        """Answer with a page."""
        limit = self.ask_whole("limit", 50, 1, _JOBS_MAX)
        after, state = self.ask_text("after"), self.ask_text("state")
        if state not in (None, *_STATES):
            raise HTTPError(400, reason=f"state is one of {', '.join(_STATES)}")

        def is_shown(job: Job) -> bool:
            return state in (None, job.state) and access.sees_job(self.scope, job)

        try:
            found = await self.view.jobs(limit + 1, JobId(after) if after else None, is_shown)
        except ValueError as error:
            raise HTTPError(404, reason="after names no job: start again") from error
        self.answer_page("jobs", [to_plain(it) for it in found], "id", limit)


class JobRoute(ApiHandler):
    """One job."""

    audience = RECRUITERS

    async def get(self, job: str) -> None:
        """Answer."""
        self.answer(to_plain(await self.find(job)))

    async def find(self, name: str) -> Job:
        """Return a job that the token opens.

        Raises
        ------
        HTTPError
            404: there is none; of somebody else's nothing is said.
        """
        found = await self.view.job(JobId(name)) if clean(name) == name else None
        if found is None or not access.sees_job(self.scope, found):
            raise HTTPError(404, reason="there is no such job")
        return found


class CancelRoute(JobRoute):
    """The end of a job before it is done."""

    async def get(self, job: str) -> None:  # noqa: ARG002  the route's
        """Refuse: looking ends nothing."""
        raise HTTPError(405)

    async def post(self, job: str) -> None:
        """Cancel; what is over already stays as it is."""
        found = await self.find(job)
        ended = self.plugin.cancel_job(JobId(found.id)) if found.state == "running" else 0
        again = await self.find(job)
        self.answer({"id": found.id, "state": again.state, "tasks_cancelled": ended})


class Receipts(ApiHandler):
    """What came of each attempt, and why it was paid or not, the latest first."""

    audience = WITH_TOKEN
    parameters = ("limit", "after", "owner", "provider", "job")

    async def get(self) -> None:
        """Answer with a page."""
        limit = self.ask_whole("limit", LIMIT, 1, LIMIT_MAX)
        asked = {name: self.ask_text(name) for name in ("owner", "provider", "job", "after")}
        await self._check(asked)
        try:
            found = await asyncio.to_thread(
                self.view.ledger.receipts,
                owner=OwnerId(asked["owner"]) if asked["owner"] else None,
                provider=ProviderId(asked["provider"]) if asked["provider"] else None,
                job=JobId(asked["job"]) if asked["job"] else None,
                after=LeaseId(asked["after"]) if asked["after"] else None,
                limit=limit + 1,
            )
        except ValueError as error:
            raise HTTPError(404, reason="after names no receipt: start again") from error
        energy = await asyncio.to_thread(self.view.ledger.energy_of, [it.lease for it in found])
        page = [plain_receipt(it, energy) for it in found]
        self.answer_page("receipts", page, "lease", limit)

    async def _check(self, asked: dict[str, str | None]) -> None:
        """Refuse other owners' receipts and other recruiters' jobs."""
        scope = self.scope
        if scope.kind == "owner":
            if asked["owner"] not in (None, scope.name):
                raise HTTPError(403, reason=_FOREIGN)
            asked["owner"] = scope.name
        elif scope.kind == "recruiter" and scope.name is not None:
            job = await self.view.job(JobId(asked["job"])) if asked["job"] else None
            if job is None or not access.sees_job(scope, job):
                raise HTTPError(403, reason="name a job of yours with job=")


def plain_receipt(receipt: Receipt, energy: Mapping[LeaseId, Any]) -> dict[str, Any]:
    """Return a receipt for JSON, its reason explained."""
    known = energy.get(receipt.lease)
    figures = None
    if known is not None:
        measured = known if isinstance(known, EnergyFigures) else None
        figures = to_plain(plain_figures(measured, 0, () if measured else (known.reason,)))
    return asdict(receipt) | {
        "kind": clean(receipt.kind, 200),
        "digest": receipt.digest.hex(),
        "reason": str(receipt.reason),
        "explanation": explain(receipt.reason),
        "energy": figures,
    }
