"""Confines the process that runs it, then becomes the module it is told: ``enter.py SPEC MODULE``.

rlimits ──► no new privileges ──► Landlock ──► system call filter ──► the module, as ``__main__``

Standard library only, and run by its path: nothing else may be imported before the walls are up,
as threads that a library starts earlier would stay outside of them.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import runpy
import struct
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

# linux/prctl.h, linux/seccomp.h, linux/landlock.h; the numbers of Landlock are everywhere the same.
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SIGKILL = 9
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 1, 1
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION, _RULE_PATH_BENEATH = 1, 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_MAKE_DEVICES = (1 << 6) | (1 << 11)
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
#: Rights about files by version of Landlock: the first so many bits.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
#: TCP from version 4; from 6, unnamed sockets and signals stay inside.
_NET_ABI, _NET_RIGHTS, _SCOPE_ABI, _SCOPES = 4, 3, 6, 3


def main() -> None:
    """Do what the command line says."""
    spec = json.loads(sys.argv[1])
    confine(spec)
    module, sys.argv = sys.argv[2], sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def confine(spec: dict[str, Any]) -> None:
    """Put up the walls.

    Raises
    ------
    OSError
        If the kernel refuses one: better no runner than one without walls.
    """
    if spec["with_parent"]:
        _prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    if spec["nice"]:
        os.nice(spec["nice"])
    _set_rlimits(spec["rlimits"])
    if sys.platform != "linux":
        return
    # If the machine runs out of memory all the same, this is what goes.
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write("1000")
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if threading.active_count() != 1:
        raise RuntimeError("a thread runs already, which no wall would hold")
    if spec["readable"] is not None:
        restrict_files(spec["readable"], spec["writable"], spec["device_commands"])
    if spec["seccomp"]:
        load_filter(bytes.fromhex(spec["seccomp"]))


def landlock_abi() -> int:
    """Return the version of Landlock in this kernel, 0 for none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)))


def handled_rights(abi: int, device_commands: bool) -> tuple[int, int, int]:
    """Return which rights of files, of TCP and of scope a ruleset takes away."""
    files = (1 << _FILE_RIGHTS[max(1, min(abi, 5))]) - 1
    if device_commands:
        files &= ~_IOCTL_DEV
    return (
        files,
        _NET_RIGHTS if abi >= _NET_ABI else 0,
        _SCOPES if abi >= _SCOPE_ABI else 0,
    )


def restrict_files(readable: Iterable[str], writable: Iterable[str], device_commands: bool) -> None:
    """Take away all rights about files from this process for good, but these.

    Paths that do not exist are left out.
    """
    abi = landlock_abi()
    files, net, scopes = handled_rights(abi, device_commands)
    attributes = struct.pack("<QQQ", files, net, scopes)
    # An older kernel refuses fields that it does not know.
    size = 24 if abi >= _SCOPE_ABI else 16 if abi >= _NET_ABI else 8
    ruleset = _call(_CREATE_RULESET, ctypes.c_char_p(attributes), ctypes.c_size_t(size), 0)
    try:
        reading = _EXECUTE | _READ_FILE | _READ_DIR
        for path in readable:
            _allow(ruleset, path, reading & files)
        for path in writable:
            _allow(ruleset, path, files & ~_MAKE_DEVICES)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def load_filter(program: bytes) -> None:
    """Load a system call filter into all threads of this process, for good."""
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("<HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    number = _SECCOMP[platform.machine().lower()]
    pointer = ctypes.c_char_p(header)
    _call(number, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, pointer)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):  # noqa: PTH112  no pathlib before the walls are up
            # Rights about what is in a folder make no sense for a file, and are refused.
            rights &= _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
        rule = struct.pack("<Qi", rights, descriptor)
        _call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.c_char_p(rule), 0)
    finally:
        os.close(descriptor)


def _set_rlimits(limits: dict[str, int]) -> None:
    if not limits:
        return
    import resource

    for name, value in limits.items():
        number = getattr(resource, name)
        _, hard = resource.getrlimit(number)
        bounded = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (bounded, bounded))


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux" and _libc().prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) was refused")


def _call(number: int, *arguments: Any) -> int:
    result = int(_libc().syscall(number, *arguments))
    if result < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"system call {number}: {os.strerror(errno)}")
    return result


if __name__ == "__main__":
    main()
