"""Which coordinators the panel may show: from settings, this machine, notebooks, or pasted links.

settings, coordinator.json, announced/, added.json ──► Coordinators.listing(), .find(id)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from eco_dask.errors import ConfigurationError
from eco_dask.jupyter.announced import announced
from eco_dask.jupyter.links import Link, parse
from eco_dask.jupyter.rule import JupyterRule
from eco_dask.providers.private_files import make_private_folder, read_private, write_private

Source = Literal["settings", "machine", "panel", "notebook", "link"]

#: File in the data directory that keeps the links pasted into the panel.
ADDED_FILE = "jupyter-links.json"


@dataclass(frozen=True, slots=True)
class Coordinator:
    """A coordinator that this server may ask."""

    link: Link
    name: str
    source: Source
    #: Address of its Dask scheduler where known, for code that connects to it.
    scheduler: str | None = None

    def to_plain(self) -> dict[str, Any]:
        """Return what the browser may know: never the token."""
        return {
            "id": self.link.id,
            "name": self.name,
            "url": self.link.url,
            "source": self.source,
            "scheduler": self.scheduler,
            "has_token": self.link.token is not None,
        }


class Coordinators:
    """All coordinators that are configured, looked up anew whenever somebody asks.

    Parameters
    ----------
    folder : Path
        The user's data directory.
    rule : JupyterRule
        Settings.
    running : callable
        Returns the coordinators that were started here: by the panel, or on this machine.
    """

    def __init__(
        self,
        folder: Path,
        rule: JupyterRule,
        running: Callable[[], Iterable[Coordinator]] = lambda: (),
    ) -> None:
        self._folder, self._rule, self._running = folder, rule, running

    def listing(self) -> list[Coordinator]:
        """Return each coordinator once: what was started here first, what has a token before."""
        found: dict[str, Coordinator] = {}
        for each in self._all():
            known = found.get(each.link.id)
            if known is None or (known.link.token is None and each.link.token is not None):
                found[each.link.id] = each
        return list(found.values())

    def find(self, key: str) -> Coordinator | None:
        """Return the coordinator of that id, or None: nothing else is ever asked."""
        return next((each for each in self.listing() if each.link.id == key), None)

    def add(self, text: str, token: str | None, name: str | None) -> Coordinator:
        """Keep a pasted link in a private file.

        Raises
        ------
        ConfigurationError
            It is no link, or the operator of this server allows none but those of the settings.
        """
        if not self._rule.add:
            raise ConfigurationError(
                "this Jupyter server takes coordinators from its settings only "
                "(eco-dask.jupyter.add is false): ask its operator to add yours"
            )
        link = parse(text, token)
        added = Coordinator(link, name or link.url.partition("://")[2], "link")
        others = [each for each in self._added() if each.link.id != link.id]
        self._keep([*others, added])
        return added

    def remove(self, key: str) -> bool:
        """Forget a pasted link, its token too; tell whether there was one."""
        before = self._added()
        after = [each for each in before if each.link.id != key]
        if len(after) != len(before):
            self._keep(after)
        return len(after) != len(before)

    def _all(self) -> Iterable[Coordinator]:
        yield from self._running()
        for each in announced(self._folder):
            yield Coordinator(each.link, each.name, "notebook", each.scheduler)
        for settings in self._rule.coordinators:
            yield configured(settings)
        yield from self._added()

    def _added(self) -> list[Coordinator]:
        path = self._folder / ADDED_FILE
        if not path.exists():
            return []
        try:
            kept = json.loads(read_private(path))
            return [
                Coordinator(
                    Link(each["url"], each["token"], pin=each.get("pin", "")), each["name"], "link"
                )
                for each in kept
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{path} cannot be read as the links of the JupyterLab panel "
                f"({type(error).__name__}): remove it, and paste the links again"
            ) from error

    def _keep(self, added: list[Coordinator]) -> None:
        make_private_folder(self._folder)
        plain = [
            {
                "url": each.link.url,
                "token": each.link.token,
                "pin": each.link.pin,
                "name": each.name,
            }
            for each in added
        ]
        write_private(self._folder / ADDED_FILE, json.dumps(plain).encode())


def configured(settings: Mapping[str, Any]) -> Coordinator:
    """Return the coordinator of one entry of ``eco-dask.jupyter.coordinators``.

    Raises
    ------
    ConfigurationError
        The entry cannot be read; the message never holds the token.
    """
    known = {"url", "name", "token", "token-file", "pin", "insecure", "scheduler"}
    if not isinstance(settings.get("url"), str) or settings.keys() - known:
        raise ConfigurationError(
            "eco-dask.jupyter.coordinators is a list of {url, name, token, token-file, pin, "
            f"insecure, scheduler}}, url required; got one with {sorted(map(str, settings))}"
        )
    bare = parse(settings["url"])
    token = settings.get("token") or bare.token
    if settings.get("token-file"):
        path = Path(settings["token-file"]).expanduser()
        token = read_private(path).decode("ascii", "replace").strip()
    pin = str(settings.get("pin") or bare.pin)
    link = Link(bare.url, token, insecure=settings.get("insecure") is True, pin=pin)
    name = str(settings.get("name") or link.url.partition("://")[2])
    scheduler = settings.get("scheduler")
    return Coordinator(link, name, "settings", str(scheduler) if scheduler else None)
