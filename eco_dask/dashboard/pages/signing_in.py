"""Who looks at the pages: a browser shows a token once and gets a cookie for half a day.

token ──enter──► cookie ──scope_of──► Scope ──audience_of──► which parts of pages are sent
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eco_dask.dashboard.pages.parts import Audience
from eco_dask.ledger.tokens import Scope

#: A cookie is worth that long, unless its token ends before.
SIGNED_IN_S: Final = 12 * 3600.0
#: Revoked tokens sign out within that time.
RECHECK_S: Final = 30.0
#: Browsers signed in at a time; the oldest is signed out by a further one.
BROWSERS_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class _Browser:
    token: str
    scope: Scope
    until_s: float


class SignIns:
    """The browsers that are signed in to one scheduler's dashboard.

    The cookie is no token: it opens these pages only, ends sooner, and what holds a token stays on
    the server.

    Parameters
    ----------
    check : function
        Returns what a token opens now, or None. It may block; so do ``enter`` and ``recheck``.
    clock : function
        Unix time in seconds.
    """

    def __init__(
        self, check: Callable[[str], Scope | None], clock: Callable[[], float] = time.time
    ) -> None:
        self._check, self._clock = check, clock
        self._browsers: dict[str, _Browser] = {}
        self._checked_at_s = clock()

    def enter(self, token: str) -> str | None:
        """Return a new cookie for a token; None if the token opens nothing."""
        scope = self._check(token)
        if scope is None:
            return None
        cookie = secrets.token_urlsafe(24)
        self._browsers[cookie] = _Browser(token, scope, self._clock() + SIGNED_IN_S)
        if len(self._browsers) > BROWSERS_MAX:
            del self._browsers[next(iter(self._browsers))]
        return cookie

    def scope_of(self, cookie: str | None) -> Scope | None:
        """Return what a browser may see; None if it is not signed in."""
        found = self._browsers.get(cookie or "")
        if found is None or self._clock() >= found.until_s:
            return None
        return found.scope

    def leave(self, cookie: str) -> None:
        """Sign a browser out."""
        self._browsers.pop(cookie, None)

    def recheck(self) -> None:
        """Sign out whose time is over, and now and then those whose token was revoked."""
        now_s = self._clock()
        look = now_s - self._checked_at_s >= RECHECK_S
        if look:
            self._checked_at_s = now_s
        for cookie, found in list(self._browsers.items()):
            if now_s >= found.until_s or (look and self._check(found.token) != found.scope):
                self.leave(cookie)


def audience_of(scope: Scope) -> Audience:
    """Return how much of the common pages somebody sees; an owner's own page is another matter."""
    return scope.kind if scope.kind in ("recruiter", "operator") else "public"
