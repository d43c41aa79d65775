"""What the network's own checks say: how often answers are wrong, by the checks passed before.

    answer compared ──observe(level, worst case, right)──► buckets ──factor(level)──► x worst case

Whether an answer is compared with another one is drawn before anything is known of it, so that the
share of wrong ones among those compared, of owners with k passed checks, estimates the share among
those that were not, whatever rule liars follow: sleepers show up at the level at which they wake.
A bucket of levels keeps how many wrong answers the worst case made expect and how many there were.
Their ratio, with the bucket below as a prior (a Gamma distribution of the weight of
:data:`PRIOR_WEIGHT` wrong answers, an empirical Bayes estimate), corrects the worst case::

    factor(b) = (PRIOR_WEIGHT * factor(b - 1) + wrong(b)) / (PRIOR_WEIGHT + expected(b))

It is at least 1, so that the worst case of the assumed share of liars holds in any case: clean
figures prove little, as who is at a level changes. Liars that were caught come again under other
names, and honest owners leave the level behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: Checks in the lowest bucket after which one counts for 1/e; twice as many in each one above, as
#: what there is to see becomes rarer with the level, and the crowd there changes more slowly.
WINDOW: Final = 32.0
#: Wrong answers that the estimate of the bucket below is worth.
PRIOR_WEIGHT: Final = 0.5
FACTOR_MIN: Final = 1.0


@dataclass(slots=True)
class Bucket:
    """Checks at some levels; older ones count less."""

    checks: float = 0.0
    #: Wrong answers that the worst case made expect.
    expected: float = 0.0
    wrong: float = 0.0


@dataclass(slots=True)
class Calibration:
    """Shares of wrong answers in buckets of levels: 0, 1, 2-3, 4-7, ..."""

    buckets: dict[int, Bucket] = field(default_factory=dict)
    _factors: list[float] = field(default_factory=lambda: [1.0])

    def observe(self, level: float, worst_case: float, *, right: bool) -> None:
        """Count an answer that was compared with another owner's.

        Parameters
        ----------
        level : float
            Checks that its owner had passed before.
        worst_case : float
            Probability that it would be wrong, by formula.
        right : bool
            What came of it.
        """
        place = _place(level)
        bucket = self.buckets.setdefault(place, Bucket())
        left = 1 - 2.0**-place / WINDOW
        bucket.checks = bucket.checks * left + 1
        bucket.expected = bucket.expected * left + worst_case
        bucket.wrong = bucket.wrong * left + (not right)
        self._chain()

    def checks(self, level: float) -> float:
        """Return how many recent checks there are at a level."""
        bucket = self.buckets.get(_place(level))
        return bucket.checks if bucket else 0.0

    def factor(self, level: float) -> float:
        """Return what the worst case at a level is to be multiplied by."""
        return self._factors[min(_place(level), len(self._factors) - 1)]

    def excess(self, fault_rate: float) -> float:
        """Return how many times more liars there must be than the worst case was made of.

        The worst case is the most that its share of liars can do: where more answers are wrong
        than that, beyond the honest ``fault_rate``, the share is larger. At least 1.
        """
        return max(
            (
                (PRIOR_WEIGHT + max(bucket.wrong - fault_rate * bucket.checks, 0.0))
                / (PRIOR_WEIGHT + bucket.expected)
                for bucket in self.buckets.values()
            ),
            default=1.0,
        )

    def _chain(self) -> None:
        factor, factors = 1.0, []
        for place in range(max(self.buckets) + 1):
            if bucket := self.buckets.get(place):
                told = PRIOR_WEIGHT * factor + bucket.wrong
                factor = max(told / (PRIOR_WEIGHT + bucket.expected), FACTOR_MIN)
            factors.append(factor)
        self._factors = factors

    def state(self) -> dict[str, Any]:
        """Return plain values for the books; :meth:`restored` reads them."""
        return {str(p): [b.checks, b.expected, b.wrong] for p, b in self.buckets.items()}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Calibration:
        """Read what :meth:`state` gave."""
        calibration = cls({int(p): Bucket(*map(float, facts)) for p, facts in state.items()})
        if calibration.buckets:
            calibration._chain()
        return calibration


def _place(level: float) -> int:
    return int(level).bit_length()
