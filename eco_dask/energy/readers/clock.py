"""The one clock of the meters: it counts suspended time, so that a sleep shows as a gap."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from eco_dask.energy.readers.monotone import Moment

#: Tells a reader when it reads.
Clock = Callable[[], Moment]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def system_clock() -> Clock:
    """The machine's clock, with the id of this boot where the system has one (Linux)."""
    boot_id = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""
    if sys.platform == "linux":
        return lambda: Moment(time.clock_gettime(time.CLOCK_BOOTTIME), boot_id)
    elif sys.platform == "darwin":  # noqa: RET505  mypy knows platforms by their branches
        # CLOCK_MONOTONIC goes on during sleep on macOS; time.monotonic() does not.
        return lambda: Moment(time.clock_gettime(time.CLOCK_MONOTONIC), boot_id)
    else:
        return lambda: Moment(time.monotonic(), boot_id)
