"""Looks at the machine, as often as each fact is worth: what costs is asked only if it matters.

Desk, psutil, NVML, PresenceRule ──Senses.look──► Sight
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import psutil

from eco_dask.energy.host_times import CpuTimesNs, HostTimes
from eco_dask.host.asking import Desk
from eco_dask.host.desk import desk
from eco_dask.host.presence import PresenceRule, Sight

#: How long an answer holds that costs a process to get, seconds.
_METERED_S, _BATTERY_S, _HEAT_S = 60.0, 5.0, 5.0
#: Shortest span of which a load is told.
_LOAD_S = 1.0
#: Of the GPU's time, what counts as use, and the span that is looked at.
_GPU_PERCENT, _GPU_S = 10, 5.0


class Senses:
    """What this machine looks like, now.

    Parameters
    ----------
    pids : callable
        Processes that work for the network, whose load is our own.
    transferred_bytes : callable
        Bytes up and down today.
    at_desk : Desk, optional
        Who sits there.
    offers_gpu : bool
        Whether tasks may use the GPU: who lends none does not mind who uses it.
    """

    def __init__(
        self,
        pids: Callable[[], Iterable[int]],
        transferred_bytes: Callable[[], int],
        at_desk: Desk | None = None,
        *,
        offers_gpu: bool = True,
    ) -> None:
        self._pids = pids
        self._transferred_bytes = transferred_bytes
        self._desk = at_desk or desk()
        self._offers_gpu = offers_gpu
        self._times = HostTimes(pids)
        self._last: tuple[float, CpuTimesNs] | None = None
        self._load: float | None = None
        self._kept: dict[str, tuple[float, Any]] = {}

    def look(self, rule: PresenceRule) -> Sight:
        """Look at what the rule depends on; may take some milliseconds."""
        return Sight(
            at_s=time.time(),
            idle_s=self._desk.idle_s() if rule.idle_s_min is not None else None,
            on_battery=None if rule.on_battery else self._keep("battery", _BATTERY_S, on_battery),
            other_load=self._other_load() if rule.load_max is not None else None,
            temperature_c=self._keep("heat", _HEAT_S, temperature_c)
            if rule.temperature_max_c is not None
            else None,
            metered=None
            if rule.on_metered
            else self._keep("metered", _METERED_S, self._desk.metered),
            programs=running_programs() if rule.programs else frozenset(),
            gpu_used=gpu_used(frozenset(self._pids()))
            if self._offers_gpu and not rule.gpu_shared
            else None,
            transferred_bytes=self._transferred_bytes(),
            utc_offset_s=float(time.localtime().tm_gmtoff),
        )

    def _keep(self, name: str, holds_s: float, find: Callable[[], Any]) -> Any:
        at_s = time.monotonic()
        known = self._kept.get(name)
        if known is None or at_s - known[0] >= holds_s:
            known = self._kept[name] = (at_s, find())
        return known[1]

    def _other_load(self) -> float | None:
        at_s, times = time.monotonic(), self._times.read()
        if self._last is None:
            self._last = (at_s, times)
        elif at_s - self._last[0] >= _LOAD_S:
            before, self._last = self._last[1], (at_s, times)
            total_ns = times.total_ns - before.total_ns
            other_ns = times.busy_ns - before.busy_ns - (times.worker_ns - before.worker_ns)
            self._load = max(0.0, other_ns / total_ns) if total_ns > 0 else None
        return self._load


def on_battery() -> bool | None:
    """Whether the machine runs on battery; False without one, None if unknown."""
    sensors = getattr(psutil, "sensors_battery", None)
    found = sensors() if sensors is not None else None
    if found is None:
        return False
    return None if found.power_plugged is None else not found.power_plugged


def temperature_c() -> float | None:
    """The hottest sensor of the processor, None if none is told."""
    sensors = getattr(psutil, "sensors_temperatures", None)
    if sensors is None:
        return None
    found = sensors()
    chosen = [name for name in ("coretemp", "k10temp", "zenpower", "cpu_thermal") if name in found]
    degrees = [it.current for name in chosen or found for it in found[name]]
    return max(degrees, default=None)


def running_programs() -> frozenset[str]:
    """Names of the programs that run."""
    return frozenset(it.info["name"] or "" for it in psutil.process_iter(["name"]))


def gpu_used(ours: frozenset[int]) -> bool | None:
    """Whether a process other than ours works on a GPU now; None without NVIDIA's driver."""
    import pynvml

    try:
        # Counted by the library: after the first time it costs nothing.
        pynvml.nvmlInit()
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            since_us = int((time.time() - _GPU_S) * 1e6)
            for sample in _gpu_samples(handle, since_us):
                if sample.smUtil >= _GPU_PERCENT and not _is_ours(sample.pid, ours):
                    return True
    except pynvml.NVMLError:
        return None
    return False


def _gpu_samples(handle: object, since_us: int) -> list[Any]:
    import pynvml

    try:
        return list(pynvml.nvmlDeviceGetProcessUtilization(handle, since_us))
    except pynvml.NVMLError:
        # None in that span, or a driver that does not tell.
        return []


def _is_ours(pid: int, ours: frozenset[int]) -> bool:
    try:
        above = {pid, *(parent.pid for parent in psutil.Process(pid).parents())}
    except psutil.Error:
        # It ended, or is inside our sandbox and named by another number.
        return True
    return bool(above & ours)
