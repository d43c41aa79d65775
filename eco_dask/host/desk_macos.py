"""macOS: the time that the input system itself keeps; whether networks are metered is not told."""

from __future__ import annotations

import re

from eco_dask.host.asking import Ask, ask

_IDLE = re.compile(r'"HIDIdleTime"\s*=\s*(\d+)')
_NS = 1_000_000_000.0


class MacDesk:
    """One Mac."""

    def __init__(self, ask: Ask = ask) -> None:
        self._ask = ask

    def idle_s(self) -> float | None:
        """Seconds since keyboard or mouse were used."""
        found = _IDLE.search(self._ask(("ioreg", "-c", "IOHIDSystem", "-d", "4")) or "")
        return int(found.group(1)) / _NS if found else None

    def metered(self) -> bool | None:
        """Unknown: macOS tells only programs with a bundle of their own."""
        return None
