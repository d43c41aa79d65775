"""Picks the desk of this machine's operating system.

desk() ──► LinuxDesk | MacDesk | WindowsDesk
"""

from __future__ import annotations

import sys

from eco_dask.host.asking import Desk


def desk() -> Desk:
    """Return the desk of this machine."""
    if sys.platform == "darwin":
        from eco_dask.host.desk_macos import MacDesk

        return MacDesk()
    if sys.platform == "win32":
        from eco_dask.host.desk_windows import WindowsDesk

        return WindowsDesk()
    from eco_dask.host.desk_linux import LinuxDesk

    return LinuxDesk()
