"""``eco-dask-worker doctor``: what stands in the way of a provider, and what to do about it.

network, clock, versions, sandbox, GPU, owner's conditions ──► Finding(ok, words, remedy)
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import os
import platform
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import click
from tornado.httpclient import AsyncHTTPClient

from eco_dask.config import data_directory, sandbox_rule
from eco_dask.errors import EcoDaskError
from eco_dask.host.presence import judge
from eco_dask.host.senses import Senses
from eco_dask.owner_config import presence_rule
from eco_dask.providers.detect import detect, software
from eco_dask.providers.link import JoinLink, find_link
from eco_dask.providers.pins import client_context
from eco_dask.sandbox.choose import choose
from eco_dask.sandbox.limits import describe

_SKEW_S_MAX = 30.0
_ANSWER_S = 10.0
LINK_FILE = "link"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    name: str
    #: None for something to know, but no fault.
    ok: bool | None
    words: str
    remedy: str = ""

    @property
    def line(self) -> str:
        """What the owner reads."""
        mark = {True: "ok   ", False: "FAULT", None: "note "}[self.ok]
        remedy = f"\n        What to do: {self.remedy}" if self.remedy else ""
        return f"{mark} {self.name}: {self.words}{remedy}"


@click.command()
@click.argument("link", required=False)
@click.option("--link-file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--local-directory",
    "--data-directory",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder of this machine's key.  [default: the platform's]",
)
def doctor(link: str | None, link_file: Path | None, folder: Path | None) -> None:
    """Check network, clock, versions, sandbox, GPU, and say what to do.

    With the LINK, or after --service install, the way to the gateway is tried as well.
    """
    home = folder if folder is not None else data_directory(None) / "provider"

    async def examine() -> bool:
        well = True
        async for finding in findings(_link(link, link_file, home), home):
            click.echo(finding.line)
            well = well and finding.ok is not False
        return well

    if not asyncio.run(examine()):
        raise SystemExit(1)
    click.echo("Nothing stands in the way.")


def _link(link: str | None, link_file: Path | None, home: Path) -> JoinLink | None:
    kept = home / LINK_FILE
    if link is None and link_file is None and kept.exists():
        link_file = kept
    try:
        return find_link(link, link_file, os.environ)
    except EcoDaskError as error:
        if link is not None or link_file is not None:
            raise click.ClickException(str(error)) from error
        return None


async def findings(link: JoinLink | None, home: Path) -> AsyncIterator[Finding]:
    """Check one thing after the other."""
    if link is None:
        yield Finding("network", None, "not tried, as no LINK was given")
    else:
        for finding in await ask_gateway(link):
            yield finding
    versions = ", ".join(f"{name} {version}" for name, version in sorted(software().items()))
    yield Finding("versions", True, f"{versions} on {platform.system()} {platform.release()}")
    for check in (sandbox_finding, gpu_finding, owner_finding):
        yield await asyncio.to_thread(check, home)


async def ask_gateway(link: JoinLink, now_s: Callable[[], float] = time.time) -> list[Finding]:
    """Ask the gateway of a link for anything, which shows the way, certificate and clock."""
    address = link.address.replace("ws", "http", 1)
    context = client_context(link.fingerprint) if link.fingerprint else None
    try:
        answer = await AsyncHTTPClient(force_instance=True).fetch(
            address,
            raise_error=False,
            ssl_options=context,
            connect_timeout=_ANSWER_S,
            request_timeout=_ANSWER_S,
        )
    except Exception as error:  # noqa: BLE001  whatever a network does is the finding
        return [
            Finding(
                "network",
                False,
                f"nobody answers at {link.address}: {error}",
                "check the network, whether a firewall lets this machine dial out, and whether the "
                "gateway runs; a changed certificate needs a fresh link",
            )
        ]
    found = [Finding("network", True, f"the gateway at {link.address} answers")]
    with contextlib.suppress(KeyError, ValueError, TypeError):
        skew_s = now_s() - email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
        right = abs(skew_s) <= _SKEW_S_MAX
        words = f"within {abs(skew_s):.0f} s of the gateway's"
        remedy = "" if right else "set it, or switch on time synchronisation"
        found.append(Finding("clock", right, words, remedy))
    return found


def sandbox_finding(home: Path) -> Finding:
    """Try the sandboxes."""
    try:
        sandbox = choose(sandbox_rule(), home)
    except EcoDaskError as error:
        return Finding("sandbox", False, str(error), "see docs/sandbox.md")
    limits = ", ".join(f"{name} {value}" for name, value in describe(sandbox.limits).items())
    notes = "".join(f"\n        {note}" for note in sandbox.notes)
    return Finding("sandbox", True, f"{sandbox.profile.name}; {limits}{notes}")


def gpu_finding(home: Path) -> Finding:  # noqa: ARG001  as the others
    """Say what tasks could use."""
    capability = detect(1, None)
    if not capability.gpus:
        return Finding("GPU", None, "none that can be offered (NVIDIA's, with its driver)")
    if not capability.gpu_library:
        return Finding(
            "GPU",
            False,
            f"{', '.join(map(str, capability.gpus))}, but CuPy is missing",
            "pip install 'eco-dask[gpu]'",
        )
    return Finding("GPU", True, ", ".join(map(str, capability.gpus)))


def owner_finding(home: Path) -> Finding:  # noqa: ARG001  as the others
    """Say what would pause it now."""
    try:
        rule = presence_rule()
    except EcoDaskError as error:
        return Finding("your conditions", False, str(error), "correct the setting")
    reasons = judge(rule, Senses(lambda: (), lambda: 0).look(rule))
    if reasons:
        words = "; ".join(reason.words for reason in reasons)
        return Finding("your conditions", None, f"it would pause now: {words}")
    return Finding("your conditions", True, "nothing would pause it now")
