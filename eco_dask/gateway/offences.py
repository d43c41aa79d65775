"""Broken rules: a strike for each provider that broke one, a line in the books for strangers.

provider broke a rule ──► strike, and after some of them a pause
stranger broke a rule ──► counted by address and reason ──flush──► the registry's incidents
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Callable

from eco_dask.config import GuardRule
from eco_dask.gateway.door import address_group
from eco_dask.gateway.pace import Bucket
from eco_dask.types import ProviderId

logger = logging.getLogger(__name__)

#: Addresses and reasons counted between two flushes; what is beyond is counted as from elsewhere.
COUNTED_MAX = 1000
ELSEWHERE = "elsewhere"
#: New sessions of one provider, in the long run and at once.
JOINS_PER_S, JOINS_BURST = 0.1, 20

Incidents = dict[tuple[str, str], int]


class Offences:
    """What was done against the rules here.

    Parameters
    ----------
    rule : GuardRule
        How many are too many.
    now_s : callable
        The gateway's clock.
    strike : callable
        Writes a strike against a provider into the books.
    expel : callable
        Ends the session of a provider that broke too many rules.
    """

    def __init__(
        self,
        rule: GuardRule,
        now_s: Callable[[], float],
        strike: Callable[[ProviderId, str], None],
        expel: Callable[[ProviderId], None] = lambda _: None,
    ) -> None:
        self._rule = rule
        self._now_s = now_s
        self._strike = strike
        self._expel = expel
        self._recent: defaultdict[ProviderId, deque[float]] = defaultdict(
            lambda: deque(maxlen=rule.violations_max)
        )
        self._joins: dict[ProviderId, Bucket] = {}
        self._strangers: Counter[tuple[str, str]] = Counter()

    def by_provider(self, provider: ProviderId, code: str) -> None:
        """Note that a provider broke a rule; one that broke too many has to go.

        What it does until it is gone is not written down any more: it must not fill the books.
        """
        if self.pause_s(provider) > 0:
            return
        logger.warning("Provider %s broke the provider protocol: %s", provider, code)
        self._recent[provider].append(self._now_s())
        self._strike(provider, f"protocol: {code}")
        if self.pause_s(provider) > 0:
            self._expel(provider)

    def by_stranger(self, address: str, code: str) -> None:
        """Note that somebody who has not joined broke a rule, or was refused."""
        key = (address_group(address), code)
        if key not in self._strangers and len(self._strangers) >= COUNTED_MAX:
            key = (ELSEWHERE, code)
        if self._strangers[key] == 0:
            # Once between two flushes: a flood must not fill the log.
            logger.warning("%s broke the provider protocol: %s", address, code)
        self._strangers[key] += 1

    def pause_s(self, provider: ProviderId) -> float:
        """Seconds that a provider that broke too many rules has to wait, 0 if it may join."""
        recent = self._recent.get(provider)
        if recent is None or len(recent) < self._rule.violations_max:
            return 0.0
        return max(0.0, recent[0] + self._rule.violations_window_s - self._now_s())

    def may_join(self, provider: ProviderId) -> bool:
        """Count a new session; say whether the provider may have it now.

        Each costs the gateway a part of a benchmark, done again. Who resumes a session does not
        come by here.
        """
        bucket = self._joins.get(provider)
        if bucket is None:
            if len(self._joins) >= COUNTED_MAX:
                del self._joins[next(iter(self._joins))]
            bucket = self._joins[provider] = Bucket(JOINS_PER_S, JOINS_BURST, self._now_s())
        return bucket.take(1, self._now_s())

    def flush(self) -> Incidents:
        """Return what strangers did since the last call, by address and reason code."""
        found, self._strangers = dict(self._strangers), Counter()
        at_s = self._now_s()
        for provider, recent in tuple(self._recent.items()):
            if recent[-1] + self._rule.violations_window_s < at_s:
                del self._recent[provider]
        return found
