"""Live carbon intensity at the coordinator, where the operator opted in; the table until it comes.

zone ──► the last answer, if fresh | the table        a thread ──fetch──► the next answer
"""

from __future__ import annotations

import logging
import urllib.request
from collections.abc import Callable, Mapping
from typing import Final

from eco_dask.energy.intensity import CarbonIntensityProvider, Intensity
from eco_dask.energy.live_intensity import ElectricityMaps, WattTime
from eco_dask.errors import ConfigurationError
from eco_dask.text import clean

logger = logging.getLogger(__name__)

#: Seconds after which an answer is asked for anew, and after which it is used no more.
ASK_EVERY_S, FRESH_S = 900.0, 7200.0
_TIMEOUT_S = 20.0
_ANSWER_BYTES_MAX = 1 << 20
_SOURCES: Final[Mapping[str, type[ElectricityMaps | WattTime]]] = {
    "electricity-maps": ElectricityMaps,
    "watttime": WattTime,
}


class LiveIntensities:
    """Answers at once, from what is known, and asks the live source beside it.

    Parameters
    ----------
    live, table : CarbonIntensityProvider
        The live source, which may block and fail, and what stands in for it.
    now_s : callable
        The time, seconds.
    beside : callable
        Runs a function in another thread.
    """

    def __init__(
        self,
        live: CarbonIntensityProvider,
        table: CarbonIntensityProvider,
        now_s: Callable[[], float],
        beside: Callable[[Callable[[], None]], object],
    ) -> None:
        self._live = live
        self._table = table
        self._now_s = now_s
        self._beside = beside
        self._known: dict[str, tuple[float, Intensity]] = {}
        self._asked_at_s: dict[str, float] = {}

    def intensity(self, zone: str) -> Intensity:
        """The last live value if it is fresh, or the table's."""
        table = self._table.intensity(zone)
        # Zones are strangers' words: only those that the table has are asked for.
        if table.warning:
            return table
        now_s = self._now_s()
        if now_s - self._asked_at_s.get(zone, float("-inf")) >= ASK_EVERY_S:
            self._asked_at_s[zone] = now_s
            self._beside(lambda: self._ask(zone))
        at_s, known = self._known.get(zone, (float("-inf"), table))
        return known if now_s - at_s < FRESH_S else table

    def _ask(self, zone: str) -> None:
        try:
            found = self._live.intensity(zone)
        except (OSError, ValueError) as error:
            logger.warning("No live carbon intensity of %s: %s", zone, clean(str(error), 200))
            return
        self._known[zone] = self._now_s(), found


def live_source(name: str, token: str) -> CarbonIntensityProvider:
    """Return a live source by its name.

    Raises
    ------
    ConfigurationError
        There is no such source, or it has no token.
    """
    if name not in _SOURCES:
        known = ", ".join(_SOURCES)
        raise ConfigurationError(f"eco-dask.energy.live is one of {known}; got {name!r}")
    if not token:
        raise ConfigurationError(
            f"eco-dask.energy.live is {name}, which needs your token in the environment variable "
            "DASK_ECO_DASK__ENERGY__LIVE_TOKEN"
        )
    return _SOURCES[name](_fetch, token)


def _fetch(url: str, headers: Mapping[str, str]) -> str:
    request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310  fixed addresses
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310  as above
        return bytes(answer.read(_ANSWER_BYTES_MAX)).decode("utf-8", "replace")
