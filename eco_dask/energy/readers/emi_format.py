"""Parses what Windows' Energy Meter Interface returns, byte by byte.

    metadata bytes ─► channel names ─► {device: channel}
    measurement bytes ─► (picowatt-hours, 100 ns ticks) per channel

Layouts are those of ``emi.h`` in the Windows SDK; everything is little-endian and packed by two.
Pure, so that recorded bytes test it anywhere.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

VERSION_1 = 1
VERSION_2 = 2

_NAME_BYTES = 32  # EMI_NAME_MAX = 16 UTF-16 units
_HEAD_V1 = struct.Struct(f"<I{_NAME_BYTES}s{_NAME_BYTES}sHH")
_HEAD_V2 = struct.Struct(f"<{_NAME_BYTES}s{_NAME_BYTES}sHH")
_CHANNEL_V2 = struct.Struct("<IH")
_MEASUREMENT = struct.Struct("<QQ")
_PICOWATT_HOURS = 0
_RAPL_NAME = re.compile(r"^RAPL_Package(\d+)_(PKG|DRAM)$", re.IGNORECASE)
_KINDS = {"PKG": "cpu", "DRAM": "dram"}
#: AMD's power management unit: the whole socket, which contains the SoC rail beside it.
_SOCKET_NAME = "current socket power"


class EmiFormatError(Exception):
    """The bytes do not have the layout of ``emi.h``."""


@dataclass(frozen=True, slots=True)
class EmiMeasurement:
    """One channel's counter."""

    energy_pwh: int
    #: Ticks of 100 ns from a start of the driver's choosing.
    ticks: int

    @property
    def energy_uj(self) -> int:
        """Microjoules, rounded down: a picowatt-hour is 3.6e-3 uJ."""
        return self.energy_pwh * 9 // 2500


def parse_version(data: bytes) -> int:
    """The interface version of a device: 1 or 2.

    Raises
    ------
    EmiFormatError
        It is another one.
    """
    if len(data) < 2:  # noqa: PLR2004  a USHORT
        raise EmiFormatError(f"a version has 2 bytes, found {len(data)}")
    version = int.from_bytes(data[:2], "little")
    if version not in (VERSION_1, VERSION_2):
        raise EmiFormatError(f"versions 1 and 2 are known, the device speaks {version}")
    return version


def parse_channels(version: int, data: bytes) -> tuple[str, ...]:
    """The names of a device's channels, in the order of its measurements.

    Raises
    ------
    EmiFormatError
        The metadata is cut short or counts in another unit than picowatt-hours.
    """
    if version == VERSION_1:
        unit, _, _, _, size = _unpack(_HEAD_V1, data, 0)
        _check_unit(unit)
        return (_name(data, _HEAD_V1.size, size),)
    *_, count = _unpack(_HEAD_V2, data, 0)
    names = []
    offset = _HEAD_V2.size
    for _ in range(count):
        unit, size = _unpack(_CHANNEL_V2, data, offset)
        _check_unit(unit)
        names.append(_name(data, offset + _CHANNEL_V2.size, size))
        offset += _CHANNEL_V2.size + size
    return tuple(names)


def parse_measurements(data: bytes, count: int) -> tuple[EmiMeasurement, ...]:
    """The counters of a device's ``count`` channels.

    Raises
    ------
    EmiFormatError
        There are fewer.
    """
    return tuple(
        EmiMeasurement(*_unpack(_MEASUREMENT, data, index * _MEASUREMENT.size))
        for index in range(count)
    )


def devices_of(names: tuple[str, ...]) -> dict[str, int]:
    """Which channels count what, as ``{device: channel index}``.

    Packages and their memory where RAPL names them, else AMD's socket. Cores (PP0), graphics (PP1),
    rails and the platform are inside or around these and are left out.
    """
    found: dict[str, int] = {}
    for index, name in enumerate(names):
        if match := _RAPL_NAME.match(name):
            found.setdefault(f"{_KINDS[match[2].upper()]}:{int(match[1])}", index)
    if not any(device.startswith("cpu:") for device in found):
        for index, name in enumerate(names):
            if name.strip().lower() == _SOCKET_NAME:
                found.setdefault("cpu:0", index)
    return found


def _unpack(layout: struct.Struct, data: bytes, offset: int) -> tuple[int, ...]:
    if offset + layout.size > len(data):
        raise EmiFormatError(
            f"{layout.size} bytes expected at offset {offset}, the device sent {len(data)} in all"
        )
    return layout.unpack_from(data, offset)


def _check_unit(unit: int) -> None:
    if unit != _PICOWATT_HOURS:
        raise EmiFormatError(f"unit 0 (picowatt-hours) is known, the channel counts in unit {unit}")


def _name(data: bytes, offset: int, size: int) -> str:
    if offset + size > len(data):
        raise EmiFormatError(f"a name of {size} bytes at offset {offset} runs past {len(data)}")
    text = data[offset : offset + size].decode("utf-16-le", errors="replace")
    return text.partition("\0")[0]
