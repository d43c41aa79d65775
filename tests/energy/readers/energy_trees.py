"""Made machines: sysfs trees from fixture files, a clock set by hand, EMI bytes, an NVML."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from eco_dask.energy.readers.monotone import Moment
from eco_dask.energy.reading import Reading, Sample, Unavailable

FIXTURES = Path(__file__).parent.parent / "fixtures"
NOBODY = 65534


@dataclass
class HandClock:
    at_s: float = 1000.0
    boot_id: str = "first-boot"

    def __call__(self) -> Moment:
        return Moment(self.at_s, self.boot_id)


def grow(fixture: str, root: Path) -> Path:
    """Write the files that a fixture lists below ``root``."""
    for line in (FIXTURES / f"{fixture}.tree").read_text().splitlines():
        path, content = line.split(" = ")
        write(root / path, content)
    return root


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{content}\n")


def energies(sample: Sample) -> dict[str, int]:
    assert not isinstance(sample, Unavailable), sample
    return {device: it.energy_uj for device, it in sample.items() if isinstance(it, Reading)}


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be nobody for a while, as permissions do not bind root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def emi_metadata_v2(*names: str, unit: int = 0) -> bytes:
    head = struct.pack("<32s32sHH", "Oem".encode("utf-16-le"), b"", 1, len(names))
    channels = b""
    for name in names:
        text = (name + "\0").encode("utf-16-le")
        channels += struct.pack("<IH", unit, len(text)) + text
    return head + channels


@dataclass
class MadeEmi:
    """Windows' side: what each meter answers to each control code."""

    answers: dict[str, dict[int, bytes | OSError]] = field(default_factory=dict)

    def paths(self) -> list[str]:
        return list(self.answers)

    def request(self, path: str, code: int, size_bytes: int) -> bytes:
        answer = self.answers[path][code]
        if isinstance(answer, OSError):
            raise answer
        return answer[:size_bytes]


class NVMLError(Exception):
    pass


class NotSupportedError(NVMLError):
    pass


@dataclass
class MadeGpu:
    uuid: str
    energy_mj: int | NVMLError = 0
    power_mw: int | NVMLError = 0


def _tell(value: int | NVMLError) -> int:
    if isinstance(value, NVMLError):
        raise value
    return value


class MadeNvml:
    """NVML's functions over made GPUs."""

    NVMLError = NVMLError
    NVMLError_NotSupported = NotSupportedError

    def __init__(self, *gpus: MadeGpu, broken: str = "") -> None:
        self.gpus = list(gpus)
        self.broken = broken
        self.opened = 0

    def nvmlInit(self) -> None:
        if self.broken:
            raise NVMLError(self.broken)
        self.opened += 1

    def nvmlShutdown(self) -> None:
        self.opened -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> MadeGpu:
        return self.gpus[index]

    def nvmlDeviceGetUUID(self, gpu: MadeGpu) -> str:
        return gpu.uuid

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu: MadeGpu) -> int:
        return _tell(gpu.energy_mj)

    def nvmlDeviceGetPowerUsage(self, gpu: MadeGpu) -> int:
        return _tell(gpu.power_mw)
