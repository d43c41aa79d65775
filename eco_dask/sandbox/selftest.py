"""What a sandbox tries on itself before it is trusted: ``python -m eco_dask.sandbox.selftest``.

paths and ports of the agent ──► what could be reached, and with which versions ──► standard output

Standard library only: it runs at each start of a provider.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> None:
    """Try everything and print what came of it as JSON."""
    bait = json.loads(sys.argv[1])
    reached = [name for name, attempt in ATTEMPTS.items() if _succeeds(attempt, bait)]
    versions = {"python": platform.python_version()}
    for name in ("numpy", "dask"):
        versions[name] = importlib.metadata.version(name)
    json.dump({"reached": reached, "versions": versions}, sys.stdout)


def _succeeds(attempt: Callable[[dict[str, Any]], None], bait: dict[str, Any]) -> bool:
    try:
        attempt(bait)
    except (OSError, ImportError):
        return False
    return True


def _read_files(bait: dict[str, Any]) -> None:
    if not any(_readable(path) for path in bait["secrets"]):
        raise FileNotFoundError


def _readable(path: str) -> bool:
    try:
        return bool(Path(path).read_bytes())
    except OSError:
        return False


def _write_file(bait: dict[str, Any]) -> None:
    Path(bait["secrets"][0] + ".written").write_bytes(b"")


def _connect(bait: dict[str, Any]) -> None:
    socket.create_connection(("127.0.0.1", bait["port"]), timeout=2.0).close()


def _read_environment(bait: dict[str, Any]) -> None:
    process = Path(f"/proc/{bait['pid']}")
    # In a namespace of its own, that number may be this very process.
    if bait["pid"] == os.getpid() or process.joinpath("cmdline").read_text() != bait["cmdline"]:
        raise FileNotFoundError
    process.joinpath("environ").read_bytes()


def _inherit_environment(bait: dict[str, Any]) -> None:
    if bait["canary"] not in os.environ.values():
        raise FileNotFoundError


#: What the owner is told if it succeeds.
ATTEMPTS: dict[str, Callable[[dict[str, Any]], None]] = {
    "read files of yours": _read_files,
    "write beside the agent's files": _write_file,
    "connect to this machine": _connect,
    "read the agent's environment": _read_environment,
    "inherit the agent's environment": _inherit_environment,
}


if __name__ == "__main__":
    main()
