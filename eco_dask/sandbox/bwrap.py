"""The profile ``bwrap``: Linux namespaces, by bubblewrap.

Machine, Plan ──► bwrap --unshare-all ... --seccomp FD -- python enter.py ... module

The argument list is the policy: what is not named in it does not exist inside.
"""

from __future__ import annotations

from eco_dask.sandbox.launch import (
    NOBODY,
    SCRATCH,
    Confinement,
    Launch,
    Machine,
    Plan,
    entering,
    inner_environment,
    own_folders,
    session_environment,
)
from eco_dask.sandbox.limits import rlimits
from eco_dask.sandbox.seccomp import FilterRule, assemble, filter_obstacle

_SHARED_BYTES = 256 << 20


class Bwrap:
    """All namespaces unshared, a read-only system, scratch in memory, a system call filter."""

    name = "bwrap"
    system = "linux"
    words = (
        "tasks see no network, no home folder, no other process and no secret of yours; they write "
        "into memory only"
    )

    def obstacle(self, machine: Machine, plan: Plan) -> str | None:
        """Say why it cannot work here; None if that must be tried."""
        if (missing := filter_obstacle(machine.system, machine.machine)) is not None:
            return missing
        if "bwrap" not in machine.programs:
            return "bubblewrap is not installed (apt install bubblewrap, dnf install bubblewrap)"
        if machine.is_root and not plan.bounded:
            return (
                "the kernel ignores root's process limit, and no control group can be made here; "
                "start it as an ordinary user"
            )
        if plan.gpu and not plan.bounded:
            return (
                "with a GPU, memory can be bounded by a control group only, and none can be made; "
                "start it in a session of systemd"
            )
        return None

    def filter(self, machine: Machine, plan: Plan) -> bytes:
        """Return the system call filter that :attr:`Plan.seccomp_fd` must hold."""
        # Inside, no socket of the machine is in reach. Memory without a name escapes rlimits.
        return assemble(FilterRule(memfd=plan.bounded), machine.machine)

    def command(self, machine: Machine, plan: Plan) -> Launch:
        """Return what to execute."""
        python = machine.python
        if plan.seccomp_fd is None:
            raise ValueError("bwrap reads its filter from a descriptor; the plan names none")
        confinement = Confinement(
            rlimits=rlimits(plan.limits, bounded=plan.bounded, gpu=plan.gpu),
            # Twice is safer: what the mounts forget, Landlock refuses.
            readable=("/",) if machine.landlock_abi else None,
            writable=("/tmp", SCRATCH, "/dev", *(("/proc",) if plan.gpu else ())),  # noqa: S108
            device_commands=plan.gpu,
            nice=10 if plan.limits.cpu_share < 1 and not plan.bounded else 0,
        )
        argv = (
            machine.programs["bwrap"],
            *_NAMESPACES,
            *_environment(machine, plan),
            *_system(machine),
            *_devices(machine, plan),
            *_memory(plan),
            *(w for folder in own_folders(machine, plan) for w in ("--ro-bind", folder, folder)),
            *("--chdir", SCRATCH, "--remount-ro", "/dev", "--remount-ro", "/"),
            *("--seccomp", str(plan.seccomp_fd), "--"),
            *entering(python.executable, python.enter, confinement, plan),
        )
        return Launch(argv, session_environment(plan), (plan.seccomp_fd,))


#: ``--unshare-all`` only tries a user namespace, ``--unshare-user`` insists.
_NAMESPACES = (
    *("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"),
    *("--new-session", "--cap-drop", "ALL", "--hostname", "eco"),
    *("--uid", str(NOBODY), "--gid", str(NOBODY)),
)


def _environment(machine: Machine, plan: Plan) -> list[str]:
    inner = inner_environment(machine, plan, "/tmp")  # noqa: S108  a file system of its own
    return ["--clearenv", *(word for item in inner.items() for word in ("--setenv", *item))]


def _system(machine: Machine) -> list[str]:
    words: list[str] = []
    for folder in machine.root_folders:
        words += ["--ro-bind", folder, folder]
    for link, target in machine.root_links.items():
        words += ["--symlink", target, link]
    # No local time zone: what a task computes must not depend on where it runs.
    for path in ("/etc/ld.so.cache", "/etc/alternatives"):
        words += ["--ro-bind-try", path, path]
    return words


def _devices(machine: Machine, plan: Plan) -> list[str]:
    words = ["--proc", "/proc", "--dev", "/dev"]
    if plan.gpu:
        for path in machine.gpu.devices:
            words += ["--dev-bind", path, path]
        for path in machine.gpu.readable:
            words += ["--ro-bind-try", path, path]
    return words


def _memory(plan: Plan) -> list[str]:
    # The size belongs to the next tmpfs only; the one that --dev brings along has none.
    disk = str(plan.limits.disk_bytes)
    shared = str(min(plan.limits.disk_bytes, _SHARED_BYTES))
    sized = (("/dev/shm", shared), ("/tmp", disk), (SCRATCH, disk))  # noqa: S108
    return [word for path, size in sized for word in ("--size", size, "--tmpfs", path)]
