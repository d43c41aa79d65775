"""What the engine hears of a provider's energy, for jobs that prefer less of it.

EnergyFigures of runs ──Offers──► OfferNoted(joules per reference-core-second, g CO2e per kWh)
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from eco_dask.energy.figures import EnergyFigures
from eco_dask.energy.intensity import CarbonIntensityProvider
from eco_dask.energy.preference import Offer
from eco_dask.engine import events as ev
from eco_dask.gateway.session import Session
from eco_dask.types import ProviderId

#: Nobody is believed to compute for less, joules per reference-core-second.
JOULES_MIN = 0.2
#: Slot-seconds over which figures are averaged; older ones fade.
_MEMORY_S = 3600.0
_SCORE_MIN = 0.01


@dataclass(slots=True)
class _Spent:
    joules: float = 0.0
    #: Of a reference core.
    seconds: float = 0.0


class OfferBook:
    """Sums by provider since it joined."""

    def __init__(
        self,
        feed: Callable[[ev.Event], None],
        intensities: CarbonIntensityProvider,
        now_s: Callable[[], float],
        price_mpt: float,
    ) -> None:
        self._feed = feed
        self._intensities = intensities
        self._now_s = now_s
        self._price_mpt = price_mpt
        self._spent: dict[ProviderId, _Spent] = {}
        self._changed: dict[ProviderId, Offer] = {}

    def take(self, session: Session, figures: EnergyFigures, wall_s: float) -> None:
        """Take in what a run took, in ``wall_s`` seconds of one slot."""
        provider = session.provider
        score = max(provider.score, _SCORE_MIN)
        spent = self._spent.setdefault(provider.id, _Spent())
        kept = max(0.0, 1.0 - wall_s * score / _MEMORY_S)
        spent.joules = spent.joules * kept + figures.reserved_j
        spent.seconds = spent.seconds * kept + wall_s * score
        if spent.seconds <= 0:
            return
        joules = max(JOULES_MIN, spent.joules / spent.seconds)
        g_per_kwh = self._intensities.intensity(session.declared.zone).central
        self._changed[provider.id] = Offer(
            provider.id, score, self._price_mpt, joules, figures.tier, g_per_kwh
        )

    def forget(self, provider: ProviderId) -> None:
        """A provider is gone for good."""
        self._spent.pop(provider, None)
        self._changed.pop(provider, None)

    def flush(self) -> None:
        """Tell the engine what changed."""
        changed, self._changed = self._changed, {}
        for offer in changed.values():
            self._feed(ev.OfferNoted(offer, self._now_s(), secrets.randbits(64)))
