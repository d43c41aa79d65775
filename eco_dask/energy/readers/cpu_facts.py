"""What CPU this machine has, as far as the system says without privileges.

/proc/cpuinfo, /sys/class/dmi/id | the Windows registry | sysctl ─► CpuFacts
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from eco_dask.energy.readers.load_law import MachineClass
from eco_dask.energy.readers.sysfs import text_of

PROC = Path("/proc")
SYS = Path("/sys")

#: SMBIOS chassis types: portable, laptop, notebook, sub-notebook, tablet, convertible, detachable.
_LAPTOPS = {"8", "9", "10", "14", "30", "31", "32"}
#: Desktop, low profile, pizza box, mini tower, tower, all-in-one, mini PC, stick PC.
_DESKTOPS = {"3", "4", "5", "6", "7", "13", "35", "36"}


@dataclass(frozen=True, slots=True)
class CpuFacts:
    """The CPU that the load model is about."""

    #: As the system says it; empty if it does not.
    name: str
    #: Logical CPUs of the machine.
    threads: int
    sockets: int = 1
    #: A virtual machine has a share of a CPU that it knows the name of.
    is_virtual: bool = False
    machine: MachineClass = MachineClass.UNKNOWN


def cpu_facts(proc: Path = PROC, sys_root: Path = SYS) -> CpuFacts:
    """Look at this machine.

    Parameters
    ----------
    proc, sys_root : Path
        Where Linux shows its tables; other systems are asked by their own means.
    """
    threads = os.cpu_count() or 1
    if sys.platform == "linux":
        return linux_cpu_facts(proc, sys_root, threads)
    else:  # noqa: RET505  mypy knows platforms by their branches
        return CpuFacts(_told_name(), threads)


def linux_cpu_facts(proc: Path, sys_root: Path, threads: int) -> CpuFacts:
    """The same from a Linux machine's tables; ``threads`` where they do not list its CPUs."""
    text = text_of(proc / "cpuinfo") or ""
    names = re.findall(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    listed = len(re.findall(r"^processor\s*:", text, re.MULTILINE))
    sockets = set(re.findall(r"^physical id\s*:\s*(\d+)$", text, re.MULTILINE))
    flags = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return CpuFacts(
        name=names[0].strip() if names else "",
        threads=listed or threads,
        sockets=max(1, len(sockets)),
        is_virtual=flags is not None and "hypervisor" in flags[1].split(),
        machine=_machine(sys_root),
    )


def _machine(sys_root: Path) -> MachineClass:
    chassis = text_of(sys_root / "class/dmi/id/chassis_type")
    if chassis in _LAPTOPS:
        return MachineClass.LAPTOP
    return MachineClass.DESKTOP if chassis in _DESKTOPS else MachineClass.UNKNOWN


if sys.platform == "win32":
    import winreg

    def _told_name() -> str:
        path = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
            return str(winreg.QueryValueEx(key, "ProcessorNameString")[0])
elif sys.platform == "darwin":

    def _told_name() -> str:
        library = ctypes.CDLL(ctypes.util.find_library("c"))
        size = ctypes.c_size_t(256)
        text = ctypes.create_string_buffer(size.value)
        failed = library.sysctlbyname(
            b"machdep.cpu.brand_string", text, ctypes.byref(size), None, ctypes.c_size_t(0)
        )
        return "" if failed else text.value.decode(errors="replace")

else:

    def _told_name() -> str:
        return ""
