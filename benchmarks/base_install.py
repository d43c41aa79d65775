"""What a provider's install takes on disk: a fresh environment, and nothing it does not need.

python -m venv ──► SKIP_JUPYTER_BUILDER=1 pip install . ──► MB of each package ──► JSON
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: A provider runs tasks; nobody looks at pages or notebooks there.
NOT_NEEDED = ("anywidget", "bokeh", "ipykernel", "ipywidgets", "jupyterlab", "pandas", "pyarrow")
#: What every new environment has.
_COMES_WITH_PYTHON = ("pip", "setuptools")


def measure_base_install(source: Path = ROOT) -> dict[str, Any]:
    """Install ``source`` without extras into a fresh environment, and measure it.

    Returns
    -------
    dict
        ``base_install_mb`` (10^6 bytes of files, bytecode included), ``base_install_s`` (with the
        download), ``largest_mb`` by folder, and ``not_needed``: what should not be there and is.
    """
    with tempfile.TemporaryDirectory(prefix="eco-dask-install-") as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / ("Scripts" if os.name == "nt" else "bin") / "python"
        started_s = time.perf_counter()
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", str(source)],
            env=os.environ | {"SKIP_JUPYTER_BUILDER": "1", "PYTHONPATH": ""},
            stdout=sys.stderr,
            check=True,
        )
        elapsed_s = time.perf_counter() - started_s
        # An install that cannot start is not worth measuring.
        subprocess.run(
            [str(python), "-m", "eco_dask.cli.worker", "--help"],
            env=os.environ | {"PYTHONPATH": ""},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        show = "import sysconfig; print(sysconfig.get_path('purelib'))"
        found = subprocess.run(
            [str(python), "-c", show], capture_output=True, text=True, check=True
        )
        sizes = _sizes_bytes(Path(found.stdout.strip()))
    mb = {name: round(size / 1e6, 1) for name, size in sizes.items()}
    return {
        "base_install_mb": round(sum(sizes.values()) / 1e6, 1),
        "base_install_s": round(elapsed_s, 1),
        "largest_mb": dict(sorted(mb.items(), key=lambda item: -item[1])[:8]),
        "not_needed": sorted(set(NOT_NEEDED) & set(sizes)),
    }


def _sizes_bytes(packages: Path) -> dict[str, int]:
    """Bytes of each folder or file of an environment's packages."""
    return {
        entry.name: _size_bytes(entry)
        for entry in packages.iterdir()
        if entry.name.partition("-")[0] not in _COMES_WITH_PYTHON
    }


def _size_bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files if file.is_file())


if __name__ == "__main__":
    print(json.dumps(measure_base_install(), indent=2))
