"""Files for one user, and locks that end with their holder."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import eco_dask.types
from eco_dask.errors import ConfigurationError
from eco_dask.providers.private_files import (
    hold_lock,
    make_private_folder,
    read_private,
    write_private,
)

REPOSITORY = Path(eco_dask.types.__file__).parents[1]
HOLDER = """
import sys
from pathlib import Path
from eco_dask.providers.private_files import hold_lock
lock = hold_lock(Path(sys.argv[1]), wait=False)
print("held", flush=True)
sys.stdin.read()
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folder_and_file_are_for_their_user_only(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    make_private_folder(folder)
    write_private(folder / "key", b"secret")
    assert (mode(folder), mode(folder / "key")) == (0o700, 0o600)
    assert read_private(folder / "key") == b"secret"
    assert [path.name for path in folder.iterdir()] == ["key"]


def test_a_failing_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    write_private(tmp_path / "key", b"old")
    with pytest.raises(TypeError):
        write_private(tmp_path / "key", "text is no bytes")  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert read_private(tmp_path / "key") == b"old"


@pytest.mark.parametrize("others", [0o640, 0o604, 0o660, 0o666])
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, others: int) -> None:
    write_private(tmp_path / "key", b"secret")
    (tmp_path / "key").chmod(others)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_private(tmp_path / "key")


def test_a_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigurationError, match="chmod 700"):
        make_private_folder(tmp_path)


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="choose another folder"):
        make_private_folder(tmp_path / "file" / "folder")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nothing-here"):
        read_private(tmp_path / "nothing-here")


def test_the_lock_excludes_and_names_the_holder_until_released(tmp_path: Path) -> None:
    lock = hold_lock(tmp_path / "lock", wait=False)
    with pytest.raises(ConfigurationError, match=f"process {os.getpid()}"):
        hold_lock(tmp_path / "lock", wait=False)
    lock.release()
    lock.release()
    with hold_lock(tmp_path / "lock", wait=False):
        pass
    with hold_lock(tmp_path / "lock", wait=True):
        pass


def test_the_lock_of_a_killed_process_is_free_again(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ConfigurationError, match=f"process {holder.pid}"):
            hold_lock(path, wait=False)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with hold_lock(path, wait=False):
        assert path.read_text() == str(os.getpid())
