"""Lending this machine from the panel: an ``eco-dask-worker`` that lives as long as this server.

start(link) ──► Child(eco_dask.cli.worker) ──its output──► state(), never the link's secret
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eco_dask.children import Child
from eco_dask.errors import ConfigurationError
from eco_dask.jupyter.owned import ORDERS, ask_owned, shown
from eco_dask.providers.link import LINK_VARIABLE, JoinLink
from eco_dask.providers.private_files import make_private_folder, read_private, write_private

#: Files in the data directory: the last link that was used, and what the worker says.
LINK_FILE, LOG_FILE = "jupyter-machine-link", "jupyter-machine.log"
_LINES_SHOWN, _TAIL_BYTES = 12, 16_384
#: Exit status of a provider that the gateway refuses (``eco_dask.cli.worker.EXIT_REFUSED``).
_REFUSED = 77
_PAGE_TOKEN = re.compile(r"(https?://[^\s#]+)#\S*")
_PROVIDER = re.compile(r"provider ([A-Za-z0-9_-]{8,80})")


@dataclass(frozen=True, slots=True)
class Offer:
    """What the owner lends."""

    #: Tasks at a time; None for half of the cores.
    slots: int | None = None
    #: Such as ``"4 GiB"``; None for what the worker's settings say.
    memory: str | None = None

    def arguments(self) -> list[str]:
        """Return the words of the command line."""
        words = ["--nthreads", str(self.slots)] if self.slots is not None else []
        return [*words, "--memory-limit", self.memory] if self.memory else words


class Machine:
    """The provider on this machine that the panel starts and stops."""

    def __init__(self, folder: Path, *, arguments: tuple[str, ...] = ()) -> None:
        self._folder = folder
        self._arguments = arguments
        self._child: Child | None = None
        self._started_at_s: float | None = None
        self._offer = Offer()
        self._stopped = False

    async def start(self, text: str | None, offer: Offer) -> None:
        """Start to lend this machine.

        Parameters
        ----------
        text : str, optional
            The join link. Default: the one used last.
        offer : Offer
            What to lend.

        Raises
        ------
        ConfigurationError
            It is lent already, or the text is no join link.
        """
        if self._running():
            raise ConfigurationError("this machine is lent already; stop it first")
        link = JoinLink.parse(text) if text else self._remembered()
        make_private_folder(self._folder)
        write_private(self._folder / LINK_FILE, str(link).encode())
        self._log.unlink(missing_ok=True)
        self._child = Child(
            "eco_dask.cli.worker",
            # The page is how it is looked after, by the panel as well.
            [*offer.arguments(), "--page-port", "0", *self._arguments],
            # In the environment, as every user of a machine sees all processes' arguments.
            environment={LINK_VARIABLE: str(link)},
            log_path=self._log,
        )
        self._offer, self._started_at_s, self._stopped = offer, time.time(), False
        await self._child.start()

    async def stop(self) -> None:
        """Give the tasks under way back, and stop; nothing happens if it does not run."""
        if self._child is not None:
            self._stopped = True
            await self._child.stop()

    async def order(self, order: str) -> None:
        """Have the running provider pause, go on (``run``), or take nothing new (``finish``).

        Raises
        ------
        ConfigurationError
            None runs here, or the word is no order.
        """
        if order not in ORDERS:
            raise ConfigurationError(f"an order is one of {', '.join(ORDERS)}; got {order[:40]!r}")
        if await ask_owned(self._home, "order", {"order": order}) is None:
            raise ConfigurationError("no provider runs on this machine; start one first")

    async def seen(self) -> dict[str, Any]:
        """Return :meth:`state`, with what the provider says of itself.

        That may be one which was started elsewhere, as a service or in a terminal.
        """
        said = await ask_owned(self._home, "state")
        return self.state() | {"owned": shown(said) if said is not None else None}

    def state(self) -> dict[str, Any]:
        """Return what the panel shows of the process that it started."""
        lines = self._lines()
        status = self._child.returncode if self._child is not None else None
        provider = next((found[1] for line in lines if (found := _PROVIDER.search(line))), None)
        return {
            "owned": None,
            "state": self._word(status),
            "pid": self._child.pid if self._running() and self._child else None,
            "started_at_s": self._started_at_s,
            "status": status,
            "provider": provider,
            "link": self._shown_link(),
            "slots": self._offer.slots,
            "memory": self._offer.memory,
            "cores": os.cpu_count(),
            "lines": lines[-_LINES_SHOWN:],
        }

    def _running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    def _word(self, status: int | None) -> str:
        if self._child is None:
            return "off"
        if status is None:
            return "running"
        if status == _REFUSED:
            return "refused"
        return "off" if self._stopped or status == 0 else "failed"

    @property
    def _home(self) -> Path:
        # Where eco-dask-worker keeps its key unless told otherwise, as here.
        return self._folder / "provider"

    @property
    def _log(self) -> Path:
        return self._folder / LOG_FILE

    def _lines(self) -> list[str]:
        if self._child is None or not self._log.exists():
            return []
        with self._log.open("rb") as file:
            head = file.read(1024)
            file.seek(max(len(head), self._log.stat().st_size - _TAIL_BYTES))
            text = (head + file.read()).decode("utf-8", "replace")
        # The page's address comes with its token.
        text = _PAGE_TOKEN.sub(r"\1", text)
        secret = self._secret()
        return [line.replace(secret, "...") if secret else line for line in text.splitlines()]

    def _remembered(self) -> JoinLink:
        path = self._folder / LINK_FILE
        if not path.exists():
            raise ConfigurationError(
                "lending needs a join link: ask an operator for one, who runs "
                "`eco-dask invite --owner YOU`"
            )
        return JoinLink.parse(read_private(path).decode("utf-8", "replace"))

    def _shown_link(self) -> str | None:
        try:
            return self._remembered().redacted()
        except ConfigurationError:
            return None

    def _secret(self) -> str | None:
        try:
            return self._remembered().invite.rpartition(".")[2]
        except ConfigurationError:
            return None
