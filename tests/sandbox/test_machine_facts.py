"""What is found of this machine: Python's own folders, a GPU's files, and what may be imported."""

from __future__ import annotations

import sys
from pathlib import Path

from eco_dask.sandbox.launch import GpuFiles, below
from eco_dask.sandbox.machine import find_gpu_files, find_python, import_folders, look


def test_python_and_what_its_links_lead_to_are_found() -> None:
    python = find_python()
    assert Path(python.enter).is_file()
    real = str(Path(sys.executable).resolve())
    folders = (python.prefix, python.base_prefix, *python.links)
    assert any(below(real, folder) for folder in folders)
    assert "/" not in folders


def test_a_machine_is_described_without_asking_for_anything_missing() -> None:
    machine = look()
    assert machine.n_cores >= 1
    assert all(Path(path).exists() for path in machine.programs.values())
    assert all(Path(folder).is_dir() for folder in machine.root_folders)
    assert all(Path(link).is_symlink() for link in machine.root_links)


def test_a_gpu_is_its_control_its_cards_and_memory(tmp_path: Path) -> None:
    assert find_gpu_files(tmp_path) == GpuFiles()
    for name in ("nvidia0", "nvidia12", "nvidia-uvm", "null", "nvidia-other"):
        tmp_path.joinpath(name).touch()
    # Cards without the control device serve nobody.
    assert find_gpu_files(tmp_path) == GpuFiles()
    tmp_path.joinpath("nvidiactl").touch()
    tmp_path.joinpath("nvidia-caps").mkdir()
    found = {Path(path).name for path in find_gpu_files(tmp_path).devices}
    assert found == {"nvidia0", "nvidia12", "nvidia-uvm", "nvidiactl", "nvidia-caps"}


def test_a_folder_that_contains_what_is_hidden_is_not_imported_from(tmp_path: Path) -> None:
    home, code, file = tmp_path / "home", tmp_path / "home" / "code", tmp_path / "code.zip"
    code.mkdir(parents=True)
    file.touch()
    path = [str(code), str(code), str(home), str(tmp_path), "/", str(file), sys.prefix, "/nowhere"]
    assert import_folders(path, [home]) == (str(code.resolve()),)
