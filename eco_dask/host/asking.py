"""The small interface behind which operating systems differ, and how their commands are asked.

Desk.idle_s(), Desk.metered()     LinuxDesk | MacDesk | WindowsDesk
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from typing import Protocol

_COMMAND_S = 2.0


class Desk(Protocol):
    """One machine's keyboard, mouse and network, as far as the system tells."""

    def idle_s(self) -> float | None:
        """Seconds since keyboard or mouse were used, infinite without any, None if unknown."""

    def metered(self) -> bool | None:
        """Whether the network costs by volume, None if unknown."""


#: Runs a command and returns what it prints, or None if it fails or is not there.
Ask = Callable[[Sequence[str]], str | None]


def ask(command: Sequence[str]) -> str | None:
    """Run a short command of the system's."""
    try:
        done = subprocess.run(  # noqa: S603  the commands stand in this package
            command,
            capture_output=True,
            check=False,
            timeout=_COMMAND_S,
            text=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
