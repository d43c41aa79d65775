"""Who is enrolled, with their strikes, read anew only when something changed.

registry's tables ──read──► Members(records, capabilities, strikes by reason, latest strikes)
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import case, func, select

from eco_dask.dashboard.model import Strike
from eco_dask.ledger.member_tables import providers, strikes
from eco_dask.providers.records import ProviderRecord
from eco_dask.providers.registry import Registry
from eco_dask.text import clean

#: Strikes that are listed, the latest.
STRIKES_SHOWN: Final = 100
_CHARS_MAX: Final = 200


class Members:
    """The enrolled providers; not for several threads at a time."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._seen: tuple[Any, ...] | None = None
        self._strike_seq = 0
        self.records: tuple[ProviderRecord, ...] = ()
        #: Fit to show.
        self.capabilities: dict[str, Mapping[str, Any]] = {}
        self.strike_reasons: dict[str, Counter[str]] = {}
        self._latest: deque[tuple[float, str, str]] = deque(maxlen=STRIKES_SHOWN)

    def read(self) -> None:
        """Take in what changed since the last call."""
        self._read_strikes()
        if (seen := self._fingerprint()) == self._seen:
            return
        self.records = self._registry.providers()
        self.capabilities = {r.id: fit_to_show(r.capability) for r in self.records}
        self._seen = seen

    @property
    def latest_strikes(self) -> tuple[Strike, ...]:
        """The latest first."""
        owners = {record.id: record.owner for record in self.records}
        return tuple(
            Strike(at_s, provider, owners.get(provider, ""), reason)  # type: ignore[call-overload]
            for at_s, provider, reason in reversed(self._latest)
        )

    def _fingerprint(self) -> tuple[Any, ...]:
        p = providers.c
        query = select(
            func.count(),
            func.max(p.seen_at_s),
            func.count(case((p.revoked, 1))),
            func.count(case((p.role == "trusted", 1))),
        )
        with self._registry.database.connect() as connection:
            return tuple(connection.execute(query).one())

    def _read_strikes(self) -> None:
        s = strikes.c
        query = select(s.seq, s.at_s, s.provider, s.reason).where(s.seq > self._strike_seq)
        with self._registry.database.connect() as connection:
            for seq, at_s, provider, reason in connection.execute(query.order_by(s.seq)):
                self._strike_seq = seq
                shown = clean(reason, _CHARS_MAX)
                self.strike_reasons.setdefault(provider, Counter())[shown] += 1
                self._latest.append((at_s, provider, shown))


def fit_to_show(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a provider says of itself with every text bounded and printable."""
    return {clean(str(name), _CHARS_MAX): _fit(value) for name, value in claims.items()}


def _fit(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value, _CHARS_MAX)
    if isinstance(value, list | tuple):
        return [_fit(each) for each in value]
    if isinstance(value, Mapping):
        return fit_to_show(value)
    return value
