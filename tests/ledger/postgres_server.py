"""A PostgreSQL server of one's own, from the binaries that Debian and its kin install.

with PostgresServer(newest_binaries()) as server: server.url; server.crash()
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

BINARIES = Path("/usr/lib/postgresql")


def newest_binaries() -> Path | None:
    """The folder of the newest server that is installed, None without one."""
    folders = sorted(BINARIES.glob("[0-9]*/bin"), key=lambda folder: float(folder.parent.name))
    return folders[-1] if folders else None


class PostgresServer:
    """Listens on a socket in its own folder only, which is removed afterwards."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        # The server refuses to run as root, and a socket's path must be short.
        self._user = "postgres" if os.geteuid() == 0 else None

    def __enter__(self) -> PostgresServer:
        self.folder = Path(tempfile.mkdtemp(prefix="eco-pg-"))
        if self._user:
            shutil.chown(self.folder, self._user)
        try:
            words = ("-U", "eco", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
            self._run("initdb", *words)
            self.start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.crash()
        finally:
            shutil.rmtree(self.folder)

    @property
    def url(self) -> str:
        return f"postgresql://eco@/postgres?host={self.folder}"

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off"
        self._run("pg_ctl", "start", "-w", "-l", str(self.folder / "server.log"), "-o", options)

    def crash(self) -> None:
        """End all its processes at once: its next start recovers what was committed."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate")

    def _run(self, program: str, *arguments: str) -> None:
        command = [self._binaries / program, "-D", self.folder / "data", *arguments]
        log = self.folder / "commands.log"
        with log.open("ab") as output:
            done = subprocess.run(
                command, user=self._user, cwd=self.folder, stdout=output, stderr=output, check=False
            )
        assert done.returncode == 0, f"{command} failed:\n{log.read_text()}"
