"""Control groups of Linux: which kind can be had here, made for one runner and removed again.

find_bounds ──► Bounds.make(limits, name) ──► Group(prefix, ran_out_of_memory, close)
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from eco_dask.sandbox.limits import (
    Limits,
    cgroup_v1_files,
    cgroup_v2_files,
    joining_command,
    scope_command,
)

ROOT = Path("/sys/fs/cgroup")
_FOLDER = "eco-dask"
_TRY_S = 5.0
#: How long the kernel may take to empty a group whose processes were killed.
_EMPTY_S = 2.0


@dataclass(frozen=True, slots=True)
class Group:
    """The control group of one runner."""

    #: Words before a command that put it into the group.
    prefix: tuple[str, ...]
    #: Its folders; none if systemd keeps it.
    folders: tuple[Path, ...] = ()
    scope: str = ""

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed a process for its memory; False where that is not told."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                counts = _counts(folder / name)
                if counts.get("oom_kill", 0) > 0:
                    return True
        return False

    def close(self) -> None:
        """Kill what is left in it, and remove it."""
        if self.scope:
            command = ["systemctl", "--user", "kill", "--signal=SIGKILL", f"{self.scope}.scope"]
            subprocess.run(command, capture_output=True, check=False, timeout=_TRY_S)  # noqa: S603
        for folder in self.folders:
            _empty(folder)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How control groups are made here."""

    #: ``"v2"``, ``"v1"``, ``"systemd"``, or empty where there are none.
    kind: str
    #: Why a better kind, or any, is missing.
    reason: str = ""
    root: Path = ROOT

    def __bool__(self) -> bool:
        return bool(self.kind)

    def make(self, limits: Limits, name: str) -> Group:
        """Make a group.

        Raises
        ------
        OSError
            If the kernel refuses.
        """
        if self.kind == "systemd":
            return Group((*scope_command(limits, name), "--"), scope=name)
        if self.kind == "v2":
            base = _enabled_v2(self.root)
            folder = _filled(base / name, cgroup_v2_files(limits))
            return Group(joining_command((f"{folder}/cgroup.procs",)), (folder,))
        if self.kind == "v1":
            settings = cgroup_v1_files(limits).items()
            folders = tuple(_filled(self.root / c / _FOLDER / name, f) for c, f in settings)
            procs = tuple(f"{folder}/cgroup.procs" for folder in folders)
            return Group(joining_command(procs), folders)
        return Group(())


def find_bounds(limits: Limits) -> Bounds:
    """Find a kind of control group that works here, by making one."""
    if os.name != "posix" or not ROOT.exists():
        return Bounds("", "this system has no control groups")
    version = "v2" if (ROOT / "cgroup.controllers").exists() else "v1"
    kinds = (version, "systemd") if os.geteuid() == 0 else ("systemd",)
    sweep()
    reasons = []
    for kind in kinds:
        bounds = Bounds(kind)
        name = f"eco-try-{os.getpid()}-{time.monotonic_ns()}"
        try:
            group = bounds.make(limits, name)
            command = (*group.prefix, "/bin/true")
            done = subprocess.run(  # noqa: S603
                command, capture_output=True, check=False, timeout=_TRY_S, text=True
            )
            group.close()
        except (OSError, subprocess.TimeoutExpired) as error:
            reasons.append(f"{kind}: {error}")
            continue
        if done.returncode == 0:
            return bounds
        reasons.append(f"{kind}: {done.stderr.strip()[:200] or done.returncode}")
    return Bounds("", "; ".join(reasons))


def sweep(root: Path = ROOT) -> None:
    """Remove the groups of agents that were killed before they could."""
    for folder in (*root.glob(f"{_FOLDER}/eco-*"), *root.glob(f"*/{_FOLDER}/eco-*")):
        pid = folder.name.split("-")[2]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            _empty(folder)


def _enabled_v2(root: Path) -> Path:
    """Return our folder of version 2, with the controllers switched on above and in it."""
    base = root / _FOLDER
    base.mkdir(exist_ok=True)
    for folder in (root, base):
        (folder / "cgroup.subtree_control").write_text("+memory +pids +cpu")
    return base


def _filled(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        path = folder / name
        # Not every kernel counts swap.
        if path.exists():
            path.write_text(text)
        elif "swap" not in name and "memsw" not in name and "oom.group" not in name:
            folder.rmdir()
            raise FileNotFoundError(f"there is no {path}")
    return folder


def _empty(folder: Path) -> None:
    deadline_s = time.monotonic() + _EMPTY_S
    while folder.exists():
        for word in _read(folder / "cgroup.procs").split():
            try:
                os.kill(int(word), 9)
            except ProcessLookupError:
                continue
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > deadline_s:
                return
            time.sleep(0.01)


def _counts(path: Path) -> dict[str, int]:
    pairs = [line.split() for line in _read(path).splitlines()]
    return {p[0]: int(p[1]) for p in pairs if len(p) == 2}  # noqa: PLR2004  a name and a number


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
