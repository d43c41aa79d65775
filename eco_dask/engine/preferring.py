"""Which of the providers with room a job would rather have, as a weighted draw among a few.

Offers(note) + candidates + prefer + dice ─► one of them, or None
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eco_dask.energy.preference import Offer, Prefer, weights
from eco_dask.engine.dice import Dice
from eco_dask.engine.facts import Provider
from eco_dask.types import ProviderId

#: Providers with room that are drawn and then weighed; more would cost time and gain little.
WEIGHED_MAX = 32
_STEPS = 1 << 53
_SCORE_MIN = 0.01


class Offers:
    """What is known of connected providers. Changed by :meth:`note` and :meth:`forget`."""

    def __init__(self, price_mpt: float) -> None:
        self._price_mpt = price_mpt
        self._known: dict[ProviderId, Offer] = {}

    def note(self, offer: Offer) -> None:
        """Take what became known of a provider."""
        self._known[offer.provider] = offer

    def forget(self, provider: ProviderId) -> None:
        """A provider is gone."""
        self._known.pop(provider, None)

    def draw(
        self,
        candidates: Sequence[Provider],
        prefer: Prefer,
        busyness: Callable[[Provider], float],
        dice: Dice,
    ) -> Provider | None:
        """Draw one by its weight, which falls with what waits there; None of none.

        Parameters
        ----------
        candidates : sequence of Provider
            All of them may have the task.
        prefer : str
            What the job prefers.
        busyness : callable
            Leases of a provider over its slots.
        dice : Dice
            Decides.
        """
        if not candidates:
            return None
        weighed = weights([self._of(it) for it in candidates], prefer)
        shares = [weighed[it.id] / (1.0 + busyness(it)) for it in candidates]
        left = dice.below(_STEPS) / _STEPS * sum(shares)
        for provider, share in zip(candidates, shares, strict=True):
            left -= share
            if left < 0:
                return provider
        # Rounding alone leads here.
        return candidates[-1]

    def _of(self, provider: Provider) -> Offer:
        known = self._known.get(provider.id)
        if known is not None:
            return known
        return Offer(provider.id, max(provider.score, _SCORE_MIN), self._price_mpt)
