"""The profile ``container``: podman or Docker.

Machine, Plan ──► podman run --network none --read-only ... IMAGE python enter.py ... module

The image holds this package; nothing of the machine is mounted into it.
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
    session_environment,
)
from eco_dask.sandbox.limits import rlimits
from eco_dask.sandbox.seccomp import FilterRule, assemble, filter_obstacle

#: Runs :mod:`eco_dask.sandbox.enter` of the image's own copy of this package.
_ENTER = (
    "import importlib.util, runpy, sys; "
    "spec = importlib.util.find_spec('eco_dask'); "
    "path = spec.submodule_search_locations[0] + '/sandbox/enter.py'; "
    "runpy.run_path(path, run_name='__main__')"
)


class Container:
    """A container without network, capabilities or anything to write to but memory."""

    name = "container"
    system = ""
    words = (
        "tasks run in a container without network; nothing of this machine is mounted into it, and "
        "they write into memory only"
    )

    def obstacle(self, machine: Machine, plan: Plan) -> str | None:
        """Say why it cannot work here; None if that must be tried."""
        if _engine(machine) is None:
            return "neither podman nor docker is installed"
        if not plan.image:
            return (
                "no image is named; set eco-dask.worker.sandbox.image to one that holds eco_dask "
                "and the packages that you offer"
            )
        return None

    def filter(self, machine: Machine, plan: Plan) -> bytes:  # noqa: ARG002  the same for all plans
        """Return the system call filter, which the process loads by itself.

        Engines bring one of their own, which lets through what containers in containers need:
        with podman 4.3, mounts, namespaces and the kernel's keyring. Elsewhere than on Linux the
        engine's virtual machine may have another processor than this one, and theirs must do.
        """
        if filter_obstacle(machine.system, machine.machine) is not None:
            return b""
        return assemble(FilterRule(), machine.machine)

    def command(self, machine: Machine, plan: Plan) -> Launch:
        """Return what to execute."""
        engine = _engine(machine)
        if engine is None:
            raise ValueError("there is no engine to run a container with")
        confinement = Confinement(
            rlimits=rlimits(plan.limits, bounded=True, gpu=plan.gpu),
            seccomp=self.filter(machine, plan).hex(),
        )
        inner = {"HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"} | dict(plan.environment)  # noqa: S108
        inside = ("python", "-P", "-s", "-c", _ENTER)
        argv = (
            engine,
            *("run", "--rm", "--interactive", "--init", "--pull", "never", "--name", plan.name),
            *("--network", "none", "--read-only", "--cap-drop", "ALL", "--ipc", "private"),
            *("--security-opt", "no-new-privileges", "--user", f"{NOBODY}:{NOBODY}"),
            *("--hostname", "eco", "--log-driver", "none", "--workdir", SCRATCH),
            *_limits(plan),
            *_gpu(machine, plan, engine),
            *(word for name, value in inner.items() for word in ("--env", f"{name}={value}")),
            *("--entrypoint", inside[0], plan.image, *inside[1:]),
            *entering("", "", confinement, plan)[4:],
        )
        # Docker's client may be killed without its container noticing.
        return Launch(argv, session_environment(plan), cleanup=(engine, "kill", plan.name))


def _engine(machine: Machine) -> str | None:
    return machine.programs.get("podman") or machine.programs.get("docker")


def _limits(plan: Plan) -> list[str]:
    limits = plan.limits
    # mode: nobody must be able to write there.
    scratch = f"rw,nosuid,nodev,mode=1777,size={limits.disk_bytes}"
    words = ["--pids-limit", str(limits.processes)]
    words += ["--tmpfs", f"/tmp:{scratch}", "--tmpfs", f"{SCRATCH}:{scratch}"]  # noqa: S108
    if limits.memory_bytes is not None:
        size = str(limits.memory_bytes)
        words += ["--memory", size, "--memory-swap", size]
    if limits.cpu_cores is not None:
        words += ["--cpus", f"{limits.cpu_cores:g}"]
    return words


def _gpu(machine: Machine, plan: Plan, engine: str) -> list[str]:
    if not plan.gpu:
        return []
    if engine.endswith("podman"):
        return ["--device", "nvidia.com/gpu=all"]
    if machine.system == "linux" and not machine.gpu.devices:
        return []
    return ["--gpus", "all"]
