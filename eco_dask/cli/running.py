"""What every long-running command needs: an event loop, signals that end it, a parent to die with.

run_service(serve) ──SIGINT, SIGTERM, parent gone──► stop.set() ──► serve cleans up and returns
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from distributed.security import Security

#: Hidden: whoever starts a command as a child keeps its standard input open; at its end the child
#: stops by itself, also when the parent was killed. Works alike on Linux, macOS and Windows.
die_with_parent = click.option(
    "--die-with-parent", is_flag=True, hidden=True, help="Stop when standard input ends."
)

log_level = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="Least severe messages to log.",
)


def security_of(**files: str | None) -> Security:
    """Build Dask's security from the files that were given; a None would turn TLS on.

    Where there is TLS, it is 1.3.
    """
    # A provider needs none of it, and distributed takes a second to import.
    from distributed.security import Security

    given: dict[str, Any] = {name: file for name, file in files.items() if file is not None}
    if given:
        given["tls_min_version"] = ssl.TLSVersion.TLSv1_3
    return Security(**given)


def set_up_logging(level: str) -> None:
    """Log to standard error, as Dask's own commands do."""
    logging.basicConfig(
        level=level.upper(),
        format="%(asctime)s - %(name)s - %(levelname)s - %(message)s",
        force=True,
    )
    for chatty in ("distributed", "tornado", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))


def run_service(serve: Callable[[asyncio.Event], Awaitable[int]], *, with_parent: bool) -> None:
    """Run until ``serve`` returns; its event is set when it should. Exits with its status."""

    async def main() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            # Windows' event loop has no signal handlers; Ctrl-C raises KeyboardInterrupt there.
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, stop.set)
        if with_parent:
            _watch_parent(lambda: loop.call_soon_threadsafe(stop.set))
        return await serve(stop)

    try:
        status = asyncio.run(main())
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _watch_parent(on_end: Callable[[], object]) -> None:
    def watch() -> None:
        while os.read(0, 4096):
            pass
        with contextlib.suppress(RuntimeError):
            # The loop may have ended by itself meanwhile.
            on_end()

    threading.Thread(target=watch, name="eco-parent", daemon=True).start()
