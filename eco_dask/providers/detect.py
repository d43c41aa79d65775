"""Finds out what this machine can do; the only place of this package that asks it.

::

    psutil, platform, numpy, threadpoolctl, NVML --> Capability
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pynvml
import threadpoolctl  # type: ignore[import-untyped]

from eco_dask.errors import ConfigurationError
from eco_dask.providers.capability import MACHINES, SYSTEMS, TEXT_CHARS_MAX, Capability, Gpu
from eco_dask.providers.packages import list_packages
from eco_dask.wire.messages import PROTOCOL

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_GPU_LIBRARIES = ("cupy-cuda13x", "cupy-cuda12x", "cupy-cuda11x", "cupy")
#: Memory limits of a container, cgroup version 2 and 1.
_MEMORY_LIMIT_FILES = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def detect(n_cores: int | None = None, memory_bytes: int | None = None) -> Capability:
    """Describe this machine.

    Parameters
    ----------
    n_cores, memory_bytes : int, optional
        What the owner allows; by default all that this process may use.

    Raises
    ------
    ConfigurationError
        The owner allows less than one core or one byte.
    """
    if (n_cores is not None and n_cores < 1) or (memory_bytes is not None and memory_bytes < 1):
        raise ConfigurationError(
            f"a provider needs at least one core and some memory; got {n_cores} cores and "
            f"{memory_bytes} bytes"
        )
    gpus, no_gpu = find_gpus()
    blas, no_blas = _find_blas()
    simd, no_simd = _find_simd()
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = _MACHINES.get(machine, machine)
    return Capability(
        cores=n_cores or _count_cores(),
        memory_bytes=memory_bytes or _measure_memory_bytes(),
        gpus=gpus,
        os=system if system in SYSTEMS else "other",
        machine=machine if machine in MACHINES else "other",
        python=platform.python_version(),
        numpy=np.__version__,
        simd=simd,
        gpu_library=_find_gpu_library() if gpus else "",
        unknown=tuple(reason for reason in (no_gpu, no_blas, no_simd) if reason),
        **blas,
    )


def software() -> dict[str, str]:
    """Return the versions that must fit between provider and gateway, and the wire protocol."""
    versions = {name: importlib.metadata.version(name) for name in ("dask", "distributed", "numpy")}
    try:
        versions["eco_dask"] = importlib.metadata.version("eco-dask")
    except importlib.metadata.PackageNotFoundError:
        # A source checkout on the path, as in development.
        versions["eco_dask"] = "unknown"
    return versions | {"python": platform.python_version(), "protocol": str(PROTOCOL)}


def installed_packages() -> tuple[str, ...]:
    """List what tasks can import in this Python environment, as ``name==version``."""
    return list_packages(_installed())


def find_gpus() -> tuple[tuple[Gpu, ...], str]:
    """Return the NVIDIA GPUs, and why there are none."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return (), _ascii(f"gpus: no NVIDIA driver answers ({error})")
    try:
        handles = [
            pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())
        ]
        gpus = tuple(
            Gpu(
                _ascii(pynvml.nvmlDeviceGetName(handle))[:180] or "unknown",
                int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
            )
            for handle in handles
        )
    except pynvml.NVMLError as error:
        return (), _ascii(f"gpus: the NVIDIA driver answers with an error ({error})")
    finally:
        pynvml.nvmlShutdown()
    return gpus, "" if gpus else "gpus: the NVIDIA driver lists none"


def _count_cores() -> int:
    process = psutil.Process()
    # Not on macOS, which has no affinity.
    if hasattr(process, "cpu_affinity"):
        return len(process.cpu_affinity())
    return psutil.cpu_count() or 1


def _measure_memory_bytes() -> int:
    limits = [_read_limit_bytes(path) for path in _MEMORY_LIMIT_FILES]
    return min([psutil.virtual_memory().total, *(limit for limit in limits if limit)])


def _read_limit_bytes(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        # No container of this kind, or not ours to see.
        return None
    return int(text) if text.isdecimal() else None


def _find_blas() -> tuple[dict[str, Any], str]:
    """Return the BLAS fields of a Capability, and why some are unknown."""
    built: Mapping[str, Any] = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    name = f"{built.get('name', '')} {built.get('version', '')}".strip()
    loaded = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    if not loaded:
        reason = "blas_kernel: threadpoolctl does not know the BLAS of this numpy"
        return {"blas": _ascii(name)}, reason
    # scipy brings a second one.
    pool = next((pool for pool in loaded if "numpy" in pool["filepath"]), loaded[0])
    return {
        "blas": _ascii(f"{pool['internal_api']} {pool['version'] or ''}".strip()),
        "blas_kernel": _ascii(pool.get("architecture") or ""),
        "blas_threading": _ascii(pool.get("threading_layer") or ""),
        "blas_threads": int(pool["num_threads"]),
    }, ""


def _find_simd() -> tuple[str, str]:
    """Return numpy's enabled instruction sets, and why they are unknown."""
    try:
        # Private, but the only place that knows what NPY_DISABLE_CPU_FEATURES left on.
        from numpy._core import _multiarray_umath as umath  # type: ignore[attr-defined]

        names = (*umath.__cpu_baseline__, *umath.__cpu_dispatch__)
        features = umath.__cpu_features__
    except (ImportError, AttributeError):
        return "", f"simd: numpy {np.__version__} does not publish its CPU features"
    return _ascii("+".join(name for name in names if features.get(name))), ""


def _find_gpu_library() -> str:
    installed = _installed()
    return next((f"{name} {installed[name]}" for name in _GPU_LIBRARIES if name in installed), "")


def _installed() -> dict[str, str]:
    # One that was removed only in part has no name.
    return {
        name: dist.version
        for dist in importlib.metadata.distributions()
        if (name := dist.metadata["Name"])
    }


def _ascii(text: str | bytes) -> str:
    """Make what drivers and systems report fit for a Capability."""
    readable = text.decode(errors="replace") if isinstance(text, bytes) else text
    plain = "".join(char if " " <= char <= "~" else "?" for char in readable)
    return plain.strip()[:TEXT_CHARS_MAX]
