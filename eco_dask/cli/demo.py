"""``eco-dask demo``: a real climate analysis by five strangers, of whom one lies and one dies.

analyse(air) ──threads here──► expected ─┐
             ──EcoCluster────► result   ─┴─► equal? ──► picture, table of providers, attempts
"""

from __future__ import annotations

import asyncio
import importlib.util
import signal
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from distributed import Client
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import eco_dask
from eco_dask.cli import climate
from eco_dask.cli.group import EcoCommand
from eco_dask.cli.tables import Points, console, show_table
from eco_dask.cluster import EcoCluster, ProviderSpec
from eco_dask.errors import EcoDaskError
from eco_dask.testing.fleets import misbehaving

if TYPE_CHECKING:
    import xarray as xr

    from eco_dask.report import JobReport

OWNERS = ("ada", "barbara", "charles", "dorothy", "mallory")
#: Which provider is killed, and at which share of the tasks.
KILLED, KILLED_AT = "charles", 0.35
#: Which provider lies in half of its answers.
LIAR = "mallory"
#: Largest relative difference that still counts as equal, should the last bits differ.
TOLERANCE = 1e-6
_POLL_S = 0.05
_NEEDED = ("xarray", "netCDF4", "iris_sample_data", "matplotlib")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the network made of the analysis."""

    result: xr.Dataset
    report: JobReport
    providers: list[dict[str, Any]]
    #: Time from submission to result, in seconds.
    elapsed_s: float
    #: Tasks done when the provider was killed; None if everything was done before.
    killed_after: int | None


@click.command(cls=EcoCommand)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    default=Path("eco-dask-demo.png"),
    show_default=True,
    help="Where to draw the map of the trend.",
)
def demo(output: Path) -> None:
    """Analyse 240 years of climate on five local providers, one of which lies.

    Computes area-weighted annual means, anomalies and the warming of each cell with xarray on
    Dask, kills one provider in the middle, and compares the result with the same computation in
    this process. Needs the packages of eco-dask[examples], and no network.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise EcoDaskError(f'the demo needs {", ".join(missing)}: pip install "eco-dask[examples]"')
    started_s = time.monotonic()
    air = climate.open_air_temperature(climate.find_sample())
    analysis = climate.analyse(air)
    shape = " x ".join(f"{size} {name}s" for name, size in air.sizes.items())
    click.echo(f"Air temperature over North America, scenario A1B: {shape}.")
    expected = analysis.compute(scheduler="threads")
    click.echo(
        f"Starting a coordinator and {len(OWNERS)} providers of as many owners. {LIAR.title()}'s "
        f"lies in half of its answers; {KILLED.title()}'s will be killed in the middle."
    )
    try:
        outcome = asyncio.run(_run(analysis))
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("Stopped; nothing is left running.", err=True)
        raise SystemExit(130) from None
    verdict = compare(outcome.result, expected)
    climate.draw_trend(outcome.result, output)
    _show(outcome, verdict, output, time.monotonic() - started_s)


async def _run(analysis: xr.Dataset) -> Outcome:
    """Compute on a network of our own; whatever happens, its processes and files are gone after."""
    stopped = _cancelled_by_signals()
    with tempfile.TemporaryDirectory(prefix="eco-dask-demo-", ignore_cleanup_errors=True) as home:
        async with (
            EcoCluster(
                providers=[_provider(owner) for owner in OWNERS],
                trusted_workers=1,
                dashboard_address=None,
                data_directory=home,
                # A killed provider will not be back: its tasks need not wait for it.
                config={"eco-dask.gateway.grace": "1 s"},
                asynchronous=True,
            ) as cluster,
            Client(cluster, asynchronous=True) as client,
        ):
            return await _compute(analysis, cluster, client, stopped)


def _cancelled_by_signals() -> asyncio.Event:
    """Let Ctrl-C and SIGTERM cancel the current task; the event remembers that one came.

    Libraries may lose a cancellation that arrives as what they wait for ends, so that whoever
    goes on for long looks at the event as well.
    """
    task, stopped = asyncio.current_task(), asyncio.Event()
    assert task is not None  # noqa: S101  a coroutine runs in a task

    def stop() -> None:
        stopped.set()
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows' event loop has no signal handlers; asyncio.run takes care of Ctrl-C there.
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, stop)
    return stopped


def _provider(owner: str) -> ProviderSpec:
    return misbehaving(owner, "lie:0.5") if owner == LIAR else ProviderSpec(owner)


