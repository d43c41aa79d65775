"""Windows's own job objects and tokens, by ctypes: the adapter behind :mod:`.windows`."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from eco_dask.sandbox.windows import JobSettings, main

_Dword, _Handle, _Size = ctypes.c_uint32, ctypes.c_void_p, ctypes.c_size_t
# JOB_OBJECT_LIMIT_*: end with the job's last handle, count processes, count memory.
_KILL_ON_CLOSE, _ACTIVE_PROCESSES, _JOB_MEMORY = 0x2000, 0x8, 0x200
_EXTENDED, _CPU_RATE = 9, 15
_RATE_ENABLE, _RATE_HARD_CAP = 1, 4
_DISABLE_MAX_PRIVILEGE, _INTEGRITY_LEVEL, _INTEGRITY = 1, 25, 0x20
_TOKEN_ACCESS = 0x1 | 0x2 | 0x8 | 0x80
_SUSPENDED, _UNICODE, _USE_HANDLES, _INFINITE = 0x4, 0x400, 0x100, 0xFFFFFFFF
_STREAMS = (-10, -11, -12)


class _Basic(ctypes.Structure):
    _fields_ = (
        ("process_time", ctypes.c_int64),
        ("job_time", ctypes.c_int64),
        ("flags", _Dword),
        ("working_set_min", _Size),
        ("working_set_max", _Size),
        ("active_processes", _Dword),
        ("affinity", _Size),
        ("priority", _Dword),
        ("scheduling", _Dword),
    )


class _Extended(ctypes.Structure):
    _fields_ = (
        ("basic", _Basic),
        ("counters", ctypes.c_uint64 * 6),
        ("process_memory", _Size),
        ("job_memory", _Size),
        ("process_peak", _Size),
        ("job_peak", _Size),
    )


class _Rate(ctypes.Structure):
    _fields_ = (("flags", _Dword), ("rate", _Dword))


class _SidAndAttributes(ctypes.Structure):
    _fields_ = (("sid", _Handle), ("attributes", _Dword))


class _StartupInfo(ctypes.Structure):
    _fields_ = (
        ("size", _Dword),
        ("texts", _Handle * 3),
        ("geometry", _Dword * 7),
        ("flags", _Dword),
        ("show", ctypes.c_uint16),
        ("reserved_size", ctypes.c_uint16),
        ("reserved", _Handle),
        ("streams", _Handle * 3),
    )


class _ProcessInformation(ctypes.Structure):
    _fields_ = (("process", _Handle), ("thread", _Handle), ("pid", _Dword), ("tid", _Dword))


class Windows:
    """The real calls; :class:`~eco_dask.sandbox.windows.JobApi` says what they do."""

    def __init__(self) -> None:
        load: Any = ctypes.WinDLL  # type: ignore[attr-defined,unused-ignore]
        self._kernel: Any = load("kernel32", use_last_error=True)
        self._security: Any = load("advapi32", use_last_error=True)
        for function in (self._kernel.GetCurrentProcess, self._kernel.CreateJobObjectW):
            function.restype = _Handle
        self._kernel.GetStdHandle.restype = _Handle

    def create_job(self, settings: JobSettings) -> int:
        """Return a job whose processes end when its last handle is closed."""
        job = self._kernel.CreateJobObjectW(None, None)
        _check(job, "CreateJobObject")
        limits = _Extended()
        limits.basic.flags = _KILL_ON_CLOSE
        if settings.processes:
            limits.basic.flags |= _ACTIVE_PROCESSES
            limits.basic.active_processes = settings.processes
        if settings.memory_bytes:
            limits.basic.flags |= _JOB_MEMORY
            limits.job_memory = settings.memory_bytes
        self._set(job, _EXTENDED, limits)
        if settings.cpu_rate:
            self._set(job, _CPU_RATE, _Rate(_RATE_ENABLE | _RATE_HARD_CAP, settings.cpu_rate))
        return int(job)

    def create_token(self) -> int:
        """Return this process's token without privileges, at low integrity."""
        own, token, sid = _Handle(), _Handle(), _Handle()
        here = _Handle(self._kernel.GetCurrentProcess())
        _check(
            self._security.OpenProcessToken(here, _TOKEN_ACCESS, ctypes.byref(own)),
            "OpenProcessToken",
        )
        none = (0, None, 0, None, 0, None)
        made = self._security.CreateRestrictedToken(
            own, _DISABLE_MAX_PRIVILEGE, *none, ctypes.byref(token)
        )
        _check(made, "CreateRestrictedToken")
        # S-1-16-4096: low integrity, which may write nearly nowhere.
        text = ctypes.c_wchar_p("S-1-16-4096")
        _check(self._security.ConvertStringSidToSidW(text, ctypes.byref(sid)), "ConvertStringSid")
        label = _SidAndAttributes(sid, _INTEGRITY)
        size = ctypes.sizeof(label)
        done = self._security.SetTokenInformation(
            token, _INTEGRITY_LEVEL, ctypes.byref(label), size
        )
        _check(done, "SetTokenInformation")
        return int(token.value or 0)

    def start(self, token: int, command: Sequence[str]) -> tuple[int, int]:
        """Start a suspended process with this one's standard streams; return it and its thread."""
        line = ctypes.create_unicode_buffer(subprocess.list2cmdline(command))
        startup, made = _StartupInfo(), _ProcessInformation()
        startup.size, startup.flags = ctypes.sizeof(startup), _USE_HANDLES
        for i, stream in enumerate(_STREAMS):
            startup.streams[i] = self._kernel.GetStdHandle(stream)
        started = self._security.CreateProcessAsUserW(
            *(_Handle(token), None, line, None, None, True, _SUSPENDED | _UNICODE, None, None),
            *(ctypes.byref(startup), ctypes.byref(made)),
        )
        _check(started, "CreateProcessAsUser")
        return int(made.process), int(made.thread)

    def assign(self, job: int, process: int) -> None:
        """Put a process into a job."""
        done = self._kernel.AssignProcessToJobObject(_Handle(job), _Handle(process))
        _check(done, "AssignProcessToJobObject")

    def resume(self, thread: int) -> None:
        """Let a suspended thread run."""
        self._kernel.ResumeThread(_Handle(thread))

    def wait(self, process: int) -> int:
        """Wait for the end of a process and return its exit status."""
        status = _Dword()
        self._kernel.WaitForSingleObject(_Handle(process), _INFINITE)
        done = self._kernel.GetExitCodeProcess(_Handle(process), ctypes.byref(status))
        _check(done, "GetExitCodeProcess")
        return int(status.value)

    def terminate(self, process: int) -> None:
        """End a process at once."""
        self._kernel.TerminateProcess(_Handle(process), 1)

    def _set(self, job: Any, kind: int, value: ctypes.Structure) -> None:
        size = ctypes.sizeof(value)
        done = self._kernel.SetInformationJobObject(_Handle(job), kind, ctypes.byref(value), size)
        _check(done, "SetInformationJobObject")


def _check(result: object, call: str) -> None:
    if not result:
        code = ctypes.get_last_error()  # type: ignore[attr-defined,unused-ignore]
        raise OSError(code, f"{call} was refused")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Windows()))
