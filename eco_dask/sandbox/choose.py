"""Chooses the strongest profile that works, by letting each attack itself.

SandboxRule, Machine ──obstacle?──try──► Sandbox, with why stronger ones do not work
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from eco_dask.errors import ConfigurationError
from eco_dask.sandbox.bare import Landlock, Unconfined
from eco_dask.sandbox.bwrap import Bwrap
from eco_dask.sandbox.cgroups import Bounds, find_bounds
from eco_dask.sandbox.container import Container
from eco_dask.sandbox.launch import Profile, SandboxRule
from eco_dask.sandbox.machine import look
from eco_dask.sandbox.seatbelt import Seatbelt
from eco_dask.sandbox.start import Sandbox
from eco_dask.sandbox.windows import Job
from eco_dask.text import clean

#: Strongest first.
PROFILES: tuple[Profile, ...] = (Bwrap(), Container(), Landlock(), Seatbelt(), Job())
#: What an owner may ask for.
NAMES = ("auto", *(profile.name for profile in PROFILES), "none")
_TRY_S = 30.0
_FLAG = "--i-trust-the-recruiters"


Attempt = Callable[[Sandbox, Path], str | None]


def choose(rule: SandboxRule, home: Path, attempt: Attempt | None = None) -> Sandbox:
    """Choose a profile.

    Parameters
    ----------
    rule : SandboxRule
        What the owner wants.
    home : Path
        The agent's folder, which a sandbox must hide.
    attempt : callable, optional
        Tries a sandbox and says what is wrong with it; :func:`try_out` by default.

    Raises
    ------
    ConfigurationError
        If nothing that the owner allows works, with the reason of each profile.
    """
    if rule.profile not in NAMES:
        raise ConfigurationError(
            f"a sandbox is one of {', '.join(NAMES)}; got {rule.profile!r} "
            "(eco-dask.worker.sandbox.profile or --sandbox)"
        )
    bounds = find_bounds(rule.limits)
    machine = look()
    plain = Sandbox(
        machine=machine,
        limits=rule.limits,
        bounds=bounds,
        folders=rule.folders,
        image=rule.image,
        gpu=rule.gpu and bool(machine.gpu.devices),
    )
    if rule.profile == "none":
        return _unconfined(plain, rule, [])
    reasons: list[str] = []
    # Better a sandbox without the GPU than a GPU without a sandbox.
    for sandbox in _candidates(plain, rule.profile):
        fault = sandbox.profile.obstacle(sandbox.machine, sandbox.plan("")) or (attempt or try_out)(
            sandbox, home
        )
        if fault is None:
            return replace(sandbox, notes=(*reasons, *_weaknesses(bounds)))
        name = f"{sandbox.profile.name}{' with the GPU' if sandbox.gpu else ''}"
        reasons.append(f"{name} does not work: {fault}")
    if rule.profile == "auto":
        return _unconfined(plain, rule, reasons)
    raise ConfigurationError("; ".join(reasons))


def _candidates(plain: Sandbox, name: str) -> list[Sandbox]:
    here = ("", plain.machine.system)
    profiles = [p for p in PROFILES if (name == "auto" and p.system in here) or name == p.name]
    return [
        replace(plain, profile=profile, gpu=gpu)
        for gpu in ((True, False) if plain.gpu else (False,))
        for profile in profiles
    ]


def _unconfined(plain: Sandbox, rule: SandboxRule, reasons: list[str]) -> Sandbox:
    if not rule.trust:
        why = "\n  ".join(["no sandbox works on this machine:", *reasons] if reasons else [])
        raise ConfigurationError(
            f"{why or 'no sandbox was asked for'}\nWithout one, the recruiters' code can read your "
            f"files and use your network. Start with {_FLAG} only if you trust every recruiter "
            "of this network"
        )
    return replace(plain, profile=Unconfined(), notes=tuple(reasons))


def _weaknesses(bounds: Bounds) -> list[str]:
    if bounds:
        return []
    text = "no control group can be made, so memory is limited by process and watched from outside"
    return [f"{text} ({bounds.reason})"]


def try_out(sandbox: Sandbox, home: Path) -> str | None:
    """Let a sandbox attack itself; say what is wrong with it, None if it holds."""
    canary = secrets.token_hex(16)
    try:
        with _bait(home, canary) as bait:
            plan = sandbox.plan("eco_dask.sandbox.selftest", (json.dumps(bait),))
            printed = sandbox.run(plan, dict(os.environ) | {"ECO_DASK_CANARY": canary}, _TRY_S)
        found = json.loads(printed)
    except subprocess.CalledProcessError as error:
        return clean(str(error.stderr).strip()[-300:], 300) or f"exit status {error.returncode}"
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return clean(str(error), 300)
    if found["reached"]:
        return f"inside, a task could still {', '.join(found['reached'])}"
    return _difference(found["versions"])


def _difference(inside: dict[str, str]) -> str | None:
    """Say where the packages inside are not those that this machine offers."""
    outside = {name: importlib.metadata.version(name) for name in inside if name != "python"}
    outside["python"] = platform.python_version()
    differing = [f"{n} {inside[n]} inside, {v} here" for n, v in outside.items() if inside[n] != v]
    return f"its packages are others: {', '.join(differing)}" if differing else None


@contextlib.contextmanager
def _bait(home: Path, canary: str) -> Iterator[dict[str, Any]]:
    """Lay out what a sandbox must not reach."""
    home.mkdir(parents=True, exist_ok=True)
    folders = [tempfile.mkdtemp(prefix=".bait-", dir=home)]
    with contextlib.suppress(OSError, RuntimeError):
        folders.append(tempfile.mkdtemp(prefix=".eco-dask-bait-", dir=Path.home()))
    secrets_laid = []
    for folder in folders:
        path = Path(folder, "secret")
        path.write_text(canary, encoding="ascii")
        secrets_laid.append(str(path))
    command = Path(f"/proc/{os.getpid()}/cmdline")
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            yield {
                "secrets": secrets_laid,
                "port": listener.getsockname()[1],
                "pid": os.getpid(),
                "cmdline": command.read_text() if command.exists() else "",
                "canary": canary,
            }
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
