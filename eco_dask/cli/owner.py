"""Commands for the owner of a running provider: ``eco-dask-worker status``, ``pause``, ...

control.json ──► the agent's local page ──► what it says
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path
from typing import Any

import click
import yaml

from eco_dask.agent.local_page import CONTROL_FILE
from eco_dask.agent.settings_file import AT_START, SettingsFile, known_settings
from eco_dask.cli.calibrate import calibrate
from eco_dask.cli.doctor import doctor
from eco_dask.cli.owned import SETTINGS_FILE
from eco_dask.config import data_directory
from eco_dask.errors import EcoDaskError

_ANSWER_S = 5.0
#: How long a stop may take until somebody should look.
_STOP_S = 20.0

folder_option = click.option(
    "--local-directory",
    "--data-directory",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder of this machine's key, as given to eco-dask-worker.  [default: the platform's]",
)


def home_of(folder: Path | None) -> Path:
    """Return the folder of this machine's key."""
    return folder if folder is not None else data_directory(None) / "provider"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88})
def owner() -> None:
    """Look after the provider that runs on this machine."""


def ask(home: Path, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the running agent.

    Raises
    ------
    click.ClickException
        If none runs, or it refuses.
    """
    try:
        control = json.loads((home / CONTROL_FILE).read_text(encoding="utf-8"))
        address = f"http://127.0.0.1:{control['port']}/{path}"
        request = urllib.request.Request(
            address,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {control['token']}"},
        )
        # No proxy stands between a machine and itself.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_ANSWER_S) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        said = json.loads(error.read() or b"{}")
        raise click.ClickException(said.get("error", str(error))) from error
    except (OSError, ValueError, KeyError) as error:
        raise click.ClickException(
            f"no eco-dask-worker runs with the folder {home}. Start one with eco-dask-worker LINK, "
            "or name its folder with --local-directory."
        ) from error
    return found


@owner.command()
@folder_option
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known, as JSON.")
def status(folder: Path | None, as_json: bool) -> None:
    """Say what the provider does, and why; what it earned."""
    seen = ask(home_of(folder), "state")
    if as_json:
        click.echo(json.dumps(seen, indent=1))
        return
    for line in status_lines(seen):
        click.echo(line)


def status_lines(seen: dict[str, Any]) -> list[str]:
    """Return a state in words."""
    points, done, energy = seen["points"], seen["performance"], seen["energy"]
    expected = points["pending_mpt_expected"]
    about = "" if expected is None else f", about {expected / 1000:g} points"
    why = f": {seen['why']}" if seen["why"] else ""
    passed = [done[f"{way}_bytes_today"] / 1e6 for way in ("up", "down")]
    earned = f"{points['today_mpt'] / 1000:g} today, {points['paid_mpt'] / 1000:g} in all"
    lines = [
        f"{seen['machine']} (provider {seen['provider']}) is {seen['state']}{why}",
        f"Tasks: {seen['tasks_held']} here, {done['tasks_today']} answered today",
        f"Points: {earned}; pending: {points['pending_tasks']} tasks{about}",
        f"Energy of tasks since the start: {energy['tasks_uj'] / 1e6:.1f} J ({energy['source']})",
        f"Transferred today: {passed[0]:.1f} MB up, {passed[1]:.1f} MB down",
    ]
    if seen["fault"]:
        lines.append(f"The changed settings are not taken over: {seen['fault']}")
    return lines


def _order(folder: Path | None, order: str) -> None:
    ask(home_of(folder), "order", {"order": order})


@owner.command()
@folder_option
def pause(folder: Path | None) -> None:
    """Pause at once; tasks under way wait, and go back to the network if it lasts."""
    _order(folder, "pause")
    click.echo("Paused. `eco-dask-worker resume` goes on.")


@owner.command()
@folder_option
def resume(folder: Path | None) -> None:
    """Go on after a pause, or take new work again after finish."""
    _order(folder, "run")
    click.echo("Resumed.")


@owner.command()
@folder_option
def finish(folder: Path | None) -> None:
    """Take nothing new, and end once everything is done and settled."""
    _order(folder, "finish")
    click.echo("It takes nothing new and ends by itself.")


@owner.command()
@folder_option
def stop(folder: Path | None) -> None:
    """End now; tasks under way go back to the network."""
    home = home_of(folder)
    _order(folder, "stop")
    deadline_s = time.monotonic() + _STOP_S
    while (home / CONTROL_FILE).exists():
        if time.monotonic() > deadline_s:
            raise click.ClickException(f"it has not ended within {_STOP_S:g} s")
        time.sleep(0.05)
    click.echo("Stopped.")


@owner.command()
@folder_option
@click.option("--no-browser", is_flag=True, help="Print the link only.")
def page(folder: Path | None, no_browser: bool) -> None:
    """Open the provider's page, which only this machine can reach."""
    home = home_of(folder)
    ask(home, "state")
    control = json.loads((home / CONTROL_FILE).read_text(encoding="utf-8"))
    link = f"http://127.0.0.1:{control['port']}/#{control['token']}"
    click.echo(link)
    if not no_browser:
        webbrowser.open(link)


@owner.group()
def config() -> None:
    """Change settings while the provider runs: they hold at once, and from then on."""


def _settings(folder: Path | None) -> SettingsFile:
    return SettingsFile(home_of(folder) / SETTINGS_FILE)


@config.command("list")
@folder_option
def list_settings(folder: Path | None) -> None:
    """Show every setting, those that were changed marked with *."""
    changed = _read(_settings(folder))
    for name, default in sorted(known_settings().items()):
        mark = "*" if name in changed else " "
        click.echo(f"{mark} {name} = {_text(changed.get(name, default))}")


@config.command("get")
@click.argument("name")
@folder_option
def get_setting(name: str, folder: Path | None) -> None:
    """Show one setting."""
    changed, known = _read(_settings(folder)), known_settings()
    if name not in known:
        raise click.ClickException(f"there is no setting {name!r}; `config list` shows all")
    click.echo(_text(changed.get(name, known[name])))


@config.command("set")
@click.argument("name")
@click.argument("value")
@folder_option
def set_setting(name: str, value: str, folder: Path | None) -> None:
    """Change one setting, such as: set presence.idle "5 minutes"."""
    _put(folder, name, value)


@config.command("unset")
@click.argument("name")
@folder_option
def unset_setting(name: str, folder: Path | None) -> None:
    """Leave one setting to its default."""
    _put(folder, name, None)


def _put(folder: Path | None, name: str, value: str | None) -> None:
    try:
        now = _settings(folder).put(name, value)
    except EcoDaskError as error:
        raise click.ClickException(str(error)) from error
    late = "; it holds from the next start" if name in AT_START else ""
    click.echo(f"{name} = {_text(now)}{late}")


def _read(settings: SettingsFile) -> dict[str, Any]:
    try:
        return settings.read()
    except EcoDaskError as error:
        raise click.ClickException(str(error)) from error


def _text(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n...\n").strip()


owner.add_command(doctor)
owner.add_command(calibrate)
