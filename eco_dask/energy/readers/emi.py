"""Windows' Energy Meter Interface: package and memory counters without administrator (tier A).

EmiPort.paths / request ─► emi_format ─► cpu:0, dram:0
"""

from __future__ import annotations

from typing import Protocol

from eco_dask.energy.readers.bank import Bank, Meter
from eco_dask.energy.readers.clock import Clock, system_clock
from eco_dask.energy.readers.emi_format import (
    EmiFormatError,
    devices_of,
    parse_channels,
    parse_measurements,
    parse_version,
)
from eco_dask.energy.readers.monotone import CounterRule, MonotoneCounter, RawCounter
from eco_dask.energy.reading import Sample, Tier, Unavailable

SOURCE = "emi"

#: CTL_CODE(FILE_DEVICE_UNKNOWN, function, METHOD_BUFFERED, FILE_READ_ACCESS), as in ``emi.h``.
GET_VERSION = 0x224000
GET_METADATA_SIZE = 0x224004
GET_METADATA = 0x224008
GET_MEASUREMENT = 0x22400C

_RULE = CounterRule(watts_max=2000.0)
_STILL_MAX_S = 5.0
_METADATA_BYTES_MAX = 65536
_MEASUREMENT_BYTES = 16


class EmiPort(Protocol):
    """The operating system's side."""

    def paths(self) -> list[str]:
        """The energy meters of this machine.

        Raises
        ------
        OSError
            They cannot be listed.
        """
        ...

    def request(self, path: str, code: int, size_bytes: int) -> bytes:
        """Ask a meter; return at most ``size_bytes``.

        Raises
        ------
        OSError
            It does not open or does not answer.
        """
        ...


class EmiReader:
    """Reads every energy meter that counts a package or its memory.

    Parameters
    ----------
    port : EmiPort or None
        The operating system; None where it is not Windows.
    clock : Clock, optional
        When a value is read; the system's clock by default.
    """

    name = SOURCE

    def __init__(self, port: EmiPort | None, clock: Clock | None = None) -> None:
        self._port = port
        self._clock = clock or system_clock()
        self._bank = Bank(Meter(SOURCE, Tier.METERED, lambda: MonotoneCounter(_RULE), _STILL_MAX_S))
        self._channels: dict[str, tuple[str, ...]] = {}

    def read(self) -> Sample:
        """Read all meters now; see :class:`~eco_dask.energy.reading.Reader`."""
        if self._port is None:
            return Unavailable(SOURCE, "the Energy Meter Interface exists on Windows only")
        values: dict[str, RawCounter | Unavailable] = {}
        trouble: list[str] = []
        try:
            paths = self._port.paths()
        except OSError as error:
            return Unavailable(SOURCE, f"the energy meters cannot be listed: {error}")
        for path in sorted(paths):
            try:
                for device, raw in self._read_device(self._port, path).items():
                    values.setdefault(device, raw)
            except (OSError, EmiFormatError) as error:
                trouble.append(f"{path}: {error}")
        sample = self._bank.take(values, self._clock())
        return sample or Unavailable(SOURCE, _why_nothing(self._channels, trouble))

    def _read_device(self, port: EmiPort, path: str) -> dict[str, RawCounter]:
        if path not in self._channels:
            self._channels[path] = _ask_channels(port, path)
        names = self._channels[path]
        devices = devices_of(names)
        if not devices:
            return {}
        size_bytes = _MEASUREMENT_BYTES * len(names)
        data = port.request(path, GET_MEASUREMENT, size_bytes)
        counters = parse_measurements(data, len(names))
        return {device: RawCounter(counters[at].energy_uj) for device, at in devices.items()}


def _ask_channels(port: EmiPort, path: str) -> tuple[str, ...]:
    version = parse_version(port.request(path, GET_VERSION, 2))
    size_bytes = int.from_bytes(port.request(path, GET_METADATA_SIZE, 4), "little")
    if not 0 < size_bytes <= _METADATA_BYTES_MAX:
        raise EmiFormatError(f"metadata of {size_bytes} bytes is not believable")
    return parse_channels(version, port.request(path, GET_METADATA, size_bytes))


def _why_nothing(channels: dict[str, tuple[str, ...]], trouble: list[str]) -> str:
    if trouble:
        return f"no meter could be read ({'; '.join(trouble)})"
    names = sorted({name for found in channels.values() for name in found})
    if names:
        return f"the meters count {', '.join(names)}, none of which is the CPU's package"
    return "this machine has no energy meter: Windows 10, a virtual machine, or no driver for it"
