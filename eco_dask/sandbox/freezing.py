"""Stops a process and all that it started where they are, and lets them go on.

cgroup.freeze | the container engine's pause | a signal to every process below
"""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import psutil

_TRY_S = 5.0
#: Rounds of looking for processes that started meanwhile.
_ROUNDS = 5


def set_frozen(
    pid: int, folders: tuple[Path, ...], cleanup: tuple[str, ...], *, frozen: bool
) -> None:
    """Freeze or thaw a confined process.

    Parameters
    ----------
    pid : int
        Its outermost process.
    folders : tuple of Path
        Of its control group, if there is one.
    cleanup : tuple of str
        The command that would end its container, empty without one.
    """
    if cleanup:
        command = (cleanup[0], "pause" if frozen else "unpause", cleanup[-1])
        subprocess.run(command, capture_output=True, check=False, timeout=_TRY_S)  # noqa: S603
        return
    for folder in folders:
        switch = folder / "cgroup.freeze"
        if switch.exists():
            switch.write_text("1" if frozen else "0")
            return
    seen: set[int] = set()
    for _ in range(_ROUNDS):
        fresh = [it for it in _tree(pid) if it.pid not in seen]
        if not fresh:
            return
        for process in fresh:
            seen.add(process.pid)
            with contextlib.suppress(psutil.Error):
                if frozen:
                    process.suspend()
                else:
                    process.resume()


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []
