"""Files that only their owner may read, written whole or not at all, and locks that die with us.

::

    write_private: temporary file 0600 --fsync--> rename     hold_lock: flock / msvcrt
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from eco_dask.errors import ConfigurationError

if sys.platform == "win32":
    import msvcrt

    #: The locked byte lies beyond the text, so that others can still read the pid.
    _LOCKED_BYTE = 1 << 30

    def _lock(descriptor: int, *, wait: bool) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int, *, wait: bool) -> None:
        # flock, not lockf: it also excludes a second holder in the same process.
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


#: What the systems answer when somebody else holds the lock.
_HELD = frozenset({errno.EAGAIN, errno.EACCES, errno.EDEADLK, errno.EWOULDBLOCK})
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_MAY_USE = stat.S_IRWXG | stat.S_IRWXO


class FileLock:
    """An exclusive lock on a file, released by :meth:`release` or by the end of the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Let others have it; a second call changes nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def hold_lock(path: Path, *, wait: bool) -> FileLock:
    """Take the exclusive lock ``path``; the file itself stays behind and means nothing.

    Parameters
    ----------
    path : Path
        Lock file, created when missing.
    wait : bool
        Whether to wait for another holder, or to refuse at once.

    Raises
    ------
    ConfigurationError
        Another process holds it; the message names its pid.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        _lock(descriptor, wait=wait)
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, str(os.getpid()).encode())
    except OSError as error:
        os.close(descriptor)
        if error.errno not in _HELD:
            raise _unwritable(path, error) from error
        holder = path.read_text(encoding="ascii", errors="replace").strip() or "unknown"
        raise ConfigurationError(
            f"{path.parent} is in use by process {holder}: stop that process, or choose another "
            "folder for this one"
        ) from error
    return FileLock(descriptor)


def make_private_folder(folder: Path) -> None:
    """Create ``folder`` for its owner only (0700).

    Raises
    ------
    ConfigurationError
        It cannot be created, or others may write to it and so could exchange what it keeps.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"cannot create the folder {folder}: {error.strerror}; choose another folder"
        ) from error
    if os.name == "posix" and folder.stat().st_mode & _OTHERS_MAY_WRITE:
        raise ConfigurationError(
            f"others may write to {folder}, where a private key is kept: run chmod 700 {folder}"
        )


def write_private(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``, mode 0600; a crash leaves the old file or the new one.

    Raises
    ------
    ConfigurationError
        The disk is full, or this user may not write there; the old file is as it was.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritable(path, error) from error
        raise


def _unwritable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"cannot write {path}: {error.strerror}; make room or make the folder writable for this "
        "user, or choose another folder"
    )


def read_private(path: Path) -> bytes:
    """Return what ``path`` holds.

    Raises
    ------
    ConfigurationError
        It cannot be read, or others may read it too.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the private key {path}: {error.strerror}; make it readable for this "
            "user, or restore it from a backup"
        ) from error
    if os.name == "posix" and path.stat().st_mode & _OTHERS_MAY_USE:
        raise ConfigurationError(
            f"others may use the private key {path}: run chmod 600 {path}, and replace the key "
            "if somebody may have copied it"
        )
    return content
