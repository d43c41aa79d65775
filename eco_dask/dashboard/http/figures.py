"""Routes that show figures of the whole: summary, network, verification, points, energy, series.

Snapshot ──access──► JSON
"""

from __future__ import annotations

import asyncio
import time

from tornado.web import HTTPError

from eco_dask.dashboard.http import access
from eco_dask.dashboard.http.base import EVERYBODY, RECRUITERS, WITH_TOKEN, ApiHandler
from eco_dask.dashboard.plain import to_plain
from eco_dask.ledger.series import NAMES

#: Latest time that may be asked for, in the year 2286.
_AT_MAX_S = 1e10
_POINTS_MAX = 2000
_DAY_S = 86_400.0


class Summary(ApiHandler):
    """Counts and sums, for everybody."""

    audience = EVERYBODY

    async def get(self) -> None:
        """Answer."""
        self.answer(access.summary(await self.view.snapshot()))


class NetworkRoute(ApiHandler):
    """Who is there."""

    async def get(self) -> None:
        """Answer."""
        found = await self.view.snapshot()
        self.answer({"at_s": found.at_s, **to_plain(found.network)})


class VerificationRoute(ApiHandler):
    """How results are verified."""

    async def get(self) -> None:
        """Answer."""
        found = await self.view.snapshot()
        self.answer({"at_s": found.at_s, **to_plain(access.verification(found, self.scope))})


class Tasks(ApiHandler):
    """Tasks by kind."""

    audience = RECRUITERS

    async def get(self) -> None:
        """Answer."""
        found = await self.view.snapshot()
        self.answer({"at_s": found.at_s, "tasks": to_plain(found.verification.kinds)})


class PointsRoute(ApiHandler):
    """The flow of points."""

    async def get(self) -> None:
        """Answer."""
        found = await self.view.snapshot()
        self.answer({"at_s": found.at_s, **to_plain(found.points)})


class EnergyRoute(ApiHandler):
    """Energy of all work."""

    async def get(self) -> None:
        """Answer."""
        found = await self.view.snapshot()
        self.answer({"at_s": found.at_s, **to_plain(found.energy)})


class SeriesRoute(ApiHandler):
    """What a figure was over time."""

    audience = WITH_TOKEN
    parameters = ("since", "until", "points")

    async def get(self, name: str) -> None:
        """Answer with pairs of time and value."""
        if name not in NAMES:
            raise HTTPError(404, reason=f"there is no such series; known are: {', '.join(NAMES)}")
        now_s = time.time()
        until_s = self.ask_number("until", now_s, 0, _AT_MAX_S)
        since_s = self.ask_number("since", max(0.0, until_s - _DAY_S), 0, _AT_MAX_S)
        points_max = self.ask_whole("points", 300, 2, _POINTS_MAX)
        found = await asyncio.to_thread(self.plugin.series.read, name, since_s, until_s, points_max)
        self.answer(
            {
                "name": name,
                "unit": NAMES[name].unit,
                "step_s": found.step_s,
                "samples": [[at_s, value] for at_s, value in found.samples],
            }
        )
