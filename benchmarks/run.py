"""Run benchmarks and hold their figures against the goals kept beside them.

    NAME.py ──python NAME.py [--quick]──► last line: JSON ──GOALS──► table, exit status

A benchmark is a script in this folder with ``GOALS = {"figure": ">= 0.8"}``. GOALS is read, not
imported: looking up goals starts nothing.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from common import Goal
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

FOLDER: Final = Path(__file__).parent
#: Lines of a failed benchmark's standard error that are shown.
ERROR_LINES_MAX: Final = 25


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One script and what it should reach."""

    name: str
    path: Path
    goals: Mapping[str, Goal]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a benchmark; either ``failure`` is empty or ``figures`` is."""

    benchmark: Benchmark
    elapsed_s: float
    figures: Mapping[str, float] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""

    @property
    def short(self) -> list[str]:
        """Figures that miss their goal, or that the benchmark owes."""
        nan = float("nan")
        return [
            name
            for name, goal in self.benchmark.goals.items()
            if not goal.met_by(self.figures.get(name, nan))
        ]

    @property
    def ok(self) -> bool:
        """True if it ran and reached every goal."""
        return not self.failure and not self.short


class ReportError(ValueError):
    """A benchmark's last line is not what it should be."""


def find_benchmarks(folder: Path) -> list[Benchmark]:
    """Return the scripts of a folder that have GOALS, by name."""
    found = []
    for path in sorted(folder.glob("*.py")):
        goals = read_goals(path)
        if goals is not None:
            found.append(Benchmark(path.stem, path, goals))
    return found


def read_goals(path: Path) -> dict[str, Goal] | None:
    """Return the GOALS of a script, or None if it has none and so is no benchmark.

    Raises
    ------
    ValueError
        If GOALS is no plain dictionary of goals.
    """
    for node in ast.parse(path.read_text(encoding="utf-8"), str(path)).body:
        if not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "GOALS"):
            continue
        try:
            written = ast.literal_eval(node.value)
            return {str(name): Goal.parse(text) for name, text in written.items()}
        except (ValueError, AttributeError) as error:
            raise ValueError(
                f"GOALS of {path} maps figures to texts like '>= 1': {error}"
            ) from error
    return None


def parse_report(line: str, name: str) -> tuple[dict[str, float], dict[str, Any]]:
    """Read a benchmark's last line: its figures and its machine.

    Raises
    ------
    ReportError
        If it is no such line, or another benchmark's.
    """
    try:
        report = json.loads(line)
    except json.JSONDecodeError:
        raise ReportError(f"its last line is no JSON object: {line[:200]!r}") from None
    match report:
        case {"benchmark": str(who), "figures": dict(figures), "machine": dict(machine)}:
            pass
        case _:
            raise ReportError(
                f"its last line needs benchmark, figures and machine; got {line[:200]!r}"
            )
    if who != name:
        raise ReportError(f"its last line is of the benchmark {who!r}, not of {name!r}")
    wrong = {k: v for k, v in figures.items() if isinstance(v, bool) or not _is_number(v)}
    if wrong:
        raise ReportError(f"figures are numbers; got {wrong!r}")
    return {k: float(v) for k, v in figures.items()}, machine


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def run_benchmark(benchmark: Benchmark, *, quick: bool, progress: Progress) -> Outcome:
    """Run one benchmark, showing what it prints as progress."""
    row = progress.add_task(benchmark.name, total=None, says="")
    started_s = time.monotonic()
    last = ""
    # Errors go to a file: a pipe that nobody reads would fill up and stop the benchmark.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        with _start(benchmark.path, quick=quick, errors=errors) as process:
            for line in process.stdout or ():
                if line.strip():
                    last = line.strip()
                    progress.update(row, says="" if last.startswith("{") else last)
        elapsed_s = time.monotonic() - started_s
        progress.update(row, total=1, completed=1, says="")
        if process.returncode:
            errors.seek(0)
            tail = "\n".join(errors.read().splitlines()[-ERROR_LINES_MAX:])
            failure = f"it ended with exit status {process.returncode}\n{tail}".rstrip()
            return Outcome(benchmark, elapsed_s, failure=failure)
    try:
        figures, machine = parse_report(last, benchmark.name)
    except ReportError as error:
        return Outcome(benchmark, elapsed_s, failure=str(error))
    return Outcome(benchmark, elapsed_s, figures, machine)


def _start(path: Path, *, quick: bool, errors: IO[str]) -> subprocess.Popen[str]:
    command = [sys.executable, str(path), *(["--quick"] if quick else [])]
    # Scripts in another folder find common.py as well.
    search = [str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(search)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace", env=environment
    )


def table_of(outcomes: Sequence[Outcome]) -> Table:
    """Return figures against goals."""
    table = Table("benchmark", "figure", title="Figures against goals")
    table.add_column("value", justify="right")
    table.add_column("goal", justify="right")
    table.add_column("")
    for outcome in outcomes:
        name, goals = outcome.benchmark.name, outcome.benchmark.goals
        if outcome.failure:
            table.add_row(name, "", "", "", "[red]failed[/red]")
            continue
        for figure in [*outcome.figures, *(g for g in goals if g not in outcome.figures)]:
            value = outcome.figures.get(figure)
            shown = "missing" if value is None else f"{value:.4g}"
            verdict = "[red]short[/red]" if figure in outcome.short else "[green]ok[/green]"
            goal = goals.get(figure)
            table.add_row(name, figure, shown, str(goal or ""), verdict if goal else "")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run benchmarks; return 0 if all of them reached their goals, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("names", metavar="NAME", nargs="*", help="benchmarks to run; default: all")
    parser.add_argument("--quick", action="store_true", help="at most 60 s each, less precise")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcomes there too")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the benchmarks are")
    options = parser.parse_args(arguments)
    known = {benchmark.name: benchmark for benchmark in find_benchmarks(options.folder)}
    unknown = [name for name in options.names if name not in known]
    if unknown or not known:
        parser.error(f"no benchmark {unknown or ''} in {options.folder}; there are {list(known)}")
    chosen = [known[name] for name in options.names or known]

    console = Console()
    columns = (SpinnerColumn(), *map(TextColumn, ("{task.description}", "{task.fields[says]}")))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        outcomes = [run_benchmark(b, quick=options.quick, progress=progress) for b in chosen]
    for outcome in outcomes:
        if outcome.failure:
            console.print(f"{outcome.benchmark.name} failed: {outcome.failure}", markup=False)
    console.print(table_of(outcomes))
    if options.json is not None:
        options.json.write_text(json.dumps([_plain(o) for o in outcomes], indent=1) + "\n")
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {
        "benchmark": outcome.benchmark.name,
        "ok": outcome.ok,
        "short": outcome.short,
        "failure": outcome.failure,
        "elapsed_s": round(outcome.elapsed_s, 2),
        "figures": dict(outcome.figures),
        "goals": {name: str(goal) for name, goal in outcome.benchmark.goals.items()},
        "machine": dict(outcome.machine),
    }


if __name__ == "__main__":
    sys.exit(main())
