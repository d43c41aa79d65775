"""Finds out what this machine has to confine a process with.

os, sys, /, /dev ──look──► Machine
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from eco_dask.sandbox.enter import landlock_abi
from eco_dask.sandbox.launch import GpuFiles, Machine, PythonHome, below

_PROGRAMS = ("bwrap", "podman", "docker", "sandbox-exec")
_TOP = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_MORE_TOP = ("/usr", "/nix/store", "/gnu/store")
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
#: A control, a card, unified memory, capabilities; and the one device of Windows' Linux.
_NVIDIA = re.compile(r"nvidia(\d+|ctl|-uvm|-uvm-tools|-modeset)|dxg")
_NVIDIA_READABLE = ("/sys/module", "/sys/bus/pci", "/sys/devices", "/sys/class/drm", "/usr/lib/wsl")
_NVIDIA_LIBRARIES = ("/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib/wsl/lib")
_LINKS_MAX = 16


def look() -> Machine:
    """Describe this machine, as far as profiles depend on it."""
    machine = platform.machine().lower()
    top = [Path(name) for name in _TOP if Path(name).exists()]
    folders = [name for name in _MORE_TOP if Path(name).is_dir()]
    return Machine(
        system=platform.system().lower(),
        machine=_MACHINES.get(machine, machine),
        python=find_python(),
        n_cores=os.cpu_count() or 1,
        is_root=os.name == "posix" and os.geteuid() == 0,
        programs={name: path for name in _PROGRAMS if (path := shutil.which(name))},
        root_links={str(p): str(p.readlink()) for p in top if p.is_symlink()},
        root_folders=(*folders, *(str(p) for p in top if not p.is_symlink())),
        landlock_abi=landlock_abi(),
        gpu=find_gpu_files(Path("/dev")),
    )


def find_python() -> PythonHome:
    """Return where this very Python and this package are."""
    package = Path(__file__).absolute().parents[1]
    return PythonHome(
        executable=sys.executable,
        prefix=sys.prefix,
        base_prefix=sys.base_prefix,
        package=str(package),
        enter=str(package / "sandbox" / "enter.py"),
        links=_links(Path(sys.executable)),
    )


def _links(executable: Path) -> tuple[str, ...]:
    """Return the prefixes that the executable's links lead through, the real one last."""
    prefixes = []
    for _ in range(_LINKS_MAX):
        if not executable.is_symlink():
            break
        executable = executable.parent / executable.readlink()
        prefixes.append(os.path.normpath(executable.parent.parent))
    prefixes.append(str(executable.resolve().parent.parent))
    # The root would be the whole machine: /bin/python belongs to /usr.
    return tuple(prefix for prefix in dict.fromkeys(prefixes) if prefix != "/")


def find_gpu_files(devices: Path) -> GpuFiles:
    """Return what an NVIDIA driver needs; empty without one."""
    found = sorted(str(p) for p in devices.glob("*") if _NVIDIA.fullmatch(p.name))
    if not any(path.endswith(("nvidiactl", "dxg")) for path in found):
        return GpuFiles()
    capabilities = devices / "nvidia-caps"
    if capabilities.is_dir():
        found.append(str(capabilities))
    return GpuFiles(
        tuple(found),
        tuple(path for path in _NVIDIA_READABLE if Path(path).exists()),
        tuple(path for path in _NVIDIA_LIBRARIES if Path(path).is_dir()),
    )


def import_folders(path: Iterable[str], hidden: Iterable[Path]) -> tuple[str, ...]:
    """Return the folders of an import path that a runner of the recruiter's own may read.

    Those of Python itself are there anyway; what contains a hidden folder is too much.
    """
    python = find_python()
    known = (python.prefix, python.base_prefix, "/usr")
    kept_out = [str(folder.resolve()) for folder in hidden]
    folders = dict.fromkeys(str(Path(entry or ".").resolve()) for entry in path)
    return tuple(
        folder
        for folder in folders
        if Path(folder).is_dir()
        and not any(below(folder, each) for each in known)
        and not any(below(each, folder) for each in kept_out)
    )
