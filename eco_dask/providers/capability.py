"""What a machine can do, as it tells the gateway: a claim that is checked for form here.

::

    detect() --> Capability --to_map--> wire --from_map--> Capability --> tags, resources, class
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from blake3 import blake3

from eco_dask.errors import RegistrationError
from eco_dask.text import clean

#: What a map on the wire may hold.
CapabilityValue = str | int | float | bool | list[str]

CORES_MAX = 8192
MEMORY_BYTES_MAX = 1 << 50
TEXT_CHARS_MAX = 200
LISTED_MAX = 64

_NUMERICS_SIZE_BYTES = 6
_NUMBERS = {
    "cores": (1, CORES_MAX),
    "memory_bytes": (1, MEMORY_BYTES_MAX),
    "blas_threads": (0, CORES_MAX),
}
_TEXTS = (
    "os", "machine", "python", "numpy", "blas", "blas_kernel", "blas_threading", "simd",
    "gpu_library",
)  # fmt: skip
#: These become tags without a prefix, so a provider must not make words up: "trusted" is no system.
SYSTEMS = frozenset({"linux", "darwin", "windows", "freebsd", "other"})
MACHINES = frozenset(
    {"x86_64", "aarch64", "i686", "armv7l", "ppc64le", "riscv64", "s390x", "loongarch64", "other"}
)
_VERSION = re.compile(r"\d+\.\d+[0-9A-Za-z.+-]*", re.ASCII)
_PRINTABLE = re.compile(r"[\x20-\x7e]*", re.ASCII)
_GPU = re.compile(r"([1-9][0-9]{0,15}) ([\x21-\x7e][\x20-\x7e]{0,180})", re.ASCII)
#: Words of a model name that differ between cards of the same kind.
_GPU_DETAIL = re.compile(r"\b(?:\d+\s?gb|hbm\w*|pcie|sxm\w*|nvl)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Gpu:
    """One graphics processor."""

    #: As its driver names it, such as "NVIDIA H100 PCIe".
    model: str
    memory_bytes: int

    def __post_init__(self) -> None:
        if not _GPU.fullmatch(str(self)):
            raise ValueError(f"no GPU of this form: {clean(str(self), 80)!r}")

    def __str__(self) -> str:
        return f"{self.memory_bytes} {self.model}"

    @classmethod
    def parse(cls, text: str) -> Gpu:
        """Read the form that ``str`` gives: memory in bytes, a blank, the model.

        Raises
        ------
        ValueError
            It has another form.
        """
        match = _GPU.fullmatch(text)
        if match is None:
            raise ValueError(f"no GPU of this form: {clean(text, 80)!r}")
        return cls(match[2], int(match[1]))


@dataclass(frozen=True, slots=True)
class Capability:
    """What one machine offers. An empty text means unknown, and ``unknown`` says why.

    Raises
    ------
    ValueError
        A field is out of range, too long or not printable ASCII.
    """

    #: Cores that tasks may use.
    cores: int
    #: Memory that tasks may use, in bytes.
    memory_bytes: int
    gpus: tuple[Gpu, ...]
    #: One of :data:`SYSTEMS`.
    os: str
    #: One of :data:`MACHINES`.
    machine: str
    #: Full version, such as "3.11.14".
    python: str
    #: Full version.
    numpy: str
    #: Name and version, such as "openblas 0.3.31".
    blas: str = ""
    #: The kernel that BLAS chose for this processor, such as "SkylakeX".
    blas_kernel: str = ""
    #: The layer that runs BLAS threads, such as "pthreads" or "openmp".
    blas_threading: str = ""
    #: Threads of one BLAS call, 0 when unknown. They change the order of sums, so the last bits.
    blas_threads: int = 0
    #: Instruction sets that numpy's own loops use, joined by "+".
    simd: str = ""
    #: Name and version of the GPU array library, empty without one.
    gpu_library: str = ""
    #: Why something above is unknown, for the people who read lists.
    unknown: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, (least, most) in _NUMBERS.items():
            number = getattr(self, name)
            if type(number) is not int or not least <= number <= most:
                raise ValueError(f"{name} must be a whole number from {least} to {most}")
        for name in _TEXTS:
            _check_text(name, getattr(self, name))
        if self.os not in SYSTEMS or self.machine not in MACHINES:
            raise ValueError(f"os and machine must be among {sorted(SYSTEMS | MACHINES)}")
        if not (_VERSION.fullmatch(self.python) and _VERSION.fullmatch(self.numpy)):
            raise ValueError("python and numpy must be versions, such as 3.11.14")
        if max(len(self.gpus), len(self.unknown)) > LISTED_MAX:
            raise ValueError(f"at most {LISTED_MAX} entries in gpus and in unknown")
        for reason in self.unknown:
            _check_text("unknown", reason)

    @property
    def numerics(self) -> str:
        """Fingerprint of what decides the last bits of results, 12 hex digits.

        Machines with equal fingerprints are expected to agree bit for bit, others only closely.
        """
        parts = (
            self.numpy, self.blas, self.blas_kernel, self.blas_threading, str(self.blas_threads),
            self.simd, self.gpu_library, ",".join(sorted({gpu.model for gpu in self.gpus})),
        )  # fmt: skip
        return blake3("\x00".join(parts).encode()).hexdigest(length=_NUMERICS_SIZE_BYTES)

    def to_map(self) -> dict[str, CapabilityValue]:
        """Return the form that goes over the wire and into lists."""
        plain: dict[str, CapabilityValue] = {
            name: getattr(self, name) for name in (*_NUMBERS, *_TEXTS)
        }
        return plain | {
            "gpus": [str(gpu) for gpu in self.gpus],
            "unknown": list(self.unknown),
            "numerics": self.numerics,
        }

    @classmethod
    def from_map(cls, mapping: Mapping[str, object]) -> Capability:
        """Read what :meth:`to_map` gave, from a peer that may send anything.

        Raises
        ------
        RegistrationError
            Code ``"bad-capability"``: a key is missing or unexpected, a value has the wrong type
            or range, or the fingerprint does not follow from the rest.
        """
        expected = {field.name for field in fields(cls)} | {"numerics"}
        if set(mapping) != expected:
            odd = ", ".join(sorted(clean(repr(key), 40) for key in expected ^ set(mapping))[:8])
            raise _bad(f"these keys are missing or unexpected: {odd}")
        facts: dict[str, Any] = {name: mapping[name] for name in expected - {"numerics"}}
        try:
            facts["unknown"] = _texts(mapping["unknown"])
            facts["gpus"] = tuple(map(Gpu.parse, _texts(mapping["gpus"])))
            capability = cls(**facts)
        except ValueError as error:
            raise _bad(str(error)) from error
        if mapping["numerics"] != capability.numerics:
            raise _bad("its numerics fingerprint does not follow from its other facts")
        return capability

    def tags(self) -> frozenset[str]:
        """Return the words by which a recruiter can ask for this machine."""
        minor = ".".join(self.python.split(".")[:2])
        tags = {self.os, self.machine, f"python{minor}", f"numerics:{self.numerics}"}
        if self.blas:
            tags.add(f"blas:{_slug(self.blas.split(' ')[0])}")
        for gpu in self.gpus:
            full = _slug(gpu.model)
            short = _slug(_GPU_DETAIL.sub("", gpu.model)) or full
            tags |= {"gpu", f"gpu:{full}", f"gpu:{short}"}
        return frozenset(tags)

    def resources(self) -> dict[str, float]:
        """Return the Dask resources of this machine: ``{"GPU": n}`` or nothing."""
        return {"GPU": float(len(self.gpus))} if self.gpus else {}


def _bad(problem: str) -> RegistrationError:
    return RegistrationError(
        "bad-capability",
        f"the provider's description of its machine is malformed: {problem}; run the same "
        "eco-dask version as the gateway",
    )


def _check_text(name: str, text: object) -> None:
    if not isinstance(text, str) or len(text) > TEXT_CHARS_MAX or not _PRINTABLE.fullmatch(text):
        raise ValueError(f"{name} must be at most {TEXT_CHARS_MAX} printable ASCII characters")


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
        raise ValueError("gpus and unknown must be lists of texts")
    return tuple(value)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")
