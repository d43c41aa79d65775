"""The vocabulary of starting a process in a sandbox.

Machine (what is here), Plan (what is wanted) ──profile──► Launch (what to execute)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from eco_dask.sandbox.limits import Limits

#: Who the runner is inside: nobody.
NOBODY = 65534
#: Where its scratch space is, inside.
SCRATCH = "/scratch"


@dataclass(frozen=True, slots=True)
class PythonHome:
    """The Python that runs the runner, and where its files are."""

    executable: str
    prefix: str
    base_prefix: str
    #: Folder of this package.
    package: str
    #: ``package``'s ``sandbox/enter.py``, with which every confined process starts.
    enter: str
    #: Folders that links from the executable to the real one lead through.
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GpuFiles:
    """Files of an NVIDIA driver that a process needs; empty without a GPU, or without leave."""

    devices: tuple[str, ...] = ()
    #: Folders and files that are only read.
    readable: tuple[str, ...] = ()
    #: Folders of libraries that the linker does not look in by itself.
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine has, as far as profiles depend on it."""

    system: str
    machine: str
    python: PythonHome
    n_cores: int = 1
    is_root: bool = False
    #: Paths of the programs that were found, by name.
    programs: Mapping[str, str] = field(default_factory=dict)
    #: Top folders of the system that are symbolic links, and their targets.
    root_links: Mapping[str, str] = field(default_factory=dict)
    #: Other folders and files of the system that Python's libraries are read from.
    root_folders: tuple[str, ...] = ("/usr",)
    #: Version of Landlock in the kernel, 0 for none.
    landlock_abi: int = 0
    gpu: GpuFiles = field(default_factory=GpuFiles)


@dataclass(frozen=True, slots=True)
class Plan:
    """A process to start, and what it may have."""

    #: Module of this package to run, and its arguments.
    module: str
    arguments: tuple[str, ...] = ()
    #: Variables that the process needs.
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Variables of the agent, less its secrets: for programs that start the process, and for a
    #: process that is not confined.
    inherited: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    #: Further folders to read, and to import from.
    folders: tuple[str, ...] = ()
    #: Whether a control group counts memory and processes.
    bounded: bool = False
    gpu: bool = False
    #: Unlike that of any other process.
    name: str = "eco-runner"
    #: Descriptor from which bwrap reads the system call filter.
    seccomp_fd: int | None = None
    #: Image of a container that holds this package.
    image: str = ""
    #: Folder to write in, for profiles that cannot make one of memory.
    scratch: str = ""


@dataclass(frozen=True, slots=True)
class Launch:
    """What to execute."""

    argv: tuple[str, ...]
    #: The whole environment.
    environment: Mapping[str, str]
    pass_fds: tuple[int, ...] = ()
    #: Command that ends what a kill of the process would leave.
    cleanup: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SandboxRule:
    """What the owner wants."""

    #: Name of a profile, ``"none"``, or ``"auto"`` for the strongest that works.
    profile: str = "auto"
    #: Whether tasks may run without a sandbox.
    trust: bool = False
    limits: Limits = field(default_factory=Limits)
    #: Further folders that tasks may read and import from.
    folders: tuple[str, ...] = ()
    image: str = ""
    #: Whether tasks may use the GPUs.
    gpu: bool = True


class Profile(Protocol):
    """One way to confine a process."""

    @property
    def name(self) -> str:
        """What the owner calls it."""

    @property
    def system(self) -> str:
        """The only operating system that has it, empty for any."""

    @property
    def words(self) -> str:
        """What it does, for the owner."""

    def obstacle(self, machine: Machine, plan: Plan) -> str | None:
        """Say why it cannot work here; None if that must be tried."""

    def filter(self, machine: Machine, plan: Plan) -> bytes:
        """Return the system call filter that :attr:`Plan.seccomp_fd` must hold; may be empty."""

    def command(self, machine: Machine, plan: Plan) -> Launch:
        """Return what to execute."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a process does to itself before it runs anything: the argument of ``enter.py``."""

    rlimits: Mapping[str, int] = field(default_factory=dict)
    #: Paths to read and, if any, to write; None for no Landlock.
    readable: tuple[str, ...] | None = None
    writable: tuple[str, ...] = ()
    #: Whether devices take commands, as GPUs do.
    device_commands: bool = False
    #: Filter to load, in hexadecimal.
    seccomp: str = ""
    #: Whether to end when the parent does.
    with_parent: bool = False
    #: How far to step back behind the owner's programs.
    nice: int = 0

    def argument(self) -> str:
        """Return it as one word of a command line."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return json.dumps(fields, separators=(",", ":"))


def entering(python: str, enter: str, confinement: Confinement, plan: Plan) -> tuple[str, ...]:
    """Return the command that confines itself and then runs the plan's module."""
    # -P and -s: neither the folder of enter.py nor the user's own packages are on the path.
    head = (python, "-P", "-s", enter, confinement.argument())
    return (*head, plan.module, *plan.arguments)


def import_path(machine: Machine, plan: Plan) -> str:
    """Return PYTHONPATH: this package where it is not installed, and further folders."""
    python = machine.python
    parents = [] if _within(python.package, python) else [python.package.rpartition("/")[0]]
    return ":".join([*parents, *plan.folders])


#: What programs need of the agent's environment to find systemd and each other.
_SESSION = ("DBUS_SESSION_BUS_ADDRESS", "DOCKER_HOST", "PATH", "XDG_RUNTIME_DIR")


def session_environment(plan: Plan) -> dict[str, str]:
    """Return the environment of a program that starts a confined process: no secret is in it."""
    return {name: plan.inherited[name] for name in _SESSION if name in plan.inherited}


#: Settings of numeric libraries that an owner may have made; no secret is in them.
_NUMERIC = frozenset({"OPENBLAS_CORETYPE", "MKL_CBWR", "NPY_DISABLE_CPU_FEATURES"})


def inner_environment(machine: Machine, plan: Plan, home: str) -> dict[str, str]:
    """Return the environment of a confined process: nothing of the owner's."""
    python = machine.python
    inner = {
        "PATH": f"{python.prefix}/bin:/usr/bin:/bin",
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # A Python that was built elsewhere finds its own libpython by this.
    libraries = [] if python.base_prefix == "/usr" else [f"{python.base_prefix}/lib"]
    libraries += machine.gpu.libraries if plan.gpu else ()
    if libraries:
        inner["LD_LIBRARY_PATH"] = ":".join(libraries)
    if path := import_path(machine, plan):
        inner["PYTHONPATH"] = path
    numeric = {k: v for k, v in plan.inherited.items() if k in _NUMERIC}
    return numeric | inner | dict(plan.environment)


def own_folders(machine: Machine, plan: Plan) -> tuple[str, ...]:
    """Return the folders to read beyond the system's: Python, this package, further ones."""
    python = machine.python
    found = [python.base_prefix, python.prefix, python.package, *python.links, *plan.folders]
    kept: list[str] = []
    for folder in sorted(set(found), key=len):
        covered = any(below(folder, other) for other in (*kept, *machine.root_folders))
        if not covered:
            kept.append(folder)
    return tuple(kept)


def below(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _within(path: str, python: PythonHome) -> bool:
    return below(path, python.prefix) or below(path, python.base_prefix)
