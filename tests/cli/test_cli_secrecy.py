"""Links stay out of process lists and logs, and keys are exchanged from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eco_dask.cli.secrecy import split_link

SECRET = "s3cr3ts3cr3ts3cr3ts3cr3t"
LINK = f"eco-dask://127.0.0.1:9/abcdef.{SECRET}"


@pytest.mark.parametrize("link", [LINK, f" '{LINK}' ", LINK.replace("dask:", "dask-recruiter:")])
def test_a_link_is_found_among_other_arguments(link: str) -> None:
    argv = ["python", "-m", "eco_dask.cli.worker", "--nthreads", "2", link, "--quiet"]
    found, rest = split_link(argv)
    assert found == link
    assert rest == [word for word in argv if word != link]
    assert split_link(rest) == (None, rest)


def readable_by_others() -> str:
    """What any user of this machine can read of all processes: their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
@pytest.mark.parametrize("words", [["eco_dask.cli.worker"], ["eco_dask.cli.main", "worker"]])
def test_a_running_worker_shows_its_link_to_nobody(tmp_path: Path, words: list[str]) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-m", *words, LINK, "--local-directory"]
    options = ["--sandbox", "none", "--i-trust-the-recruiters", "--log-level", "debug"]
    with log.open("w") as output:
        child = subprocess.Popen(
            [*command, str(tmp_path / "home"), *options],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        try:
            deadline_s = time.monotonic() + 60
            # It has dialled once: all that it will ever say of its link is said.
            while "No connection to" not in log.read_text():
                assert child.poll() is None, log.read_text()
                assert time.monotonic() < deadline_s
                time.sleep(0.1)
            shown = readable_by_others()
            assert str(tmp_path / "home") in shown
            assert SECRET not in shown
        finally:
            child.terminate()
            child.wait(20)
    assert SECRET not in log.read_text()
