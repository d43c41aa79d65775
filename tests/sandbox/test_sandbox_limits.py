"""Limits as rlimits, control groups and systemd's properties; and what breaks them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.errors import ConfigurationError
from eco_dask.sandbox.limits import (
    Limits,
    cgroup_v1_files,
    cgroup_v2_files,
    describe,
    joining_command,
    pinning_command,
    rlimits,
    scope_command,
    systemd_properties,
)
from eco_dask.sandbox.watchdog import Usage, excess

GIB = 1 << 30
FULL = Limits(
    cores=4,
    cpu_share=0.5,
    memory_bytes=2 * GIB,
    gpu_memory_bytes=GIB,
    disk_bytes=GIB,
    processes=64,
    task_wall_s=60,
)
REFUSED = {
    "no share": {"cpu_share": 0.0},
    "more than all": {"cpu_share": 1.5},
    "memory too small for Python": {"memory_bytes": 1 << 20},
    "too few processes": {"processes": 1},
    "no cores": {"cores": 0},
    "no time": {"task_wall_s": 0},
    "no disk": {"disk_bytes": -1},
    "no GPU memory": {"gpu_memory_bytes": 0},
}


@pytest.mark.parametrize("case", REFUSED)
def test_limits_under_which_nothing_runs_are_refused(case: str) -> None:
    with pytest.raises(ConfigurationError):
        Limits(**REFUSED[case])


def test_a_control_group_says_the_same_in_each_dialect() -> None:
    assert cgroup_v2_files(FULL) == {
        "pids.max": "64",
        "memory.max": str(2 * GIB),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "cpu.max": "200000 100000",
    }
    v1 = cgroup_v1_files(FULL)
    assert v1["pids"] == {"pids.max": "64"}
    assert v1["cpu"] == {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "200000"}
    # Memory first: memory and swap together may not be less.
    assert list(v1["memory"]) == ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
    properties = systemd_properties(FULL)
    assert properties["CPUQuota"] == "200%"
    assert properties["MemoryMax"] == str(2 * GIB)
    assert properties["MemorySwapMax"] == "0"
    assert properties["TasksMax"] == "64"
    assert "-p CPUQuota=200%" in " ".join(scope_command(FULL, "eco"))


def test_what_is_not_limited_is_not_written() -> None:
    assert cgroup_v2_files(Limits()) == {"pids.max": "512"}
    assert list(cgroup_v1_files(Limits())) == ["pids"]
    assert "CPUQuota" not in systemd_properties(Limits())


def test_memory_is_an_rlimit_only_where_nothing_better_counts_it() -> None:
    alone, grouped = rlimits(FULL, bounded=False), rlimits(FULL, bounded=True)
    assert alone["RLIMIT_DATA"] == 2 * GIB
    assert alone["RLIMIT_FSIZE"] == GIB
    assert "RLIMIT_DATA" not in grouped
    # CUDA reserves more than any limit, and pins memory.
    assert not {"RLIMIT_DATA", "RLIMIT_MEMLOCK"} & rlimits(FULL, bounded=False, gpu=True).keys()
    for limits in (alone, grouped):
        assert limits["RLIMIT_CORE"] == 0
        assert limits["RLIMIT_NPROC"] == 64
        # Threads reserve address space that they never use.
        assert "RLIMIT_AS" not in limits


EXCESSES = {
    "within": (Usage(GIB, GIB, 64, 60.0), None),
    "memory": (Usage(memory_bytes=3 * GIB), "3 GiB of memory"),
    "GPU memory": (Usage(gpu_memory_bytes=2 * GIB), "2 GiB of GPU memory"),
    "processes": (Usage(processes=65), "65 processes"),
    "time": (Usage(task_wall_s=61.0), "61 s"),
}


@pytest.mark.parametrize("case", EXCESSES)
def test_a_broken_limit_is_named_with_what_was_used_and_allowed(case: str) -> None:
    usage, words = EXCESSES[case]
    verdict = excess(usage, FULL)
    assert verdict is None if words is None else words in verdict and "allows" in verdict


@given(st.builds(Usage, *[st.integers(0, 1 << 50)] * 2, st.just(1), st.floats(0, 1e9)))
def test_without_limits_nothing_is_too_much(usage: Usage) -> None:
    assert excess(usage, Limits()) is None


def test_a_command_joins_its_groups_before_it_starts(tmp_path: Path) -> None:
    files = [tmp_path / "memory", tmp_path / "pids"]
    command = (
        *joining_command(tuple(map(str, files))),
        "sh",
        "-c",
        "echo $$; echo $0 $@",
        "a",
        "b",
    )
    pid, *words = subprocess.run(
        command, capture_output=True, text=True, check=False
    ).stdout.split()
    assert [file.read_text().strip() for file in files] == [pid, pid]
    assert words == ["a", "b"]
    missing = (*joining_command((str(tmp_path / "none" / "procs"),)), "echo", "ran")
    done = subprocess.run(missing, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (125, "")
    assert joining_command(()) == ()


def test_limits_are_told_in_words() -> None:
    words = describe(FULL)
    assert words["memory"] == "2 GiB"
    assert words["share of CPU"] == "50%"
    assert "memory" not in describe(Limits())


@pytest.mark.parametrize(
    ("cores", "turn", "chosen"),
    [(1, 0, "0"), (1, 1, "2"), (2, 2, "0,4"), (2, 3, "0,2"), (3, 0, None), (None, 0, None)],
)
def test_cores_are_pinned_in_turn_where_nothing_counts_their_time(cores, turn, chosen) -> None:
    expected = () if chosen is None else ("taskset", "--cpu-list", chosen)
    assert pinning_command(Limits(cores=cores), (0, 2, 4), turn) == expected
