"""Secrets that were given on a command line, out of sight of the machine's other users.

worker LINK ──exec──► worker, with the link in its environment, which only its own user can read
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

#: How links begin that hold a secret.
SCHEMES = ("eco-dask://", "eco-dask-recruiter://")


def hide_link(variable: str) -> None:
    """Start this program anew with its link in an environment variable, if an argument is one.

    Every user of a machine can read the arguments of all processes. For a moment the link was
    among them; a file or the variable itself avoids even that. On Windows, where a program cannot
    be replaced by itself, nothing happens.
    """
    link, rest = split_link(sys.orig_argv)
    if link is None or os.name != "posix":
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, rest, os.environ | {variable: link})  # noqa: S606  this very program


def split_link(argv: Sequence[str]) -> tuple[str | None, list[str]]:
    """Return the first argument that is a link, and the others."""
    for index, word in enumerate(argv):
        if word.strip(" \t\r\n\"'<>").startswith(SCHEMES):
            return word, [*argv[:index], *argv[index + 1 :]]
    return None, list(argv)
