"""Linux: X11's screen saver, GNOME's and logind's idle hints, terminals; NetworkManager.

X11 | Mutter | logind | ttys ──► the least of what they say; none of them: nobody can sit there
"""

from __future__ import annotations

import ctypes
import ctypes.util
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from eco_dask.host.asking import Ask, ask

_MS = 1000.0
_US = 1_000_000.0
_MUTTER = (
    "busctl",
    "--user",
    "call",
    "org.gnome.Mutter.IdleMonitor",
    "/org/gnome/Mutter/IdleMonitor/Core",
    "org.gnome.Mutter.IdleMonitor",
    "GetIdletime",
)
_LOGIND = (
    "busctl",
    "--system",
    "get-property",
    "org.freedesktop.login1",
    "/org/freedesktop/login1",
    "org.freedesktop.login1.Manager",
    "IdleHint",
    "IdleSinceHint",
)
_METERED = (
    "busctl",
    "--system",
    "get-property",
    "org.freedesktop.NetworkManager",
    "/org/freedesktop/NetworkManager",
    "org.freedesktop.NetworkManager",
    "Metered",
)
#: NetworkManager's answers: yes and guess-yes, no and guess-no; 0 is unknown.
_YES, _NO = ("u 1", "u 3"), ("u 2", "u 4")


class LinuxDesk:
    """One Linux machine.

    Parameters
    ----------
    ask : callable
        Runs a command of the system's.
    environment : mapping
        Where ``DISPLAY`` and the like stand.
    ttys : callable
        Returns when each terminal heard its owner last, seconds since the epoch.
    """

    def __init__(
        self,
        ask: Ask = ask,
        environment: Mapping[str, str] = os.environ,
        ttys: Callable[[], Iterable[float]] | None = None,
    ) -> None:
        self._ask = ask
        self._environment = environment
        self._ttys = ttys or _tty_times_s
        self._screen: X11Idle | None = None

    def idle_s(self) -> float | None:
        """Seconds since keyboard or mouse were used."""
        at_s = time.time()
        seen = [max(0.0, at_s - heard_s) for heard_s in self._ttys()]
        graphical = self._environment.get("DISPLAY") or self._environment.get("WAYLAND_DISPLAY")
        if graphical:
            found = self._graphical_s()
            if found is None:
                return None
            seen.append(found)
        elif (hint := self._logind_s(at_s)) is not None:
            seen.append(hint)
        # Without a screen and without terminals nobody sits here.
        return min(seen, default=math.inf)

    def _graphical_s(self) -> float | None:
        # Under Wayland the X server hears only of its own windows.
        wayland = bool(self._environment.get("WAYLAND_DISPLAY"))
        if not wayland:
            if self._screen is None:
                self._screen = X11Idle(self._environment.get("DISPLAY", ""))
            found = self._screen.idle_s()
            if found is not None:
                return found
        told = self._ask(_MUTTER)
        if told is not None and told.startswith("t "):
            return int(told.split()[1]) / _MS
        return self._logind_s(time.time())

    def _logind_s(self, at_s: float) -> float | None:
        told = self._ask(_LOGIND)
        if told is None:
            return None
        lines = told.split("\n")
        if len(lines) < 2 or not lines[1].startswith("t "):  # noqa: PLR2004  two properties
            return None
        # Desktops that never set the hint leave the time at 0.
        since_s = int(lines[1].split()[1]) / _US
        if lines[0].strip() == "b true":
            return max(0.0, at_s - since_s)
        return 0.0 if since_s else None

    def metered(self) -> bool | None:
        """Whether NetworkManager takes the network for metered."""
        told = (self._ask(_METERED) or "").strip()
        return True if told in _YES else False if told in _NO else None


class X11Idle:
    """X11's own account of how long nobody touched anything; the connection is kept."""

    def __init__(self, display: str) -> None:
        self._display = None
        try:
            x11 = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
            self._saver: Any = ctypes.CDLL(ctypes.util.find_library("Xss") or "libXss.so.1")
        except OSError:
            return
        x11.XOpenDisplay.restype = ctypes.c_void_p
        x11.XDefaultRootWindow.argtypes = [ctypes.c_void_p]
        x11.XDefaultRootWindow.restype = ctypes.c_ulong
        self._saver.XScreenSaverAllocInfo.restype = ctypes.POINTER(_SaverInfo)
        self._saver.XScreenSaverQueryInfo.argtypes = [
            ctypes.c_void_p,
            ctypes.c_ulong,
            ctypes.POINTER(_SaverInfo),
        ]
        self._display = x11.XOpenDisplay(display.encode() or None)
        if self._display:
            self._root = x11.XDefaultRootWindow(self._display)
            self._info = self._saver.XScreenSaverAllocInfo()

    def idle_s(self) -> float | None:
        """Seconds without input; None where X11 cannot be asked."""
        if not self._display:
            return None
        if not self._saver.XScreenSaverQueryInfo(self._display, self._root, self._info):
            return None
        return float(self._info.contents.idle) / _MS


class _SaverInfo(ctypes.Structure):
    _fields_ = (
        ("window", ctypes.c_ulong),
        ("state", ctypes.c_int),
        ("kind", ctypes.c_int),
        ("til_or_since", ctypes.c_ulong),
        ("idle", ctypes.c_ulong),
        ("event_mask", ctypes.c_ulong),
    )


def _tty_times_s() -> list[float]:
    """When each terminal in use was last typed into, as ``w`` shows it."""
    times = []
    for path in (*Path("/dev").glob("tty[0-9]*"), *Path("/dev/pts").glob("[0-9]*")):
        try:
            found = path.stat()
        except OSError:
            continue
        # The kernel notes input as access, every eight seconds. Nobody's terminals belong to root.
        if found.st_uid == os.getuid() and found.st_uid != 0:
            times.append(found.st_atime)
    return times