async def _compute(
    analysis: xr.Dataset, cluster: EcoCluster, client: Client, stopped: asyncio.Event
) -> Outcome:
    started_s = time.monotonic()
    with eco_dask.job("North America's warming") as job:
        future = client.compute(analysis)
    killed_after = await _watch(future, job.id, cluster, client, stopped)
    result = await future
    elapsed_s = time.monotonic() - started_s
    report = await job.report(client)
    return Outcome(result, report, await cluster.providers, elapsed_s, killed_after)


async def _watch(
    future: Any, job_id: str, cluster: EcoCluster, client: Client, stopped: asyncio.Event
) -> int | None:
    """Show progress until the end, and kill a provider on the way."""
    killed_after = None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console()) as progress:
        bar = progress.add_task("Computing", total=None)
        while not future.done():
            if stopped.is_set():
                raise asyncio.CancelledError
            found = (await client.scheduler.eco_job(job=job_id))["progress"]
            if found is not None:
                done, total = found["done"], found["tasks"]
                progress.update(bar, completed=done, total=total)
                if killed_after is None and KILLED_AT * total <= done < total:
                    cluster.kill_provider(OWNERS.index(KILLED))
                    killed_after = done
                    progress.print(
                        f"Killed {KILLED.title()}'s provider after {done} of {total} tasks."
                    )
            await asyncio.sleep(_POLL_S)
        found = (await client.scheduler.eco_job(job=job_id))["progress"]
        progress.update(bar, completed=found["done"], total=found["tasks"])
    return killed_after


def compare(result: xr.Dataset, expected: xr.Dataset) -> str:
    """Say in which way a result equals the expected one.

    Raises
    ------
    EcoDaskError
        It does not.
    """
    import numpy as np

    if result.identical(expected):
        return "bit for bit"
    if set(result.data_vars) != set(expected.data_vars):
        raise EcoDaskError(
            f"the result has {sorted(result.data_vars)}, the local one {sorted(expected.data_vars)}"
        )
    worst = 0.0
    for name, variable in expected.data_vars.items():
        ours, theirs = np.asarray(variable), np.asarray(result[name])
        if ours.shape != theirs.shape:
            raise EcoDaskError(f"{name} has the shape {theirs.shape}, locally {ours.shape}")
        difference = float(np.linalg.norm(theirs - ours) / np.linalg.norm(ours))
        # Negated, so that NaN does not pass.
        if not difference <= TOLERANCE:
            raise EcoDaskError(
                f"the result differs from the local one: {name} by {difference:.3g} of its norm, "
                f"more than {TOLERANCE:g}"
            )
        worst = max(worst, difference)
    return f"within {worst:.1g} of its norm"


def _show(outcome: Outcome, verdict: str, output: Path, total_s: float) -> None:
    report, result = outcome.report, outcome.result
    anomaly = result["annual_anomaly"]
    click.echo()
    click.echo(f"Result: equal to the local computation, {verdict}.")
    click.echo(
        f"  The last ten years are {float(anomaly[-10:].mean()):.2f} K warmer than "
        f"{climate.BASELINE[0]}-{climate.BASELINE[1]}; the trend is "
        f"{float(result['trend'].min()):.1f} to {float(result['trend'].max()):.1f} K per century."
    )
    click.echo(f"  Map of the trend: {output}")
    click.echo()
    _show_providers(outcome)
    click.echo()
    ratio = report.attempts_per_task
    click.echo(
        f"Attempts: {report.attempts} for {report.accepted} verified tasks"
        + (f", {ratio:.2f} per task" if ratio is not None else "")
        + f"; {report.tasks} Dask tasks in all, the others only move data."
    )
    click.echo(
        "Receipts: " + ", ".join(f"{n} {reason}" for reason, n in report.reasons.items()) + "."
    )
    click.echo(f"Time: {outcome.elapsed_s:.1f} s on the network, {total_s:.1f} s in all.")


def _show_providers(outcome: Outcome) -> None:
    notes = {LIAR: "lies in half of its answers"}
    notes[KILLED] = (
        f"killed after {outcome.killed_after} tasks"
        if outcome.killed_after is not None
        else "not killed: everything was done before"
    )
    names = ("owner", "role", "tasks", "agreed", "dissented", "points", "strikes", "note")
    order = {owner: number for number, owner in enumerate(OWNERS)}
    rows = (
        (
            p["owner"], p["role"], p["tasks"], p["agreed"], p["dissented"],
            Points(p["posted_mpt"]), p["strikes"], notes.get(p["owner"], ""),
        )
        for p in sorted(outcome.providers, key=lambda p: order.get(p["owner"], len(order)))
    )  # fmt: skip
    show_table(names, rows)
