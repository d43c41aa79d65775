"""What needs a GPU is tried where there is one, and skipped with its reason elsewhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from eco_dask.providers.detect import find_gpus

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "e2e"))
# Functions of test modules travel by reference, as those of any installed package do.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))


def _missing() -> str:
    gpus, why = find_gpus()
    if not gpus:
        return why
    try:
        import cupy
    except ImportError as error:
        return f"cupy cannot be imported: {error}"
    return "" if cupy.is_available() else "cupy sees no device"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = _missing()
    for item in items:
        if missing and "gpu" in item.path.parts:
            item.add_marker(pytest.mark.skip(reason=f"no GPU: {missing}"))
