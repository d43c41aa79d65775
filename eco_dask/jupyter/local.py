"""Coordinators whose books this user may read: on this machine, no one has to paste a link.

coordinator.json ──its dashboard, a token from its books──► Coordinator
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import psutil

from eco_dask.cli.facts import FACTS_FILE
from eco_dask.errors import ConfigurationError
from eco_dask.jupyter.links import Link
from eco_dask.ledger.database import open_database
from eco_dask.ledger.tokens import Scope, TokenStore

#: What the panel needs: all jobs, and to cancel them.
SCOPE = "recruiter"
_VALID_S, _RENEWED_S = 86_400.0, 3_600.0


class LocalLinks:
    """Links to coordinators of this machine, each with a token that is made anew in time."""

    def __init__(self) -> None:
        self._tokens: dict[str, tuple[str, float]] = {}

    def find(self, folder: Path, at_s: float) -> tuple[Link, str] | None:
        """Return link and scheduler address of the coordinator that keeps its files there.

        None where none runs, or one without a dashboard.

        Raises
        ------
        ConfigurationError
            The file is no coordinator's, or of another version.
        """
        path = folder / FACTS_FILE
        try:
            facts = json.loads(path.read_bytes())
            pid, url, pin = int(facts["pid"]), str(facts["dashboard_url"]), facts["dashboard_pin"]
            database, scheduler = str(facts["database"]), str(facts["address"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{path} cannot be read as a coordinator's facts ({type(error).__name__}): "
                "restart eco-dask-scheduler, which writes it anew"
            ) from error
        if not url or not psutil.pid_exists(pid):
            return None
        token = self._token(f"{database} {pid}", database, at_s)
        return Link(url, token, pin=str(pin)), scheduler

    def _token(self, key: str, database: str, at_s: float) -> str:
        known = self._tokens.get(key)
        if known is not None and at_s < known[1] - _RENEWED_S:
            return known[0]
        made = make_token(database, at_s)
        self._tokens[key] = (made, at_s + _VALID_S)
        return made


def make_token(database: str, at_s: float | None = None) -> str:
    """Make a token in the books, valid for a day."""
    now_s = time.time() if at_s is None else at_s
    engine = open_database(database)
    try:
        return TokenStore(engine).new(
            Scope.parse(SCOPE), now_s, now_s + _VALID_S, note="JupyterLab panel"
        )
    finally:
        engine.dispose()
