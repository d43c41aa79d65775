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
from eco_dask.plugins.scheduler import MARK
from eco_dask.providers.private_files import make_private_folder, read_private, write_private

#: Folder in the data directory; each file is of one process and one coordinator.
FOLDER = "announced"
#: Age at which a process asks for another token; they are valid for a day.
_RENEWED_S = 43_200.0


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
    if client.asynchronous or client.status != "running":
        return None
    mark = client.get_metadata([MARK], default=None)
    place = _place(client, mark["scheme"]) if mark else None
    if place is None:
        return None
    (url, name), pin = place, str(mark.get("pin", ""))
    key = Link(url).id
    known = [each for each in announced() if (each.pid, each.link.id) == (os.getpid(), key)]
    if not known or time.time() - known[0].at_s > _RENEWED_S:
        token = client.sync(client.scheduler.eco_token)
        # The kernel's own connection to the scheduler is no better protected than this token.
        link = Link(url, token, insecure=True, pin=pin)
        write(Announced(link, name, client.scheduler.address, os.getpid()))
    return {"id": key, "name": name}


def _place(client: Any, scheme: str) -> tuple[str, str] | None:
    """Return the root of the scheduler's HTTP server, and what people call the network."""
    address = client.scheduler.address
    host = urlsplit(address).hostname
    port = client.scheduler_info().get("services", {}).get("dashboard")
    if not host or not port:
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port}", str(
        getattr(client.cluster, "name", None) or address.rpartition("://")[2]
    )


def write(found: Announced, folder: Path | None = None) -> Path:
    """Write the file of one process and coordinator anew."""
    place = (folder or data_directory()) / FOLDER
    make_private_folder(place)
    path = place / f"{found.pid}-{found.link.id}.json"
    plain = {
        "url": found.link.url,
        "token": found.link.token,
        "pin": found.link.pin,
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
    link = Link(str(plain["url"]), plain["token"], insecure=True, pin=str(plain.get("pin", "")))
    return Announced(
        link, str(plain["name"]), str(plain["scheduler"]), int(plain["pid"]), float(plain["at_s"])
    )
