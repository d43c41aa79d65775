"""The two addresses by which browsers sign in and out.

POST /eco-sign-in token=... ──► cookie, back to the page      POST /eco-sign-out ──► no cookie
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from distributed import Scheduler
from tornado.web import RequestHandler

from eco_dask.dashboard.pages.dask_dashboard import navigation
from eco_dask.dashboard.pages.signing_in import SIGNED_IN_S, SignIns
from eco_dask.dashboard.pages.viewers import TEMPLATES

#: More is no token.
_TOKEN_CHARS_MAX = 256


def cookie_name(scheduler: Scheduler) -> str:
    """Return the cookie's name: browsers send cookies to all ports of a host."""
    return f"eco-dask-{str(scheduler.id)[-12:]}"


def routes(scheduler: Scheduler, sign_ins: SignIns, pages: Collection[str]) -> list[Any]:
    """Return what Tornado is to serve; ``pages`` are addresses that a browser may be sent to."""
    given = {"scheduler": scheduler, "sign_ins": sign_ins, "pages": pages}
    return [(r"/eco-sign-in", _SignIn, given), (r"/eco-sign-out", _SignOut, given)]


class _Base(RequestHandler):
    def initialize(self, scheduler: Scheduler, sign_ins: SignIns, pages: Collection[str]) -> None:
        self._scheduler, self._sign_ins, self._pages = scheduler, sign_ins, pages

    def set_default_headers(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    def _next(self) -> str:
        wanted = self.get_argument("next", "")
        return wanted if wanted in self._pages else next(iter(self._pages))


class _SignIn(_Base):
    def get(self) -> None:
        self._form()

    async def post(self) -> None:
        token = self.get_body_argument("token", "").strip()[:_TOKEN_CHARS_MAX]
        cookie = await asyncio.to_thread(self._sign_ins.enter, token)
        if cookie is None:
            self.set_status(403)
            self._form("This token opens nothing: it is unknown, revoked, or past its end.")
            return
        self.set_cookie(
            cookie_name(self._scheduler),
            cookie,
            path="/",
            max_age=int(SIGNED_IN_S),
            httponly=True,
            samesite="Strict",
            secure=self.request.protocol == "https",
        )
        self.redirect(self._next())

    def _form(self, complaint: str = "") -> None:
        template = TEMPLATES.get_template("eco-sign-in.html")
        self.finish(
            template.render(
                **navigation(self._scheduler), complaint=complaint, next=self._next(), scheme=""
            )
        )


class _SignOut(_Base):
    def post(self) -> None:
        name = cookie_name(self._scheduler)
        self._sign_ins.leave(self.get_cookie(name, ""))
        self.clear_cookie(name)
        self.redirect(self._next())
