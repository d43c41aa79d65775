"""detect(): this machine, as it is, and how it says what it does not know."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pynvml
import pytest

import eco_dask.types
from eco_dask.errors import ConfigurationError
from eco_dask.providers.capability import Capability, Gpu
from eco_dask.providers.compatibility import check_compatible
from eco_dask.providers.detect import _read_limit_bytes, detect, find_gpus, software

REPOSITORY = Path(eco_dask.types.__file__).parents[1]
TELLER = """
import json
from eco_dask.providers.detect import detect
print(json.dumps(detect().to_map()))
"""


def detect_in_process(**variables: str) -> Capability:
    env = os.environ | {"PYTHONPATH": str(REPOSITORY)} | variables
    answer = subprocess.run(
        [sys.executable, "-c", TELLER], env=env, check=True, capture_output=True, timeout=60
    )
    return Capability.from_map(json.loads(answer.stdout))


def test_this_machine_describes_itself() -> None:
    found = detect()
    assert Capability.from_map(found.to_map()) == found
    assert 1 <= found.cores <= (psutil.cpu_count() or 1)
    assert 0 < found.memory_bytes <= psutil.virtual_memory().total
    assert found.numpy == np.__version__
    assert f"python{sys.version_info.major}.{sys.version_info.minor}" in found.tags()


def test_every_unknown_has_its_reason() -> None:
    found = detect()
    reasons = {reason.split(":")[0] for reason in found.unknown}
    unknown = {name for name in ("gpus", "blas_kernel", "simd") if not getattr(found, name)}
    assert reasons == unknown


def test_the_owner_may_allow_less() -> None:
    found = detect(n_cores=1, memory_bytes=1 << 20)
    assert (found.cores, found.memory_bytes) == (1, 1 << 20)


@pytest.mark.parametrize("allowed", [{"n_cores": 0}, {"memory_bytes": 0}, {"n_cores": -3}])
def test_the_owner_cannot_allow_nothing(allowed: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="at least one core"):
        detect(**allowed)


def test_settings_that_change_last_bits_change_the_fingerprint() -> None:
    one = detect_in_process(OPENBLAS_NUM_THREADS="1")
    if not one.blas.startswith("openblas") or one.machine != "x86_64":
        pytest.skip(f"needs OpenBLAS on x86_64; this is {one.blas} on {one.machine}")
    same = detect_in_process(OPENBLAS_NUM_THREADS="1")
    kernel = detect_in_process(OPENBLAS_NUM_THREADS="1", OPENBLAS_CORETYPE="Prescott")
    assert one == same
    # OpenBLAS reports the kernel of a Prescott under the name of a Katmai.
    assert kernel.blas_kernel != one.blas_kernel
    assert kernel.numerics != one.numerics
    assert one.blas_threads == 1


@pytest.mark.parametrize(
    ("limit", "found"), [("max\n", None), ("1073741824\n", 1 << 30), ("", None), (None, None)]
)
def test_a_container_may_limit_memory(tmp_path: Path, limit: str | None, found: int | None) -> None:
    if limit is not None:
        (tmp_path / "memory.max").write_text(limit)
    assert _read_limit_bytes(tmp_path / "memory.max") == found


def test_software_fits_itself() -> None:
    check_compatible(software(), software())
    assert {"python", "dask", "distributed", "numpy", "eco_dask", "protocol"} == set(software())


@pytest.mark.parametrize(
    "code",
    [
        pynvml.NVML_ERROR_LIBRARY_NOT_FOUND,
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
        pynvml.NVML_ERROR_NO_PERMISSION,
    ],
)
def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse() -> None:
        raise pynvml.NVMLError(code)

    monkeypatch.setattr(pynvml, "nvmlInit", refuse)
    gpus, reason = find_gpus()
    assert gpus == ()
    assert reason.startswith("gpus: no NVIDIA driver answers")


def install_driver(monkeypatch: pytest.MonkeyPatch, **answers: Any) -> list[str]:
    """Put a driver in place that answers like this; return the list of its shutdowns."""
    shutdowns: list[str] = []
    driver = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: shutdowns.append("down"),
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: ["NVIDIA H100 PCIe", b"NVIDIA A2"][handle],
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=(handle + 1) << 34),
    }
    for name, answer in (driver | answers).items():
        monkeypatch.setattr(pynvml, name, answer)
    return shutdowns


def test_a_driver_lists_its_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    shutdowns = install_driver(monkeypatch)
    found = detect()
    assert found.gpus == (Gpu("NVIDIA H100 PCIe", 1 << 34), Gpu("NVIDIA A2", 2 << 34))
    assert found.resources() == {"GPU": 2.0}
    assert {"gpu", "gpu:nvidia-h100", "gpu:nvidia-a2"} <= found.tags()
    assert shutdowns == ["down"]


def test_a_failing_driver_lists_no_gpu_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(handle: int) -> str:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)

    shutdowns = install_driver(monkeypatch, nvmlDeviceGetName=lose)
    gpus, reason = find_gpus()
    assert gpus == ()
    assert "driver answers with an error" in reason
    assert shutdowns == ["down"]


def test_another_error_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(handle: int) -> str:
        raise RuntimeError("a bug")

    install_driver(monkeypatch, nvmlDeviceGetName=break_down)
    with pytest.raises(RuntimeError, match="a bug"):
        find_gpus()
