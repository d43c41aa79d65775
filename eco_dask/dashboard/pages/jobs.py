"""The page *Jobs*: how far they are, what they spent, and how sure their results are.

Snapshot ──jobs_data──► tiles, bars, table
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eco_dask.dashboard.model import Job, Snapshot
from eco_dask.dashboard.pages.bars import Bars
from eco_dask.dashboard.pages.charts import Series
from eco_dask.dashboard.pages.colours import GREEN, GREY, ORANGE, RED
from eco_dask.dashboard.pages.columns import PageData, Tile, columns, tiles
from eco_dask.dashboard.pages.formats import (
    UNKNOWN,
    chance,
    clock,
    count,
    in_points,
    in_watt_hours,
    label,
    points,
    span,
    unique,
)
from eco_dask.dashboard.pages.history import History
from eco_dask.dashboard.pages.page import Page
from eco_dask.dashboard.pages.parts import Card, Part, Tiles
from eco_dask.dashboard.pages.tables import Field, Table

_NONE_YET = "No job yet. Start one with `with eco_dask.job(error=1e-4): x.compute()`"
_DRAWN = 15


def jobs_data(snapshot: Snapshot, history: History) -> PageData:  # noqa: ARG001  as all pages
    """Return the columns of every part of the page."""
    ordered = sorted(snapshot.jobs, key=_order)
    return {
        "tiles": tiles(_tiles(ordered)),
        "progress": _progress(ordered[:_DRAWN]),
        "spend": _spend(ordered[:_DRAWN]),
        "jobs": columns(_NAMES, (_row(job, snapshot.at_s) for job in ordered)),
    }


def _order(job: Job) -> tuple[bool, float, str]:
    return (job.state != "running", -(job.started_at_s or 0), job.id)


def _tiles(jobs: Sequence[Job]) -> Iterable[Tile]:
    states = Counter(job.state for job in jobs)
    running = [job for job in jobs if job.state == "running"]
    lefts = [job.left_s for job in running if job.left_s is not None]
    yield Tile("Running", count(states["running"]), f"of {count(len(jobs))} jobs shown")
    yield Tile("Done", count(states["done"]), "jobs")
    yield Tile(
        "Failed", count(states["failed"]), "jobs with a failed task", alarming=states["failed"] > 0
    )
    yield Tile("Cancelled", count(states["cancelled"]), "jobs")
    yield Tile("Tasks left", count(sum(_left(job) for job in running)), "of running jobs")
    yield Tile("Time left", span(max(lefts)) if lefts else span(None), "longest, estimated")
    yield Tile("Spent", points(sum(job.spent_mpt or 0 for job in jobs)), "points, by these jobs")


def _left(job: Job) -> int:
    """Count tasks that are neither done nor failed; 0 where the scheduler knows no tasks."""
    return max(0, (job.tasks or 0) - (job.done or 0) - (job.erred or 0))


def _names(jobs: Sequence[Job]) -> list[str]:
    return unique([label(job.name, 28) for job in jobs])


def _progress(jobs: Sequence[Job]) -> Mapping[str, list[Any]]:
    return columns(
        ("label", "done", "erred", "left", "state", "time_left"),
        (
            (name, job.done, job.erred, _left(job), job.state, span(job.left_s))
            for name, job in zip(_names(jobs), jobs, strict=True)
            if job.tasks
        ),
    )


def _spend(jobs: Sequence[Job]) -> Mapping[str, list[Any]]:
    """Return points spent and left of a budget; a job without one has nothing left to show."""
    return columns(
        ("label", "spent", "left", "budget"),
        (
            (
                name,
                in_points(job.spent_mpt),
                0.0
                if job.budget_mpt is None
                else in_points(max(0, job.budget_mpt - job.spent_mpt)),
                "no budget" if job.budget_mpt is None else f"{points(job.budget_mpt)} points",
            )
            for name, job in zip(_names(jobs), jobs, strict=True)
            if job.spent_mpt or job.budget_mpt
        ),
    )


_NAMES = (
    "job", "state", "started", "took", "left", "tasks", "done", "erred", "accepted", "attempts",
    "per_task", "spent", "budget", "asked", "worst", "wh", "gco2e", "id",
)  # fmt: skip


def _row(job: Job, now_s: float) -> tuple[Any, ...]:
    ended_at_s = now_s if job.state == "running" else job.ended_at_s
    took_s = None
    if job.started_at_s is not None and ended_at_s is not None:
        took_s = ended_at_s - job.started_at_s
    return (
        label(job.name),
        job.state,
        clock(job.started_at_s)[5:16] or UNKNOWN,
        span(took_s),
        span(job.left_s),
        job.tasks,
        job.done,
        job.erred,
        job.accepted,
        job.attempts,
        job.attempts_per_task,
        in_points(job.spent_mpt),
        in_points(job.budget_mpt),
        asked(job),
        job.error_worst,
        in_watt_hours(job.energy.reserved_uj),
        job.energy.gco2e_central,
        label(job.id, 16),
    )


def asked(job: Job) -> str:
    """Say what the recruiter asked for."""
    if job.error is not None:
        return f"error {chance(job.error)}"
    return f"quorum {job.quorum}" if job.quorum is not None else "the default"


_JOBS_FIELDS = (
    Field("job", "Job", width_px=170),
    Field("state", "State", width_px=80),
    Field("started", "Started (UTC)", width_px=115),
    Field("took", "Took", width_px=85),
    Field("left", "Time left", width_px=85),
    Field("tasks", "Tasks", "count", 60),
    Field("done", "Done", "count", 60),
    Field("erred", "Failed", "count", 60),
    Field("per_task", "Attempts per task", "number", 80),
    Field("spent", "Spent (points)", "points", 90),
    Field("budget", "Budget (points)", "points", 90),
    Field("asked", "Asked for", width_px=115),
    Field("worst", "Worst error", "chance", 75),
    Field("wh", "Energy (Wh)", "wh", 75),
    Field("gco2e", "CO2e (g)", "grams", 75),
    Field("id", "Id", width_px=120),
)


def jobs_parts() -> list[Part]:
    """Return the page's parts."""
    return [
        Tiles(Card("tiles", "Jobs", wide=True)),
        Bars(
            Card(
                "progress",
                "Progress",
                "Tasks of running jobs first, then the latest.",
                _NONE_YET,
                least="recruiter",
            ),
            [
                Series("done", "done", GREEN),
                Series("erred", "failed", RED),
                Series("left", "left", GREY),
            ],
            "tasks",
            [("state", "state"), ("time left", "time_left")],
        ),
        Bars(
            Card(
                "spend",
                "Spend",
                "Points spent, and what is left of a budget.",
                _NONE_YET,
                least="recruiter",
            ),
            [Series("spent", "spent", ORANGE), Series("left", "left of the budget", GREY)],
            "points",
            [("budget", "budget")],
        ),
        Table(
            Card(
                "jobs",
                "All jobs",
                "Times in UTC. Click to sort.",
                _NONE_YET,
                wide=True,
                least="recruiter",
            ),
            _JOBS_FIELDS,
        ),
    ]


JOBS = Page("jobs", "Jobs", jobs_data, jobs_parts)
