"""What a notebook's kernel tells the Jupyter server about its client's coordinator, by a file.

kernel: announce(client) ──private file──► server: announced()

The token takes this way because a browser, which sees all that a kernel prints, must not.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from eco_dask.config import data_directory
from eco_dask.errors import ConfigurationError
from eco_dask.jupyter.links import Link
from eco_dask.jupyter.local import LocalLinks
from eco_dask.providers.private_files import make_private_folder, read_private, write_private

#: Folder in the data directory; each file is of one process and one coordinator.
FOLDER = "announced"


@dataclass(frozen=True, slots=True)
class Announced:
    """A coordinator that a process of this user is connected to."""

    link: Link
    name: str
    #: Address of the Dask scheduler, for code that connects to it.
    scheduler: str
    pid: int
    at_s: float = field(default=0.0, compare=False)


def announce(client: Any = None) -> dict[str, Any] | None:
    """Tell this user's Jupyter server where the client's coordinator is.

    Runs in a kernel, sent there by the panel. Prints and returns nothing secret.

    Parameters
    ----------
    client : distributed.Client, optional
        Default: the current one.

    Returns
    -------
    dict or None
        ``id`` and ``name`` of the coordinator; None without a client, or if its scheduler is none
        of eco_dask or has no dashboard.
    """
    from distributed.client import default_client

    try:
        client = client or default_client()
    except ValueError:
        return None
    found = None if client.asynchronous else _find(client)
    if found is None:
        return None
    link, name = found
    write(Announced(link, name, client.scheduler.address, os.getpid()))
    return {"id": link.id, "name": name}


def _find(client: Any) -> tuple[Link, str] | None:
    folder = getattr(client.cluster, "data_directory", None)
    if folder is not None:
        local = LocalLinks().find(Path(folder), time.time())
        return (local[0], str(client.cluster.name)) if local is not None else None
    address = client.scheduler.address
    port = client.scheduler_info().get("services", {}).get("dashboard")
    host = urlsplit(address).hostname
    if not port or not host or not hasattr(client, "sync"):
        return None
    found = client.sync(_ask_token, client)
    scheme = "https" if client.dashboard_link.startswith("https:") else "http"
    shown = f"[{host}]" if ":" in host else host
    return Link(f"{scheme}://{shown}:{port}", found, insecure=True), address


def write(found: Announced, folder: Path | None = None) -> Path:
    """Write the file of one process and coordinator anew."""
    place = (folder or data_directory()) / FOLDER
    make_private_folder(place)
    path = place / f"{found.pid}-{found.link.id}.json"
    plain = {
        "url": found.link.url,
        "token": found.link.token,
        "name": found.name,
        "scheduler": found.scheduler,
        "pid": found.pid,
        "at_s": time.time(),
    }
    write_private(path, json.dumps(plain).encode())
    return path


def announced(folder: Path | None = None) -> list[Announced]:
    """Return what running processes announced, the latest first; remove what others left."""
    place = (folder or data_directory()) / FOLDER
    found = []
    for path in sorted(place.glob("*.json")) if place.is_dir() else ():
        try:
            each = _read(path)
        except (ConfigurationError, ValueError, KeyError, TypeError):
            # Half a file of a killed process, or none of ours: nothing to connect to.
            continue
        if psutil.pid_exists(each.pid):
            found.append(each)
        else:
            path.unlink(missing_ok=True)
    return sorted(found, key=lambda each: -each.at_s)


def _read(path: Path) -> Announced:
    plain = json.loads(read_private(path))
    link = Link(str(plain["url"]), plain["token"])
    return Announced(
        link, str(plain["name"]), str(plain["scheduler"]), int(plain["pid"]), float(plain["at_s"])
    )


async def _ask_token(client: Any) -> str | None:
    """Ask the scheduler, which trusts whoever may connect to it; None if it is none of ours."""
    try:
        return str(await client.scheduler.eco_token())
    except (AttributeError, ValueError):
        # Dask's answer to an operation that a scheduler does not know.
        return None
