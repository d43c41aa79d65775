"""What each profile executes: argument vectors and policies, built without starting anything."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from eco_dask.sandbox.bare import Landlock, Unconfined
from eco_dask.sandbox.bwrap import Bwrap
from eco_dask.sandbox.container import Container
from eco_dask.sandbox.launch import GpuFiles, Machine, Plan, PythonHome, own_folders
from eco_dask.sandbox.limits import Limits
from eco_dask.sandbox.seatbelt import Seatbelt, policy
from eco_dask.sandbox.seccomp import FilterRule, assemble
from eco_dask.sandbox.windows import Job, JobSettings, job_settings

PYTHON = PythonHome(
    executable="/home/ann/venv/bin/python",
    prefix="/home/ann/venv",
    base_prefix="/home/ann/.pyenv/versions/3.11.7",
    package="/home/ann/src/eco_dask",
    enter="/home/ann/src/eco_dask/sandbox/enter.py",
)
LINUX = Machine(
    "linux",
    "x86_64",
    PYTHON,
    n_cores=8,
    programs={"bwrap": "/usr/bin/bwrap", "docker": "/usr/bin/docker"},
    root_links={"/lib": "usr/lib"},
    landlock_abi=7,
    gpu=GpuFiles(("/dev/nvidiactl", "/dev/nvidia0"), ("/sys/module",), ("/usr/local/nvidia/lib",)),
)
MAC = replace(LINUX, system="darwin", programs={"sandbox-exec": "/usr/bin/sandbox-exec"})
PLAN = Plan(
    "eco_dask.agent.runner",
    ("2",),
    environment={"OMP_NUM_THREADS": "1"},
    inherited={"PATH": "/bin", "HOME": "/home/ann", "TOKEN": "secret", "SYSTEMROOT": "C:"},
    limits=Limits(cores=2, cpu_share=0.5, memory_bytes=1 << 30, disk_bytes=1 << 29, processes=99),
    bounded=True,
    name="eco-runner-1",
    seccomp_fd=7,
    image="eco",
    scratch="/tmp/scratch",
)


def spec(argv: tuple[str, ...]) -> dict:
    """What enter.py is told."""
    (word,) = [word for word in argv if word.startswith('{"rlimits"')]
    return json.loads(word)


def pairs(argv: tuple[str, ...], option: str, n: int = 1) -> list[tuple[str, ...]]:
    """The values of each use of an option."""
    return [argv[i + 1 : i + 1 + n] for i, word in enumerate(argv) if word == option]


# ------------------------------------------------------------------ bwrap


def test_bwrap_shows_python_and_the_system_and_nothing_else() -> None:
    launch = Bwrap().command(LINUX, PLAN)
    shown = {source for source, _ in pairs(launch.argv, "--ro-bind", 2)}
    assert shown == {"/usr", PYTHON.prefix, PYTHON.base_prefix, PYTHON.package}
    assert not {"--bind", "--dev-bind", "--share-net"} & set(launch.argv)
    assert launch.pass_fds == (7,)
    assert pairs(launch.argv, "--seccomp") == [("7",)]


def test_bwrap_unshares_everything_and_dies_with_the_agent() -> None:
    argv = Bwrap().command(LINUX, PLAN).argv
    needed = {"--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"}
    assert needed | {"--new-session", "--clearenv"} <= set(argv)
    assert pairs(argv, "--cap-drop") == [("ALL",)]
    # What is made read-only last stays so.
    after = argv[argv.index("--chdir") :]
    assert pairs(after, "--remount-ro") == [("/dev",), ("/",)]


def test_each_memory_file_system_of_bwrap_has_a_size() -> None:
    argv = Bwrap().command(LINUX, PLAN).argv
    mounted = [argv[i - 2 : i + 2] for i, word in enumerate(argv) if word == "--tmpfs"]
    assert [words[0] for words in mounted] == ["--size"] * 3
    assert {words[3]: int(words[1]) for words in mounted} == {
        "/dev/shm": 256 << 20,
        "/tmp": 1 << 29,
        "/scratch": 1 << 29,
    }
    # The one that --dev brings along, which has none, lies under a sized one.
    assert argv.index("--dev") < argv.index("/dev/shm")


def test_no_variable_of_the_owner_gets_inside() -> None:
    for profile, machine in ((Bwrap(), LINUX), (Landlock(), LINUX), (Seatbelt(), MAC)):
        launch = profile.command(machine, PLAN)
        assert "secret" not in " ".join(launch.argv)
        assert "secret" not in launch.environment.values()
        assert "/home/ann" not in launch.environment.values()
    variables = dict(pairs(Bwrap().command(LINUX, PLAN).argv, "--setenv", 2))
    assert variables["OMP_NUM_THREADS"] == "1"
    assert variables["HOME"] == "/tmp"
    assert variables["PYTHONPATH"] == "/home/ann/src"


def test_an_installed_package_needs_no_path_and_no_folder_of_its_own() -> None:
    package = f"{PYTHON.prefix}/lib/python3.11/site-packages/eco_dask"
    machine = replace(LINUX, python=replace(PYTHON, package=package))
    argv = Bwrap().command(machine, PLAN).argv
    assert "PYTHONPATH" not in argv
    assert package not in {source for source, _ in pairs(argv, "--ro-bind", 2)}


def test_folders_inside_others_are_shown_once() -> None:
    machine = replace(LINUX, python=replace(PYTHON, prefix="/usr", base_prefix="/usr"))
    plan = replace(PLAN, folders=("/data/code/mine", "/data/code", "/usr/share/x"))
    assert own_folders(machine, plan) == ("/data/code", PYTHON.package)


def test_further_folders_are_read_and_imported_from() -> None:
    argv = Bwrap().command(LINUX, replace(PLAN, folders=("/opt/mine",))).argv
    assert ("/opt/mine", "/opt/mine") in pairs(argv, "--ro-bind", 2)
    assert dict(pairs(argv, "--setenv", 2))["PYTHONPATH"] == "/home/ann/src:/opt/mine"


def test_a_gpu_is_let_in_when_asked_for_only() -> None:
    without, with_gpu = (Bwrap().command(LINUX, replace(PLAN, gpu=g)).argv for g in (False, True))
    assert "/dev/nvidia0" not in without
    assert ("/dev/nvidia0", "/dev/nvidia0") in pairs(with_gpu, "--dev-bind", 2)
    assert ("/sys/module", "/sys/module") in pairs(with_gpu, "--ro-bind-try", 2)
    assert with_gpu.index("--dev-bind") > with_gpu.index("--dev")
    assert "/usr/local/nvidia/lib" in dict(pairs(with_gpu, "--setenv", 2))["LD_LIBRARY_PATH"]
    assert spec(with_gpu)["device_commands"]
    assert not spec(without)["device_commands"]


def test_landlock_is_added_where_the_kernel_has_it() -> None:
    assert spec(Bwrap().command(LINUX, PLAN).argv)["readable"] == ["/"]
    assert spec(Bwrap().command(replace(LINUX, landlock_abi=0), PLAN).argv)["readable"] is None


OBSTACLES = {
    "bwrap elsewhere": (Bwrap(), MAC, PLAN, "needs Linux"),
    "bwrap on an unknown processor": (Bwrap(), replace(LINUX, machine="riscv64"), PLAN, "riscv64"),
    "no bubblewrap": (Bwrap(), replace(LINUX, programs={}), PLAN, "apt install bubblewrap"),
    "root without control group": (
        Bwrap(),
        replace(LINUX, is_root=True),
        replace(PLAN, bounded=False),
        "ordinary user",
    ),
    "GPU without control group": (
        Bwrap(),
        LINUX,
        replace(PLAN, bounded=False, gpu=True),
        "control group",
    ),
    "bwrap": (Bwrap(), LINUX, PLAN, None),
    "bwrap as root": (Bwrap(), replace(LINUX, is_root=True), PLAN, None),
    "no engine": (Container(), replace(LINUX, programs={}), PLAN, "neither podman nor docker"),
    "no image": (Container(), LINUX, replace(PLAN, image=""), "sandbox.image"),
    "container": (Container(), LINUX, PLAN, None),
    "old Landlock": (Landlock(), replace(LINUX, landlock_abi=5), PLAN, "Linux 6.12"),
    "Landlock as root": (Landlock(), replace(LINUX, is_root=True), PLAN, "ordinary user"),
    "Landlock with GPU": (Landlock(), LINUX, replace(PLAN, gpu=True), "GPU"),
    "Landlock elsewhere": (Landlock(), MAC, PLAN, "needs Linux"),
    "Landlock": (Landlock(), LINUX, PLAN, None),
    "Seatbelt elsewhere": (Seatbelt(), LINUX, PLAN, "needs macOS"),
    "Seatbelt missing": (Seatbelt(), replace(MAC, programs={}), PLAN, "sandbox-exec"),
    "Seatbelt": (Seatbelt(), MAC, PLAN, None),
    "job elsewhere": (Job(), LINUX, PLAN, "needs Windows"),
    "job": (Job(), replace(LINUX, system="windows"), PLAN, None),
    "none": (Unconfined(), MAC, PLAN, None),
}


@pytest.mark.parametrize("case", OBSTACLES)
def test_an_obstacle_says_what_is_missing_and_what_to_do(case: str) -> None:
    profile, machine, plan, words = OBSTACLES[case]
    obstacle = profile.obstacle(machine, plan)
    assert obstacle is None if words is None else words in obstacle


# ------------------------------------------------------------------ the others


def test_a_container_has_no_network_no_rights_and_limits() -> None:
    launch = Container().command(LINUX, PLAN)
    argv = launch.argv
    assert {"--read-only", "--rm", "--interactive", "--init"} <= set(argv)
    expected = {
        "--network": "none",
        "--cap-drop": "ALL",
        "--user": "65534:65534",
        "--pids-limit": "99",
        "--memory": str(1 << 30),
        "--memory-swap": str(1 << 30),
        "--cpus": "1",
        "--security-opt": "no-new-privileges",
        "--pull": "never",
    }
    assert {option: pairs(argv, option)[0][0] for option in expected} == expected
    assert not {"--volume", "-v", "--mount", "--privileged", "--device", "--gpus"} & set(argv)
    assert all(f"size={1 << 29}" in mount for (mount,) in pairs(argv, "--tmpfs"))
    assert argv[-2:] == (PLAN.module, "2")
    assert launch.cleanup == ("/usr/bin/docker", "kill", "eco-runner-1")
    assert "secret" not in " ".join((*argv, *launch.environment.values()))


def test_a_container_loads_our_filter_too_where_it_shares_this_kernel() -> None:
    told = spec(Container().command(LINUX, PLAN).argv)
    assert bytes.fromhex(told["seccomp"]) == assemble(FilterRule(), "x86_64")
    # On a Mac it runs in a virtual machine, whose processor may be another.
    mac = replace(MAC, programs={"docker": "/usr/local/bin/docker"})
    assert spec(Container().command(mac, PLAN).argv)["seccomp"] == ""


def test_a_container_takes_the_gpu_as_its_engine_does() -> None:
    plan = replace(PLAN, gpu=True)
    podman = replace(LINUX, programs={"podman": "/usr/bin/podman"})
    assert pairs(Container().command(LINUX, plan).argv, "--gpus") == [("all",)]
    assert pairs(Container().command(podman, plan).argv, "--device") == [("nvidia.com/gpu=all",)]
    none = replace(LINUX, gpu=GpuFiles())
    assert "--gpus" not in Container().command(none, plan).argv


def test_landlock_reads_python_and_writes_scratch() -> None:
    launch = Landlock().command(LINUX, PLAN)
    told = spec(launch.argv)
    assert {PYTHON.prefix, PYTHON.base_prefix, PYTHON.package, "/usr"} <= set(told["readable"])
    assert "/" not in told["readable"]
    assert "/home/ann" not in told["readable"]
    assert told["writable"][0] == "/tmp/scratch"
    assert all(path.startswith("/dev/") for path in told["writable"][1:])
    assert bytes.fromhex(told["seccomp"]) == Landlock().filter(LINUX, PLAN)
    assert told["with_parent"]


def test_seatbelt_denies_first_and_quotes_paths() -> None:
    text = policy(['/Users/ann/my "env"'], "/tmp/scratch")
    lines = text.splitlines()
    assert lines[1] == "(deny default)"
    assert '(subpath "/Users/ann/my \\"env\\"")' in text
    assert [line for line in lines if "file-write* " in line] == [
        '(allow file-write* (subpath "/tmp/scratch"))'
    ]
    assert not [line for line in lines if line.startswith("(allow network")]


def test_none_is_the_plain_command_with_the_plain_environment() -> None:
    launch = Unconfined().command(LINUX, PLAN)
    assert launch.argv == (PYTHON.executable, "-m", PLAN.module, "2")
    assert launch.environment == dict(PLAN.inherited) | dict(PLAN.environment)
    plan = replace(PLAN, folders=("/opt/a",), inherited={"PYTHONPATH": "/opt/b"})
    assert Unconfined().command(MAC, plan).environment["PYTHONPATH"] == "/opt/a:/opt/b"


@pytest.mark.parametrize(
    ("limits", "settings"),
    [
        (PLAN.limits, JobSettings(1 << 30, 99, 1250)),
        (Limits(), JobSettings(0, 512, 0)),
        (Limits(cores=100), JobSettings(0, 512, 10_000)),
    ],
)
def test_a_job_takes_memory_processes_and_a_share_of_all_cores(limits, settings) -> None:
    assert job_settings(limits, 8) == settings


def test_a_job_keeps_what_windows_needs_of_the_environment() -> None:
    machine = replace(LINUX, system="windows")
    launch = Job().command(machine, PLAN)
    assert launch.environment == {"PATH": "/bin", "SYSTEMROOT": "C:", "OMP_NUM_THREADS": "1"}
    assert launch.argv[-4:] == (PYTHON.executable, "-m", PLAN.module, "2")
