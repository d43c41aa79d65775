"""What providers' runs took, as they say: claims become entries in the books.

Metered | Unmetered ──EnergyBook──► EnergyEntry ──flush──► table energy

Nothing here moves points, and a claim that cannot be becomes an unknown with its reason.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eco_dask.energy.declared import terms_of
from eco_dask.energy.figures import EnergyFigures
from eco_dask.energy.intensity import CarbonIntensityProvider
from eco_dask.energy.plausible import Bounds, Meterage
from eco_dask.energy.reading import Tier, Unavailable
from eco_dask.energy.tally import TaskEnergy, figures_of
from eco_dask.gateway.session import Session
from eco_dask.ledger.energy_entries import EnergyEntry, Use
from eco_dask.text import clean
from eco_dask.types import BallotId, JobId, LeaseId, ProviderId
from eco_dask.wire import messages as m

logger = logging.getLogger(__name__)

_SOURCE = "gateway"
_NS_PER_MS = 1_000_000
_MS_PER_S = 1000
#: Seconds after its end in which the energy of a run may still be told.
_LATE_S = 120.0
_CLEAR_EVERY_S = 20.0


@dataclass(slots=True)
class _Run:
    provider: ProviderId
    ballot: BallotId
    job: JobId
    purpose: Use
    granted_at_s: float
    #: When it was seen to be over, None while it is not.
    over_at_s: float | None = None


class EnergyBook:
    """Runs whose energy is not told yet, and the way of what is told to the books.

    Parameters
    ----------
    write : callable
        Takes entries for the books.
    intensities : CarbonIntensityProvider
        Carbon intensity by zone.
    now_s : callable
        The gateway's clock.
    """

    def __init__(
        self,
        write: Callable[[Sequence[EnergyEntry]], None],
        intensities: CarbonIntensityProvider,
        now_s: Callable[[], float],
    ) -> None:
        self._write = write
        self._intensities = intensities
        self._now_s = now_s
        self._runs: dict[LeaseId, _Run] = {}
        self._meterage: dict[ProviderId, Meterage] = {}
        self._entries: list[EnergyEntry] = []
        self._cleared_at_s = 0.0
        #: Called with what a run of a provider took, and how long it ran, seconds.
        self.on_figures: Callable[[Session, EnergyFigures, float], None] = lambda *_: None

    def granted(
        self, lease: LeaseId, provider: ProviderId, ballot: BallotId, job: JobId, purpose: Use
    ) -> None:
        """A provider got a lease."""
        self._runs[lease] = _Run(provider, ballot, job, purpose, self._now_s())

    def over(self, lease: LeaseId) -> None:
        """A lease ended; what it took may still be told for a while."""
        if (run := self._runs.get(lease)) is not None:
            run.over_at_s = self._now_s()

    def left(self, provider: ProviderId) -> None:
        """A provider is gone for good."""
        self._meterage.pop(provider, None)

    def take(self, session: Session, message: m.Metered | m.Unmetered) -> bool:
        """Take in what a run is said to have taken; say whether it was waited for.

        The first word counts, and only of a provider's own runs.
        """
        run = self._runs.get(message.lease)
        if run is None or run.provider != session.provider.id:
            return False
        del self._runs[message.lease]
        energy = self._judge(session, run, message)
        if isinstance(energy, EnergyFigures) and isinstance(message, m.Metered):
            self.on_figures(session, energy, message.overlap_ms / _MS_PER_S)
        provider = session.provider
        self._entries.append(
            EnergyEntry(
                message.lease,
                run.job,
                run.ballot,
                provider.id,
                provider.owner,
                run.purpose,
                energy,
                self._now_s(),
            )
        )
        return True

    def flush(self) -> None:
        """Hand what came to the books, and forget runs of which nothing will come."""
        if self._entries:
            entries, self._entries = self._entries, []
            self._write(entries)
        now_s = self._now_s()
        if now_s - self._cleared_at_s >= _CLEAR_EVERY_S:
            self._cleared_at_s = now_s
            for lease in [k for k, run in self._runs.items() if _is_late(run, now_s)]:
                del self._runs[lease]

    def _judge(
        self, session: Session, run: _Run, message: m.Metered | m.Unmetered
    ) -> EnergyFigures | Unavailable:
        if isinstance(message, m.Unmetered):
            return Unavailable(_SOURCE, f"the provider says: {clean(message.reason, 200)}")
        try:
            task = _task_energy(message)
        except ValueError as error:
            return Unavailable(_SOURCE, f"not believed: {error}")
        now_s = self._now_s()
        provider = session.provider.id
        meterage = self._meterage.setdefault(provider, Meterage(run.granted_at_s))
        fault = meterage.fault(task, bounds_of(session), run.granted_at_s, now_s)
        if fault is not None:
            logger.info("Energy of lease %s by %s: %s", message.lease, provider, fault)
            return Unavailable(_SOURCE, f"not believed: {fault.reason}")
        return figures_of(task, terms_of(session.declared, self._intensities))


def bounds_of(session: Session) -> Bounds:
    """What is known of a provider's machine, as far as it bounds its power."""
    gpus = session.capability.get("gpus")
    count = len(gpus) if isinstance(gpus, list | tuple) else 0
    return Bounds(max(session.provider.cores, session.declared.threads), count)


def _is_late(run: _Run, now_s: float) -> bool:
    return run.over_at_s is not None and now_s - run.over_at_s > _LATE_S


def _task_energy(message: m.Metered) -> TaskEnergy:
    return TaskEnergy(
        key=message.lease,
        marginal_uj=message.marginal_uj,
        marginal_metered_uj=message.marginal_metered_uj,
        share_uj=message.share_uj,
        share_metered_uj=message.share_metered_uj,
        tier=Tier(message.tier),
        sources=frozenset(message.sources),
        overlap_ns=message.overlap_ms * _NS_PER_MS,
        gap_ns=message.gap_ms * _NS_PER_MS,
        slots=message.slots,
        assumed_exclusive=message.assumed_exclusive,
        baseline_known=message.baseline_known,
    )
