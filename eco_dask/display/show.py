"""Text and HTML of the network, of clusters, jobs and reports. Pure: values in, text out.

Section, JobLine ──monitor_html──► escaped HTML     ──monitor_text──► lines for a terminal
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import jinja2

from eco_dask.display import figures, words
from eco_dask.display.figures import JOBS_MAX, Figure, JobLine, Plain
from eco_dask.text import clean

_BAR_CHARS = 10
#: A job's figures beside its progress.
_BOUGHT = ("attempts_per_task", "spent_mpt", "reserved_uj", "left_s")


def monitor_html(snapshot: Plain) -> str:
    """Return the HTML of a snapshot, for a page that has the monitor's style sheet.

    Every figure is an element with ``data-eco``, its path in the snapshot, and ``data-value``.
    """
    jobs = figures.jobs(snapshot)
    return _render(
        "monitor.html.j2",
        at_s=snapshot.get("at_s"),
        sections=figures.sections(snapshot),
        jobs=jobs[:JOBS_MAX],
        more=max(0, len(jobs) - JOBS_MAX),
    )


def monitor_text(snapshot: Plain) -> str:
    """Return a snapshot as lines of text."""
    lines = [f"eco_dask at {words.clock(snapshot.get('at_s'))}"]
    for section in figures.sections(snapshot):
        lines.append(f"  {section.title.lower():<13} {_listed(section.figures)}")
        lines += [f"  {'':<13} {note}" for note in section.notes]
    jobs = figures.jobs(snapshot)
    if not jobs:
        lines.append(f"  {'jobs':<13} none yet")
    for number, job in enumerate(jobs[:JOBS_MAX]):
        head = f"{job.name}: {job.state}{_tasks(job)}"
        bought = [_column(job, key) for key in _BOUGHT]
        lines.append(f"  {'' if number else 'jobs':<13} {head}")
        lines.append(f"  {'':<13}   {'; '.join((_listed(bought), *job.notes))}")
    if len(jobs) > JOBS_MAX:
        lines.append(f"  {'':<13} and {len(jobs) - JOBS_MAX} more")
    return "\n".join(lines)


def card_html(kind: str, title: str, rows: Plain, notes: tuple[str, ...] = ()) -> str:
    """Return a card in the style of Dask's own: a square, a heading, two columns of facts.

    Parameters
    ----------
    kind : str
        The class that is shown.
    title : str
        Its name, in grey.
    rows : mapping
        Facts by their label; None is unknown. A fact that is an address of a page is a link.
    notes : tuple of str
        Lines below.
    """
    shown = [(label, _fact(value)) for label, value in rows.items()]
    pairs = [shown[i : i + 2] for i in range(0, len(shown), 2)]
    return _render("card.html.j2", kind=kind, title=clean(title, 200), pairs=pairs, notes=notes)


def _fact(value: object) -> str:
    return words.UNKNOWN if value is None else clean(str(value), 400)


def _listed(shown: Iterable[Figure]) -> str:
    known = [f"{figure.text} {figure.label}" for figure in shown if figure.text != words.UNKNOWN]
    return ", ".join(known) or "nothing known yet"


def _tasks(job: JobLine) -> str:
    if job.progress is None:
        return ""
    full = round(job.progress * _BAR_CHARS)
    done, tasks, erred = (_column(job, key).text for key in ("done", "tasks", "erred"))
    bar = f"[{'#' * full}{'.' * (_BAR_CHARS - full)}]"
    return f" {bar} {done} of {tasks} tasks, {erred} failed"


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("eco_dask.display"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["link"] = _is_link
    environment.filters["column"] = _column
    return environment


def _is_link(value: str) -> bool:
    return value.startswith(("http://", "https://"))


def _column(job: JobLine, key: str) -> Figure:
    """Return a job's figure by the last part of its path."""
    return next(figure for figure in job.figures if figure.path.rpartition(".")[2] == key)
