"""Windows: the time of the last input, and the cost that the system knows of the network."""

from __future__ import annotations

import ctypes
from typing import Any

from eco_dask.host.asking import Ask, ask

_MS = 1000.0
_TICKS = 1 << 32
_COST = (
    "[void][Windows.Networking.Connectivity.NetworkInformation,Windows,ContentType=WindowsRuntime];"
    "[Windows.Networking.Connectivity.NetworkInformation]::GetInternetConnectionProfile()"
    ".GetConnectionCost().NetworkCostType"
)
_METERED, _FREE = ("Fixed", "Variable"), ("Unrestricted",)


class _LastInput(ctypes.Structure):
    _fields_ = (("size", ctypes.c_uint), ("tick_ms", ctypes.c_uint))


class WindowsDesk:
    """One Windows machine.

    Parameters
    ----------
    ask : callable
        Runs a command of the system's.
    windll : object, optional
        Windows' libraries.
    """

    def __init__(self, ask: Ask = ask, windll: Any = None) -> None:
        self._ask = ask
        self._windll = windll or getattr(ctypes, "windll", None)

    def idle_s(self) -> float | None:
        """Seconds since keyboard or mouse were used."""
        if self._windll is None:
            return None
        last = _LastInput(ctypes.sizeof(_LastInput), 0)
        if not self._windll.user32.GetLastInputInfo(ctypes.byref(last)):
            return None
        # Both count milliseconds since the start, and begin again after 49 days.
        now_ms = int(self._windll.kernel32.GetTickCount())
        return float((now_ms - last.tick_ms) % _TICKS) / _MS

    def metered(self) -> bool | None:
        """Whether Windows takes the network for metered."""
        told = (self._ask(("powershell", "-NoProfile", "-Command", _COST)) or "").strip()
        return True if told in _METERED else False if told in _FREE else None
