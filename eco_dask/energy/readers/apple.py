"""Apple Silicon through ``zeus-apple-silicon``: the vendor's own estimate (tier A-).

    AppleEnergyMonitor().get_cumulative_energy() ─► cpu:0, dram:0, gpu:0

macOS calls these values estimates, so they are never labelled metered. No administrator is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from eco_dask.energy.readers.bank import Bank, Meter
from eco_dask.energy.readers.clock import Clock, system_clock
from eco_dask.energy.readers.monotone import CounterRule, MonotoneCounter, RawCounter
from eco_dask.energy.reading import Sample, Tier, Unavailable

SOURCE = "apple-silicon"

_RULE = CounterRule(watts_max=1000.0)
_UJ_PER_MJ = 1000
_REMEDY = "pip install 'eco-dask[apple]'  # 62 KB, no sudo; exposes nothing to other programs"


class AppleMetrics(Protocol):
    """Cumulative millijoules; None where the chip does not say."""

    @property
    def cpu_total_mj(self) -> int | None:
        """All CPU clusters."""
        ...

    @property
    def dram_mj(self) -> int | None:
        """Memory."""
        ...

    @property
    def gpu_mj(self) -> int | None:
        """Graphics."""
        ...


class AppleMonitor(Protocol):
    """What ``zeus_apple_silicon.AppleEnergyMonitor`` offers."""

    def get_cumulative_energy(self) -> AppleMetrics:
        """Energy since a point that is fixed for the monitor's life."""
        ...


class AppleReader:
    """Reads the chip's CPU, memory and graphics.

    Parameters
    ----------
    open_monitor : callable, optional
        Makes the monitor, at the first reading; raises ImportError where the library is missing and
        RuntimeError where the chip is not Apple's. By default the library is imported.
    clock : Clock, optional
        When a value is read; the system's clock by default.
    """

    name = SOURCE

    def __init__(
        self, open_monitor: Callable[[], AppleMonitor] | None = None, clock: Clock | None = None
    ) -> None:
        self._open = open_monitor or _open_zeus
        self._clock = clock or system_clock()
        self._monitor: AppleMonitor | None = None
        self._bank = Bank(Meter(SOURCE, Tier.VENDOR_MODEL, lambda: MonotoneCounter(_RULE)))

    def read(self) -> Sample:
        """Read the chip now; see :class:`~eco_dask.energy.reading.Reader`."""
        try:
            if self._monitor is None:
                self._monitor = self._open()
            metrics = self._monitor.get_cumulative_energy()
        except ImportError:
            return Unavailable(SOURCE, "the library zeus-apple-silicon is not installed", _REMEDY)
        except RuntimeError as error:
            return Unavailable(SOURCE, f"macOS does not tell: {error}")
        values: dict[str, RawCounter | Unavailable] = {}
        for device, energy_mj in (
            ("cpu:0", metrics.cpu_total_mj),
            ("dram:0", metrics.dram_mj),
            ("gpu:0", metrics.gpu_mj),
        ):
            if energy_mj is None:
                values[device] = Unavailable(SOURCE, f"this chip does not tell about {device}")
            else:
                values[device] = RawCounter(energy_mj * _UJ_PER_MJ)
        return self._bank.take(values, self._clock())


def _open_zeus() -> AppleMonitor:
    import zeus_apple_silicon

    monitor: AppleMonitor = zeus_apple_silicon.AppleEnergyMonitor()
    return monitor
