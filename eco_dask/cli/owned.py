"""What runs beside an agent for the owner of its machine: looks, settings, the local page.

Owned ──► Diary, Conduct, LocalPage, all of one folder
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import click

from eco_dask.agent.agent import Agent
from eco_dask.agent.conduct import Conduct
from eco_dask.agent.diary import Diary
from eco_dask.agent.local_page import LocalPage
from eco_dask.agent.runner_process import RunnerRule
from eco_dask.agent.settings_file import SettingsFile
from eco_dask.agent.state import state_of
from eco_dask.host.senses import Senses

logger = logging.getLogger(__name__)

SETTINGS_FILE, DIARY_FILE = "worker.yaml", "diary.json"


class Owned:
    """The owner's side of one agent.

    Parameters
    ----------
    home : Path
        Folder of the machine's key.
    port : int
        Of the local page; 0 for any free one.
    """

    def __init__(self, home: Path, port: int = 0) -> None:
        self._home = home
        self._port = port
        self.settings = SettingsFile(home / SETTINGS_FILE)

    def diary(self) -> Diary:
        """Open the diary of this machine."""
        return Diary(self._home / DIARY_FILE)

    async def run(self, agent: Agent, rule: RunnerRule, stop: asyncio.Event) -> None:
        """Look after an agent until cancelled."""
        senses = Senses(
            agent.runner_pids,
            lambda: agent.diary.transferred_bytes,
            offers_gpu=agent.sandbox.gpu,
        )
        conduct = Conduct(agent, self.settings, rule, senses, stop.set)
        page = LocalPage(
            self._home, conduct, self.settings, lambda: state_of(agent, conduct), self._port
        )
        click.echo(f"Your page: {page.link}")
        try:
            await conduct.run()
        except Exception:
            # Without its owner's wishes a machine does not work for others.
            logger.exception("The owner's settings cannot be followed any more; stopping")
            stop.set()
        finally:
            page.close()
