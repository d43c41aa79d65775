"""Child processes that die with their parent and, where asked, are started again.

Child.start ──stdin kept open──► process ──parent gone, or stop()──► it ends by itself
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

logger = logging.getLogger(__name__)

#: Seconds that a child has to clean up before it is killed. One that is still starting ends only
#: once it is up, which takes a busy machine more than ten.
STOP_S = 20.0
_RESTART_S_FIRST, _RESTART_S_MAX = 0.5, 30.0


class Child:
    """One child process running a module of this package."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        environment: dict[str, str] | None = None,
        log_path: Path | None = None,
    ) -> None:
        self.module = module
        self.arguments = list(arguments)
        self._environment = environment or {}
        self._log_path = log_path
        self.process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Process id, None before the first start."""
        return self.process.pid if self.process is not None else None

    @property
    def returncode(self) -> int | None:
        """Exit status, None while it runs."""
        return self.process.returncode if self.process is not None else None

    async def start(self) -> None:
        """Start the process."""
        with contextlib.ExitStack() as files:
            output = None
            if self._log_path is not None:
                self._log_path.parent.mkdir(parents=True, exist_ok=True)
                output = files.enter_context(self._log_path.open("ab"))
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self.module,
                *self.arguments,
                "--die-with-parent",
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT if output is not None else None,
                env=os.environ | self._environment,
                # Ctrl-C in the terminal is the parent's, which stops its children in order.
                start_new_session=os.name == "posix",
            )

    async def stop(self) -> None:
        """Let it clean up and end; kill it if it does not."""
        process = self.process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            logger.warning("%s (pid %d) did not stop and is killed", self.module, process.pid)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def kill(self) -> None:
        """Kill it at once, as a crash would."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()

    async def wait(self) -> int:
        """Wait for its end."""
        if self.process is None:
            raise RuntimeError(f"{self.module} was not started")
        return await self.process.wait()

    async def keep_alive(self) -> None:
        """Start it again whenever it ends, ever more slowly; until cancelled."""
        loop = asyncio.get_running_loop()
        pause_s = _RESTART_S_FIRST
        while True:
            started_s = loop.time()
            status = await self.wait()
            pause_s = (
                _RESTART_S_FIRST
                if loop.time() - started_s > _RESTART_S_MAX
                else min(pause_s * 2, _RESTART_S_MAX)
            )
            logger.error(
                "%s ended with status %d; starting it again in %.1f s", self.module, status, pause_s
            )
            await asyncio.sleep(pause_s)
            await self.start()
