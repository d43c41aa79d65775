"""``eco-dask-worker --service install``: the provider starts with its owner, and stays.

Service ──install──► its file, the system's commands      ──remove──► nothing is left
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from eco_dask.cli.secrecy import SCHEMES
from eco_dask.host.service import Service, service_here
from eco_dask.providers.link import LINK_VARIABLE, find_link
from eco_dask.providers.private_files import make_private_folder, write_private

LINK_FILE = "link"
_WAIT_S = 30.0
_ITS_OWN = frozenset({"--service", "--link-file", "--local-directory", "--data-directory"})
#: Runs a command; returns its status and what it said.
Run = Callable[[Sequence[str]], tuple[int, str]]


def run(command: Sequence[str]) -> tuple[int, str]:
    """Run a command of the system's."""
    try:
        done = subprocess.run(  # noqa: S603  the commands stand in host/service.py
            command, capture_output=True, check=False, text=True, timeout=_WAIT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, str(error)
    return done.returncode, done.stdout + done.stderr


def keep_link(link: str | None, link_file: Path | None, home: Path) -> Path:
    """Write the link where the service finds it, and only its owner.

    Raises
    ------
    EcoDaskError
        If there is no link.
    """
    found = find_link(link, link_file, os.environ)
    make_private_folder(home)
    path = home / LINK_FILE
    path.unlink(missing_ok=True)
    write_private(path, f"{found}\n".encode())
    return path


def worker_command(home: Path, link_file: Path, options: Sequence[str]) -> tuple[str, ...]:
    """Return what the service runs."""
    head = (sys.executable, "-m", "eco_dask.cli.worker", "--link-file", str(link_file))
    return (*head, "--local-directory", str(home), *options)


def options_for_service(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the options of a command line that the service is to have, too.

    The link and the folder are told to it in its own way.
    """
    kept: list[str] = []
    words = iter(arguments)
    for word in words:
        name, equals, _ = word.partition("=")
        if name in _ITS_OWN:
            if not equals:
                next(words, None)
        elif not word.startswith(SCHEMES):
            kept.append(word)
    return tuple(kept)


def act(action: str, service: Service, run: Run = run) -> None:
    """Install, remove or ask for a service.

    Raises
    ------
    click.ClickException
        If the system refuses, with what it said.
    """
    if action == "status":
        status, said = run(service.status)
        click.echo(said.strip() or "not installed")
        if status:
            raise SystemExit(status)
        return
    if action == "install":
        if service.file is not None:
            service.file.parent.mkdir(parents=True, exist_ok=True)
            service.file.write_bytes(service.content)
        for command in service.install:
            _must(command, run)
        click.echo(f"Installed, and started. {service.note}")
        return
    for command in service.remove:
        run(command)
    if service.file is not None:
        service.file.unlink(missing_ok=True)
    click.echo("Removed.")


def serve_service(
    action: str, link: str | None, link_file: Path | None, home: Path, options: Sequence[str]
) -> None:
    """Carry out ``--service``."""
    path = home / LINK_FILE
    if action == "install" and (link or link_file or LINK_VARIABLE in os.environ):
        path = keep_link(link, link_file, home)
    elif action == "install" and not path.exists():
        raise click.UsageError("--service install needs the LINK to join with")
    uid = os.getuid() if os.name == "posix" else 0
    act(action, service_here(worker_command(home, path, options), Path.home(), uid))


def _must(command: Sequence[str], run: Run) -> None:
    status, said = run(command)
    if status:
        raise click.ClickException(
            f"{' '.join(command)} failed: {said.strip() or f'status {status}'}. Without a session "
            "of the system's service manager, run eco-dask-worker by whatever starts programs here."
        )
