"""The profile ``seatbelt``: macOS's sandbox-exec.

Machine, Plan ──► sandbox-exec -p '(version 1)(deny default)...' python enter.py ... module

Deprecated by Apple since 2017, used by everybody, and the only one without a virtual machine.
"""

from __future__ import annotations

from collections.abc import Iterable

from eco_dask.sandbox.launch import (
    Confinement,
    Launch,
    Machine,
    Plan,
    entering,
    inner_environment,
    own_folders,
)
from eco_dask.sandbox.limits import rlimits

_SYSTEM = ("/usr/lib", "/usr/share", "/System/Library", "/Library/Apple", "/private/var/db/dyld")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


class Seatbelt:
    """Everything denied but reading Python and writing scratch."""

    name = "seatbelt"
    system = "darwin"
    words = "tasks see no network and no file of yours but Python's; they write to one folder only"

    def obstacle(self, machine: Machine, plan: Plan) -> str | None:
        """Say why it cannot work here; None if that must be tried."""
        if machine.system != "darwin":
            return f"it needs macOS; this is {machine.system}"
        if "sandbox-exec" not in machine.programs:
            return "there is no sandbox-exec"
        if plan.gpu:
            return "it does not let a GPU through"
        return None

    def filter(self, machine: Machine, plan: Plan) -> bytes:  # noqa: ARG002  the same for all profiles
        """Return nothing: the policy names operations, not system calls."""
        return b""

    def command(self, machine: Machine, plan: Plan) -> Launch:
        """Return what to execute."""
        python = machine.python
        limits = rlimits(plan.limits, bounded=plan.bounded)
        # Darwin has neither; others it knows, and enforces per user.
        known = {k: v for k, v in limits.items() if k not in {"RLIMIT_MSGQUEUE", "RLIMIT_NPROC"}}
        confinement = Confinement(rlimits=known, with_parent=False, nice=10)
        argv = (
            machine.programs["sandbox-exec"],
            *("-p", policy(own_folders(machine, plan), plan.scratch)),
            *entering(python.executable, python.enter, confinement, plan),
        )
        return Launch(argv, inner_environment(machine, plan, plan.scratch))


def policy(folders: Iterable[str], scratch: str) -> str:
    """Return the policy in Seatbelt's language."""
    reading = " ".join(_subpath(folder) for folder in (*_SYSTEM, *folders, scratch))
    devices = " ".join(f"(literal {_quoted(device)})" for device in _DEVICES)
    return "\n".join(
        (
            "(version 1)",
            "(deny default)",
            "(allow process-fork)",
            "(allow signal (target same-sandbox))",
            "(allow sysctl-read)",
            "(allow file-read-metadata)",
            f"(allow file-read* process-exec {reading})",
            f"(allow file-read* file-write-data {devices})",
            f"(allow file-write* {_subpath(scratch)})",
            "(allow ipc-posix-sem)",
            "(deny network*)",
        )
    )


def _subpath(folder: str) -> str:
    return f"(subpath {_quoted(folder)})"


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
