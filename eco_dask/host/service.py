"""How each system keeps a program running for its user, and removes it again.

command ──► Service(files, install, remove, status)     systemd | launchd | Task Scheduler
"""

from __future__ import annotations

import plistlib
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NAME = "eco-dask-worker"
_LABEL = "org.eco-dask.worker"
#: Of a provider that the gateway refuses for good: starting again would not help.
REFUSED_STATUS = 77


@dataclass(frozen=True, slots=True)
class Service:
    """What to write and run to install, remove and ask for a service."""

    file: Path | None
    content: bytes
    install: tuple[tuple[str, ...], ...]
    remove: tuple[tuple[str, ...], ...]
    status: tuple[str, ...]
    #: What the owner should know.
    note: str = ""


def systemd_service(command: Sequence[str], home: Path) -> Service:
    """A user unit of systemd."""
    words = " ".join(shlex.quote(word).replace("%", "%%") for word in command)
    content = f"""[Unit]
Description=eco_dask: lends this machine to a network
Documentation=man:systemd.unit(5)
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={words}
# A gateway's refusal stays one; everything else passes.
RestartPreventExitStatus={REFUSED_STATUS}
Restart=on-failure
RestartSec=10
Nice=10
# Control groups of its own, one for each runner.
Delegate=yes

[Install]
WantedBy=default.target
"""
    ctl = ("systemctl", "--user")
    return Service(
        home / ".config/systemd/user" / f"{NAME}.service",
        content.encode(),
        ((*ctl, "daemon-reload"), (*ctl, "enable", "--now", NAME)),
        ((*ctl, "disable", "--now", NAME), (*ctl, "daemon-reload")),
        (*ctl, "--no-pager", "status", NAME),
        "It runs while you are logged in. To run it always: loginctl enable-linger",
    )


def launchd_service(command: Sequence[str], home: Path, uid: int) -> Service:
    """An agent of launchd."""
    path = home / "Library/LaunchAgents" / f"{_LABEL}.plist"
    log = str(home / "Library/Logs" / f"{NAME}.log")
    content = plistlib.dumps(
        {
            "Label": _LABEL,
            "ProgramArguments": list(command),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ProcessType": "Background",
            "LowPriorityIO": True,
            "ThrottleInterval": 10,
            "StandardOutPath": log,
            "StandardErrorPath": log,
        }
    )
    domain = f"gui/{uid}"
    return Service(
        path,
        content,
        (("launchctl", "bootstrap", domain, str(path)),),
        (("launchctl", "bootout", f"{domain}/{_LABEL}"),),
        ("launchctl", "print", f"{domain}/{_LABEL}"),
        f"It runs while you are logged in, and logs to {log}.",
    )


def task_service(command: Sequence[str]) -> Service:
    """A task of Windows' Task Scheduler."""
    line = subprocess.list2cmdline(command)
    create = ("schtasks", "/Create", "/F", "/SC", "ONLOGON", "/RL", "LIMITED", "/TN", NAME)
    return Service(
        None,
        b"",
        ((*create, "/TR", line), ("schtasks", "/Run", "/TN", NAME)),
        (("schtasks", "/End", "/TN", NAME), ("schtasks", "/Delete", "/F", "/TN", NAME)),
        ("schtasks", "/Query", "/V", "/FO", "LIST", "/TN", NAME),
        "It starts when you log in.",
    )


def service_here(command: Sequence[str], home: Path, uid: int = 0) -> Service:
    """Return the service of this machine's system."""
    if sys.platform == "win32":
        return task_service(command)
    if sys.platform == "darwin":
        return launchd_service(command, home, uid)
    return systemd_service(command, home)
