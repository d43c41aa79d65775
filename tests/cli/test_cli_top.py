"""``eco-dask top``."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from eco_dask.cli.top import screen
from eco_dask.testing import snapshots

sys.path.append(str(Path(__file__).parents[1] / "dashboard"))

from served_books import ServedBooks


def shown(snapshot, rows: int = 15, width: int = 240) -> str:
    text = io.StringIO()
    Console(file=text, width=width, markup=False).print(screen(snapshot, rows, width))
    return text.getvalue()


@pytest.mark.parametrize("width", [80, 100, 130])
def test_numbers_are_not_cut_off_in_a_narrow_terminal(width: int) -> None:
    text = shown(snapshots.full(), width=width)
    for part in ("80 of 200", "54.321 of", "mallory", "connected", "24.690"):
        assert part in text


def test_an_empty_network_says_what_to_do() -> None:
    text = shown(snapshots.empty())
    assert "eco-dask invite" in text
    assert "No jobs yet" in text
    assert "unknown: no run has reported its energy yet" in text


def test_a_full_one_shows_jobs_providers_points_and_energy() -> None:
    text = shown(snapshots.full())
    for part in ("80 of 200", "54.321 of 200.000", "3 min 00 s", "mallory", "cancelled", "paused"):
        assert part in text


def test_no_control_character_reaches_the_terminal() -> None:
    text = shown(snapshots.hostile(), 100)
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "[bold red]" in text


def test_rows_bound_what_is_shown() -> None:
    text = shown(snapshots.crowded(), 10)
    assert "990 more providers; see --rows" in text
    assert len(text.splitlines()) < 50


def test_it_prints_once_what_a_coordinator_says(run, tmp_path: Path) -> None:
    with ServedBooks(tmp_path) as served:
        found = run("top", "--once", "--scheduler", served.address)
        assert found.exit_code == 0, found.output
        assert "0 of 3 providers connected" in found.stdout
        assert "25 attempts" in found.stdout
        points = served.do(served.plugin.view.snapshot()).points
    assert f"{points.posted_mpt / 1000:,.3f} paid" in found.stdout


@pytest.mark.parametrize("arguments", [(), ("--scheduler", "tcp://127.0.0.1:9")])
def test_without_a_coordinator_it_says_so(run, tmp_path: Path, arguments) -> None:
    found = run("top", "--once", "--data-directory", tmp_path, *arguments)
    assert found.exit_code == 1
    assert "coordinator" in found.stderr
    assert "Traceback" not in found.output


@pytest.mark.e2e
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_ctrl_c_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    import pty

    with ServedBooks(tmp_path) as served:
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "eco_dask.cli.main", "top", "--scheduler", served.address]
        process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm"}
        )
        os.close(theirs)
        said = b""
        while b"25 attempts" not in said:
            said += os.read(ours, 65536)
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):
            # Linux reports the end of the other side as an error.
            while more := os.read(ours, 65536):
                said += more
        os.close(ours)
        assert process.wait(30) == 0
    assert b"Traceback" not in said
    # The screen that was there before, and the cursor.
    assert said.rstrip().endswith((b"\x1b[?25h", b"\x1b[?1049l"))
