"""What a running coordinator tells the other commands: a private file in its data directory.

eco-dask-scheduler --write_facts--> coordinator.json --read_facts--> eco-dask invite, providers ...
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eco_dask.errors import ConfigurationError
from eco_dask.providers.private_files import write_private

#: Name of the file in the coordinator's data directory.
FACTS_FILE = "coordinator.json"


@dataclass(frozen=True, slots=True)
class CoordinatorFacts:
    """Where a coordinator is reached."""

    #: Address of the Dask scheduler.
    address: str
    #: What providers dial, ``ws://host:port`` or ``wss://host:port``.
    provider_address: str
    #: SHA-256 of the gateway's certificate, empty with ``ws://``.
    fingerprint: str
    #: SQLAlchemy URL of the books; may hold a password.
    database: str
    #: Where the dashboard and the HTTP API are, ``https://host:port``; empty without one.
    dashboard_url: str = ""
    #: Pin of the dashboard's certificate; empty with ``http://`` or a public authority's.
    dashboard_pin: str = ""

    def panel_link(self, token: str) -> str:
        """Return what is pasted into the JupyterLab panel."""
        pin = f"&pin={self.dashboard_pin}" if self.dashboard_pin else ""
        return f"{self.dashboard_url}/#token={token}{pin}"


def write_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """Write for this user only: the facts may hold a database password."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, json.dumps(facts, indent=2).encode())


def read_facts(path: Path) -> CoordinatorFacts | None:
    """Return what a coordinator wrote, or None if none runs there.

    Raises
    ------
    ConfigurationError
        The file is damaged or cannot be read.
    """
    try:
        found = json.loads(path.read_bytes())
        names = CoordinatorFacts.__dataclass_fields__
        return CoordinatorFacts(**{name: str(found[name]) for name in names if name in found})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path} cannot be read as a coordinator's facts ({type(error).__name__}): read it as "
            "the user who runs eco-dask-scheduler, or restart that to write it anew"
        ) from error


def remove_facts(path: Path, pid: int) -> None:
    """Remove the file, unless another coordinator has written it anew meanwhile."""
    try:
        if json.loads(path.read_bytes()).get("pid") == pid:
            path.unlink()
    except FileNotFoundError:
        # Somebody tidied up already, and that is all we wanted.
        return
