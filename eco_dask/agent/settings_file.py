"""Settings that the owner changes while the agent runs: a file of its own, which the agent follows.

eco-dask-worker config set ──► worker.yaml ──SettingsFile.follow──► dask.config ──► rules
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dask.config
import yaml

from eco_dask.config import sandbox_rule, worker_rule
from eco_dask.energy_config import owner_energy_rule
from eco_dask.errors import ConfigurationError
from eco_dask.owner_config import give_back_after_s, presence_rule, transfer_rule
from eco_dask.providers.private_files import make_private_folder
from eco_dask.settings import defaults, setting

#: What is settled at the start of an agent and changes with the next.
AT_START = frozenset(
    {"cache-bytes", "reconnect-max", "ping", "sandbox.profile", "sandbox.trust-recruiters",
     "sandbox.read", "sandbox.image", "sandbox.gpu"}
)  # fmt: skip
_RULES: tuple[Callable[[], object], ...] = (
    worker_rule,
    sandbox_rule,
    owner_energy_rule,
    presence_rule,
    transfer_rule,
    give_back_after_s,
)


def known_settings() -> dict[str, Any]:
    """Return every setting of a worker by its name, with its default."""
    return dict(_flat(defaults()["eco-dask"]["worker"], ""))


class SettingsFile:
    """One machine's ``worker.yaml``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int] | None = None
        #: What the settings were without this file.
        self._before: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """Return what stands in it.

        Raises
        ------
        ConfigurationError
            If it is no map of known settings.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        try:
            found = yaml.safe_load(text) or {}
        except yaml.YAMLError as error:
            raise ConfigurationError(f"{self.path} is no YAML: {error}") from error
        if not isinstance(found, dict):
            raise ConfigurationError(f"{self.path} must map settings to values")
        for name in found:
            _require_known(str(name))
        return found

    def put(self, name: str, text: str | None) -> Any:
        """Change one setting, or with None leave it to its default; return its value.

        Raises
        ------
        ConfigurationError
            If there is no such setting, or the value is none; nothing is changed then.
        """
        _require_known(name)
        settings = self.read()
        if text is None:
            settings.pop(name, None)
        else:
            settings[name] = parse_value(name, text)
        check(settings)
        make_private_folder(self.path.parent)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(settings, sort_keys=True), encoding="utf-8")
        fresh.replace(self.path)
        return settings.get(name, known_settings()[name])

    def follow(self) -> bool:
        """Take over what stands in the file if it changed; return whether it did.

        Raises
        ------
        ConfigurationError
            If it cannot be used; what held before still does.
        """
        try:
            stat = self.path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
        except FileNotFoundError:
            stamp = (0, 0)
        if stamp == self._stamp or (self._stamp is None and stamp == (0, 0)):
            return False
        self._stamp = stamp
        settings = self.read()
        check(settings)
        for name in settings:
            self._before.setdefault(name, setting(f"worker.{name}"))
        dask.config.set({_full(n): settings.get(n, old) for n, old in self._before.items()})
        return True


def check(settings: Mapping[str, Any]) -> None:
    """Read every rule with these settings.

    Raises
    ------
    ConfigurationError
        If a rule cannot be made of them.
    """
    with dask.config.set({_full(name): value for name, value in settings.items()}):
        for rule in _RULES:
            rule()


def parse_value(name: str, text: str) -> Any:
    """Read a value as it is typed; lists may be given with commas."""
    is_list = isinstance(known_settings()[name], list)
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    if is_list and not isinstance(value, list):
        return [part.strip() for part in text.split(",") if part.strip()]
    return value


def _require_known(name: str) -> None:
    known = known_settings()
    if name in known:
        return
    near = [each for each in known if name in each or each in name]
    hint = f"did you mean {' or '.join(near[:3])}?" if near else "`config list` shows all of them"
    raise ConfigurationError(f"there is no setting {name!r}: {hint}")


def _full(name: str) -> str:
    return f"eco-dask.worker.{name}"


def _flat(settings: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
