"""NVIDIA GPUs through NVML: the energy counter (Volta and newer, tier A), else power (tier B).

    nvmlDeviceGetTotalEnergyConsumption | nvmlDeviceGetPowerUsage ─► gpu:GPU-3f2a...

The counter moves about every 100 ms. Some cards sample their power for a quarter of the time only,
which the spread of tier B is for.
"""

from __future__ import annotations

from typing import Any

from eco_dask.energy.readers.bank import Bank, Meter
from eco_dask.energy.readers.clock import Clock, system_clock
from eco_dask.energy.readers.monotone import (
    CounterRule,
    MonotoneCounter,
    PowerIntegral,
    RawCounter,
)
from eco_dask.energy.reading import Sample, Tier, Unavailable

SOURCE = "nvml"

_RULE = CounterRule(watts_max=3000.0)
_UJ_PER_MJ = 1000
_MW_PER_W = 1000


class NvidiaReader:
    """Reads every NVIDIA GPU.

    Parameters
    ----------
    nvml : module
        ``pynvml``, or what offers the same functions and ``NVMLError``.
    clock : Clock, optional
        When a value is read; the system's clock by default.
    """

    name = SOURCE

    def __init__(self, nvml: Any, clock: Clock | None = None) -> None:
        self._nvml = nvml
        self._clock = clock or system_clock()
        self._open = False
        #: Decided at a GPU's first answer, so that two meters never mix in one figure.
        self._has_counter: dict[str, bool] = {}
        self._counters = Bank(Meter(SOURCE, Tier.METERED, lambda: MonotoneCounter(_RULE)))
        self._powers: Bank[float] = Bank(Meter(SOURCE, Tier.SAMPLED, PowerIntegral))

    def read(self) -> Sample:
        """Read all GPUs now; see :class:`~eco_dask.energy.reading.Reader`."""
        counters: dict[str, RawCounter | Unavailable] = {}
        powers: dict[str, float | Unavailable] = {}
        silent: dict[str, Unavailable] = {}
        try:
            if not self._open:
                self._nvml.nvmlInit()
                self._open = True
            count = self._nvml.nvmlDeviceGetCount()
        except self._nvml.NVMLError as error:
            return Unavailable(SOURCE, f"NVML does not answer: {error}")
        for index in range(count):
            device = f"gpu:{index}"
            try:
                handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
                device = f"gpu:{_text(self._nvml.nvmlDeviceGetUUID(handle))}"
                if self._counts(device, handle):
                    counters[device] = self._counter(device, handle)
                else:
                    powers[device] = self._watts(device, handle)
            except self._nvml.NVMLError as error:
                silent[device] = Unavailable(SOURCE, f"{device} does not answer: {error}")
        now = self._clock()
        sample = self._counters.take(counters, now) | self._powers.take(powers, now) | silent
        return sample or Unavailable(SOURCE, "the driver lists no NVIDIA GPU")

    def close(self) -> None:
        """Let go of the driver; reading again opens it again."""
        if self._open:
            self._nvml.nvmlShutdown()
            self._open = False

    def _counts(self, device: str, handle: Any) -> bool:
        if device not in self._has_counter:
            try:
                self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
            except self._nvml.NVMLError_NotSupported:
                self._has_counter[device] = False
            else:
                self._has_counter[device] = True
        return self._has_counter[device]

    def _counter(self, device: str, handle: Any) -> RawCounter | Unavailable:
        try:
            energy_mj = self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        except self._nvml.NVMLError as error:
            return Unavailable(SOURCE, f"the energy counter of {device} does not answer: {error}")
        return RawCounter(int(energy_mj) * _UJ_PER_MJ)

    def _watts(self, device: str, handle: Any) -> float | Unavailable:
        try:
            return int(self._nvml.nvmlDeviceGetPowerUsage(handle)) / _MW_PER_W
        except self._nvml.NVMLError as error:
            return Unavailable(SOURCE, f"the power sensor of {device} does not answer: {error}")


def _text(name: str | bytes) -> str:
    # Older releases of the library return bytes.
    return name.decode() if isinstance(name, bytes) else name
