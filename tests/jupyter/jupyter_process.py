"""A Jupyter server of this checkout's panel, as a process of its own with folders of its own.

with JupyterServer(home, settings) as server: server.ask("eco-dask/coordinators")
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOKEN = "jupyter-login-token"
EXTENSION = ROOT / "jupyter_ext" / "labextension"


class JupyterServer:
    def __init__(
        self, home: Path, settings: dict[str, Any], *, app: str = "jupyter_server"
    ) -> None:
        self.home, self._app, self._settings = home, app, settings
        self._extensions = {"eco_dask.jupyter": True}
        if app == "jupyterlab":
            self._extensions["dask_labextension"] = True
        self.notebooks = home / "notebooks"
        self.data_directory = home / "eco"
        self.log = home / "jupyter.log"

    def __enter__(self) -> JupyterServer:
        self.notebooks.mkdir()
        self._write_page_config()
        command = [
            sys.executable, "-m", self._app, "--no-browser", "--allow-root", "--ip=127.0.0.1",
            "--port=0", f"--ServerApp.root_dir={self.notebooks}",
            f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.jpserver_extensions={self._extensions}",
        ]  # fmt: skip
        if self._app == "jupyterlab":
            command += [
                "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly",
                f"--LabApp.extra_labextensions_path={self.home / 'extensions'}",
            ]  # fmt: skip
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=self._environment(), stdout=log, stderr=subprocess.STDOUT
            )
        try:
            self.url = self._wait()
        except BaseException:
            self.process.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: Any = None,
        *,
        token: str | None = TOKEN,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any, str]:
        """Return status, JSON, and all that the answer said, headers included."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"} | (headers or {}),
        )
        if token is not None:
            request.add_header("Authorization", f"token {token}")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                status, text, head = response.status, response.read(), str(response.headers)
        except urllib.error.HTTPError as error:
            status, text, head = error.code, error.read(), str(error.headers)
        try:
            found = json.loads(text) if text else None
        except ValueError:
            found = None
        return status, found, head + text.decode("utf-8", "replace")

    def _environment(self) -> dict[str, str]:
        home = self.home
        settings = {
            f"DASK_ECO_DASK__JUPYTER__{name.upper()}": repr(value)
            for name, value in self._settings.items()
        }
        return {
            **os.environ,
            **settings,
            "HOME": str(home),
            "IPYTHONDIR": str(home / "ipython"),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "DASK_ECO_DASK__DATA_DIRECTORY": str(self.data_directory),
            "DASK_ECO_DASK__GATEWAY__BENCHMARK_STEPS": "2",
            "DASK_ECO_DASK__GATEWAY__BENCHMARK_SIZE": "64",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        }

    def _write_page_config(self) -> None:
        """Keep announcements from covering the page, and offer this checkout's panel."""
        folder = self.home / "config" / "labconfig"
        folder.mkdir(parents=True)
        off = {"@jupyterlab/apputils-extension:announcements": True}
        (folder / "page_config.json").write_text(json.dumps({"disabledExtensions": off}))
        # As dark as the browser is: a theme changed by command while all starts may fail.
        themes = self.home / "settings" / "@jupyterlab" / "apputils-extension"
        themes.mkdir(parents=True)
        (themes / "themes.jupyterlab-settings").write_text(json.dumps({"adaptive-theme": True}))
        (self.home / "extensions").mkdir()
        (self.home / "extensions" / "eco-dask").symlink_to(EXTENSION)

    def _wait(self) -> str:
        deadline_s = time.monotonic() + 90
        while time.monotonic() < deadline_s and self.process.poll() is None:
            for path in (self.home / "runtime").glob("jpserver-*.json"):
                try:
                    url = str(json.loads(path.read_text())["url"])
                    with urllib.request.urlopen(f"{url}api/status?token={TOKEN}", timeout=5):
                        return url
                except (OSError, ValueError):
                    continue
            time.sleep(0.1)
        raise AssertionError(f"Jupyter did not start:\n{self.log.read_text()[-3000:]}")
