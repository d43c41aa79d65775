"""Profiles that need no program: ``landlock`` on Linux, and ``none``.

Landlock, a system call filter and rlimits confine a process from within, before it runs anything.
"""

from __future__ import annotations

import os

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
from eco_dask.sandbox.seccomp import FilterRule, assemble, filter_obstacle

#: The first version that keeps signals and unnamed sockets inside.
_ABI_MIN = 6
#: What Python, numpy and psutil read beyond their own folders.
_READABLE = (
    *("/etc/ld.so.cache", "/etc/alternatives", "/proc/self", "/proc/stat", "/proc/meminfo"),
    *("/proc/cpuinfo", "/proc/loadavg", "/proc/uptime", "/sys/devices/system/cpu"),
)
_WRITABLE_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


class Landlock:
    """No files but Python's, no sockets, no signals to others: weaker than ``bwrap``."""

    name = "landlock"
    system = "linux"
    words = (
        "tasks see no network and no file of yours and cannot signal your programs; they can see "
        "that this machine's kernel is shared"
    )

    def obstacle(self, machine: Machine, plan: Plan) -> str | None:
        """Say why it cannot work here; None if that must be tried."""
        if (missing := filter_obstacle(machine.system, machine.machine)) is not None:
            return missing
        if machine.landlock_abi < _ABI_MIN:
            return (
                f"it needs Landlock {_ABI_MIN} (Linux 6.12); this kernel has "
                f"{machine.landlock_abi or 'none'}"
            )
        if machine.is_root:
            return "it does not hold root; start it as an ordinary user"
        if plan.gpu:
            return "it does not let a GPU through"
        return None

    def filter(self, machine: Machine, plan: Plan) -> bytes:
        """Return the system call filter, which the process loads by itself."""
        rule = FilterRule(unix_sockets=False, memfd=plan.bounded, sessions=False)
        return assemble(rule, machine.machine)

    def command(self, machine: Machine, plan: Plan) -> Launch:
        """Return what to execute."""
        python = machine.python
        system = (*machine.root_folders, *machine.root_links)
        confinement = Confinement(
            rlimits=rlimits(plan.limits, bounded=plan.bounded),
            readable=(*system, *own_folders(machine, plan), *_READABLE),
            writable=(plan.scratch, *_WRITABLE_DEVICES),
            seccomp=self.filter(machine, plan).hex(),
            with_parent=True,
            nice=10 if plan.limits.cpu_share < 1 and not plan.bounded else 0,
        )
        argv = entering(python.executable, python.enter, confinement, plan)
        return Launch(argv, inner_environment(machine, plan, plan.scratch))


class Unconfined:
    """No sandbox at all: for the recruiter's own machines, and for those who trust."""

    name = "none"
    system = ""
    words = (
        "tasks run with your rights: they can read your files and use your network. Only the "
        "limits are watched"
    )

    def obstacle(self, machine: Machine, plan: Plan) -> None:
        """Nothing can keep it from working."""

    def filter(self, machine: Machine, plan: Plan) -> bytes:  # noqa: ARG002  the same for all profiles
        """Return nothing: no call is refused."""
        return b""

    def command(self, machine: Machine, plan: Plan) -> Launch:
        """Return what to execute."""
        argv = (machine.python.executable, "-m", plan.module, *plan.arguments)
        environment = dict(plan.inherited) | dict(plan.environment)
        if plan.folders:
            known = environment.get("PYTHONPATH")
            environment["PYTHONPATH"] = os.pathsep.join(
                [*plan.folders, *([known] if known else [])]
            )
        return Launch(argv, environment)
