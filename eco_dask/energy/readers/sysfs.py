"""Reads numbers and words from sysfs, with the reason when it cannot."""

from __future__ import annotations

from pathlib import Path

from eco_dask.energy.reading import Unavailable


def text_of(path: Path) -> str | None:
    """The content of a small file, or None if there is no such file or it cannot be read."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None


def folders_of(root: Path, source: str) -> list[Path] | Unavailable:
    """The entries of a sysfs class in the order of their names, or the reason why there are none.

    Parameters
    ----------
    root : Path
        The folder of the class.
    source : str
        The reader that asks.
    """
    try:
        return sorted(root.iterdir())
    except FileNotFoundError:
        return Unavailable(
            source, f"there is no {root}: a virtual machine, a container, or no driver for it"
        )
    except OSError as error:
        return Unavailable(source, f"cannot list {root}: {error.strerror or error}")


def number_of(path: Path, source: str, *, remedy: str = "") -> int | Unavailable:
    """The whole number in a file, or the reason why there is none.

    Parameters
    ----------
    path : Path
        A sysfs attribute.
    source : str
        The reader that asks.
    remedy : str
        What the owner may do where only the permission is missing.
    """
    try:
        return int(path.read_text())
    except PermissionError:
        return Unavailable(source, f"no permission to read {path}", remedy)
    except OSError as error:
        return Unavailable(source, f"cannot read {path}: {error.strerror or error}")
    except ValueError:
        return Unavailable(source, f"{path} holds no whole number")
