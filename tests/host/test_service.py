"""A service on each system: what is written, what is run, and that nothing is left of it."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import click
import pytest

from eco_dask.cli.service import act, keep_link, options_for_service, worker_command
from eco_dask.host.service import launchd_service, service_here, systemd_service, task_service
from eco_dask.providers.invite import Invite
from eco_dask.providers.link import JoinLink

COMMAND = ("/opt/my python/bin/python", "-m", "eco_dask.cli.worker", "--memory-limit", "50 %")


class Fake:
    """A system that does as it is told, or not."""

    def __init__(self, failing: str = "") -> None:
        self.ran: list[tuple[str, ...]] = []
        self.failing = failing

    def __call__(self, command) -> tuple[int, str]:
        self.ran.append(tuple(command))
        return (1, "it said no") if self.failing and self.failing in command else (0, "running")


def unit(home: Path) -> RawConfigParser:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read_string(systemd_service(COMMAND, home).content.decode())
    return parser


def test_systemd_s_unit_starts_again_but_not_after_a_refusal(tmp_path: Path) -> None:
    service = unit(tmp_path)["Service"]
    assert service["ExecStart"] == (
        "'/opt/my python/bin/python' -m eco_dask.cli.worker --memory-limit '50 %%'"
    )
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("on-failure", "77")
    assert unit(tmp_path)["Install"]["WantedBy"] == "default.target"


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    service = systemd_service((sys.executable, "-m", "eco_dask.cli.worker"), tmp_path)
    service.file.parent.mkdir(parents=True)
    service.file.write_bytes(service.content)
    command = ["systemd-analyze", "--user", "verify", "--man=no", str(service.file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert service.file.name not in done.stderr
    assert "Unknown" not in done.stderr


def test_launchd_s_agent(tmp_path: Path) -> None:
    service = launchd_service(COMMAND, tmp_path, 501)
    plist = plistlib.loads(service.content)
    assert plist["ProgramArguments"] == list(COMMAND)
    assert plist["KeepAlive"] == {"SuccessfulExit": False}
    assert service.file == tmp_path / f"Library/LaunchAgents/{plist['Label']}.plist"
    assert service.remove[0][-1] == f"gui/501/{plist['Label']}"


def test_windows_task() -> None:
    service = task_service(COMMAND)
    line = service.install[0][service.install[0].index("/TR") + 1]
    assert line.startswith('"/opt/my python/bin/python" -m')
    assert service.file is None


@pytest.mark.parametrize("make", [systemd_service, lambda c, h: launchd_service(c, h, 1)])
def test_install_and_remove_leave_nothing(tmp_path: Path, make, capsys) -> None:
    service, system = make(COMMAND, tmp_path), Fake()
    act("install", service, system)
    assert service.file.read_bytes() == service.content
    act("status", service, system)
    act("remove", service, system)
    assert not service.file.exists()
    assert system.ran == [*service.install, service.status, *service.remove]
    assert "Removed" in capsys.readouterr().out


def test_a_system_that_refuses_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match="it said no"):
        act("install", systemd_service(COMMAND, tmp_path), Fake("enable"))


def test_where_none_is_installed_status_says_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        act("status", systemd_service(COMMAND, tmp_path), Fake("status"))
    assert ended.value.code == 1


def test_the_link_is_kept_from_others_and_out_of_the_command(tmp_path: Path) -> None:
    link = str(JoinLink("ws://127.0.0.1:1", str(Invite.draw())))
    path = keep_link(link, None, tmp_path / "home")
    assert path.read_text().strip() == link
    assert path.stat().st_mode & 0o077 == 0
    command = worker_command(tmp_path / "home", path, ("--nthreads", "2"))
    assert link not in " ".join(command)
    assert command[-2:] == ("--nthreads", "2")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["eco-dask://h:1/a.b", "--service", "install", "--nthreads", "2"], ("--nthreads", "2")),
        (["--service=install", "--local-directory", "/x", "--sandbox=bwrap"], ("--sandbox=bwrap",)),
        (["--link-file", "f", "--i-trust-the-recruiters"], ("--i-trust-the-recruiters",)),
    ],
)
def test_other_options_are_kept_for_the_service(given, kept) -> None:
    assert options_for_service(given) == kept


def test_this_system_has_one(tmp_path: Path) -> None:
    assert service_here(COMMAND, tmp_path).install
