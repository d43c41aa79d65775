"""Control groups as folders: filled, joined, read and removed, on a copy of their layout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eco_dask.sandbox.cgroups import Bounds, Group, find_bounds, sweep
from eco_dask.sandbox.limits import Limits

LIMITS = Limits(cores=1, memory_bytes=256 << 20, processes=32)


@pytest.mark.parametrize(
    ("name", "text", "killed"),
    [
        ("memory.events", "low 0\noom 3\noom_kill 2\n", True),
        ("memory.events", "low 0\noom 3\noom_kill 0\n", False),
        ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", True),
        ("memory.other", "oom_kill 1\n", False),
    ],
)
def test_the_kernel_says_whether_memory_ran_out(
    tmp_path: Path, name: str, text: str, killed: bool
) -> None:
    tmp_path.joinpath(name).write_text(text)
    assert Group((), (tmp_path,)).ran_out_of_memory() is killed


def test_groups_of_agents_that_are_gone_are_removed(tmp_path: Path) -> None:
    mine = tmp_path / "memory" / "eco-dask" / f"eco-runner-{os.getpid()}-0"
    # No process has a number that high.
    stale = tmp_path / "pids" / "eco-dask" / "eco-runner-99999999-3"
    flat = tmp_path / "eco-dask" / "eco-try-99999999-3"
    for folder in (mine, stale, flat):
        folder.mkdir(parents=True)
    sweep(tmp_path)
    assert [folder.exists() for folder in (mine, stale, flat)] == [True, False, False]


def test_what_the_kernel_lacks_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"pids\.max"):
        Bounds("v1", root=tmp_path).make(LIMITS, "eco-runner-1-0")
    assert not list(tmp_path.glob("*/eco-dask/*"))


def test_a_group_of_this_machine_holds_what_was_asked() -> None:
    bounds = find_bounds(LIMITS)
    if bounds.kind not in {"v1", "v2"}:
        pytest.skip(f"no control group can be made here: {bounds.kind or bounds.reason}")
    group = bounds.make(LIMITS, f"eco-runner-{os.getpid()}-99")
    try:
        texts = [(f / "pids.max").read_text() for f in group.folders if (f / "pids.max").exists()]
        assert texts == ["32\n"]
        assert not group.ran_out_of_memory()
    finally:
        group.close()
    assert not any(folder.exists() for folder in group.folders)
