"""``eco-dask-worker calibrate --watts``: readings of a plug meter become this machine's load model.

load at several shares of the CPU ──the owner reads the meter──► wall-watts.json
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import psutil

from eco_dask.agent.energy_plan import CALIBRATION_FILE, save_calibration
from eco_dask.config import data_directory
from eco_dask.energy.readers.load_law import WALL_FACTOR, calibrated_law

#: Shares of the processor at which the meter is read.
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
#: A machine that calls itself idle and is busier than this is not.
_IDLE_BUSY_MAX = 0.1
_BURN = "while True: pass"

_HELP = """Measure what this machine draws, with a plug meter between it and the wall.

The load model then rests on your readings instead of a table, where no energy counter can be read.
You need a plug meter that shows watts, and some three minutes.

Before you begin: close other programs, leave the GPU idle, dim the screen as usual, and fully
charge a laptop's battery, as charging shows on the meter. The command keeps a growing share of the
processor busy and asks for the watts each time. Ctrl-C ends it and changes nothing.
"""


@click.command(help=_HELP)
@click.option(
    "--watts", is_flag=True, help="Calibrate by a plug meter's watts; the one way so far."
)
@click.option(
    "--readings",
    default=None,
    metavar="SHARE=WATTS,...",
    help="Give readings you have instead, such as 0=18,0.5=41,1=65; 0 and 1 are needed.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(1, 600),
    default=30.0,
    show_default=True,
    help="How long each load lasts before you read the meter.",
)
@click.option("--remove", is_flag=True, help="Forget an earlier calibration.")
@click.option(
    "--local-directory",
    "--data-directory",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder of this machine's key, as given to eco-dask-worker.  [default: the platform's]",
)
def calibrate(
    watts: bool, readings: str | None, seconds: float, remove: bool, folder: Path | None
) -> None:
    """See ``_HELP``."""
    home = folder if folder is not None else data_directory(None) / "provider"
    path = home / CALIBRATION_FILE
    if remove:
        path.unlink(missing_ok=True)
        click.echo("No calibration is used from the next start on.")
        return
    if not watts and readings is None:
        raise click.UsageError("say --watts to calibrate by a plug meter; --help tells how")
    found = _parsed(readings) if readings is not None else _asked(seconds)
    try:
        save_calibration(path, found)
        law = calibrated_law(found)
    except ValueError as error:
        raise click.ClickException(
            f"these readings make no load model: {error}. Check that nothing else ran, and try "
            "again; nothing was changed"
        ) from error
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error}") from error
    click.echo(f"Kept in {path}, and used from the next start of eco-dask-worker on:")
    for use, power_w in law.points:
        click.echo(f"  {use:4.0%} busy: {power_w * WALL_FACTOR:6.1f} W at the wall")


@contextlib.contextmanager
def loaded(share: float) -> Iterator[None]:
    """Keep a share of all logical CPUs busy with processes of their own, which end with this."""
    count = round(share * (os.cpu_count() or 1))
    command = (sys.executable, "-c", _BURN)
    burners: list[subprocess.Popen[bytes]] = []
    try:
        while len(burners) < count:
            burners.append(subprocess.Popen(command))  # noqa: S603  our own loop
        yield
    finally:
        for burner in burners:
            burner.kill()
        for burner in burners:
            burner.wait()


def _asked(seconds: float) -> dict[float, float]:
    threads = os.cpu_count() or 1
    shares = sorted({round(share * threads) / threads for share in SHARES})
    found: dict[float, float] = {}
    click.echo(f"{len(shares)} loads of {seconds:g} s each. Have the meter in sight.")
    for share in shares:
        with loaded(share):
            busy = _busy_share(seconds, share)
            if share == 0 and busy > _IDLE_BUSY_MAX:
                click.echo(f"  Something else keeps {busy:.0%} of the processor busy: close it.")
            question = f"Watts on the meter now, at {share:.0%} load"
            found[share] = click.prompt(question, type=click.FloatRange(min=0))
    return found


def _busy_share(seconds: float, share: float) -> float:
    """Let a load last, and return how busy the machine was meanwhile."""
    click.echo(f"Load {share:.0%} ...")
    psutil.cpu_percent()
    time.sleep(seconds)
    return psutil.cpu_percent() / 100


def _parsed(text: str) -> dict[float, float]:
    found: dict[float, float] = {}
    for part in text.split(","):
        share, _, power = part.partition("=")
        try:
            found[float(share)] = float(power)
        except ValueError:
            raise click.BadParameter(
                f"{part!r} is no SHARE=WATTS, such as 0.5=41", param_hint="--readings"
            ) from None
    return found
