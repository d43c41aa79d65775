"""What every benchmark shares: its options, goals, the facts of the machine, its last line.

parse_options() ──► figures ──► finish(name, figures): one JSON object, printed last
"""

from __future__ import annotations

import argparse
import json
import operator
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
}
#: One that warms up, and one that counts.
_ROUNDS_MIN: Final = 2


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should reach, written as ``">= 0.8"`` beside the benchmark."""

    comparison: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Goal:
        """Read a goal.

        Raises
        ------
        ValueError
            If it is not a comparison and a number.
        """
        comparison, _, bound = text.strip().partition(" ")
        if comparison not in _COMPARISONS:
            raise ValueError(
                f"a goal is one of {', '.join(_COMPARISONS)} and a number, such as '>= 0.8'; "
                f"got {text!r}"
            )
        try:
            return cls(comparison, float(bound))
        except ValueError as error:
            raise ValueError(f"the goal {text!r} compares with no number: {bound!r}") from error

    def met_by(self, figure: float) -> bool:
        """Say whether a figure reaches it; NaN never does."""
        return _COMPARISONS[self.comparison](figure, self.bound)

    def __str__(self) -> str:
        return f"{self.comparison} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Options:
    """How a benchmark is to run."""

    #: At most 60 s, with less of everything, for the same figures.
    quick: bool


def parse_options(description: str | None, arguments: list[str] | None = None) -> Options:
    """Read the command line that all benchmarks have."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="take at most 60 s, be less precise")
    return Options(**vars(parser.parse_args(arguments)))


def say(text: str) -> None:
    """Show progress; standard output is kept for lines that the runner reads."""
    print(text, flush=True)


def rounds(count: int, budget_s: float) -> Iterator[int]:
    """Number the rounds of a measurement; on a busy machine fewer of them, but two at least.

    The first one is round 0 and warms up. ``budget_s`` is how long all of them may take.
    """
    ends_s = time.monotonic() + budget_s
    for number in range(count + 1):
        if number >= _ROUNDS_MIN and time.monotonic() > ends_s:
            say(f"stopping after {number} rounds: the machine is slow or busy")
            return
        yield number


def median_ratio(pairs: Iterable[tuple[float, float]]) -> float:
    """Return the median of ``measured / reference`` over rounds.

    The two of a round ran one after the other, so that a neighbour who slows the machine down for
    a while slows both, and one disturbed round moves no median.
    """
    return statistics.median(measured / reference for measured, reference in pairs)


def finish(name: str, figures: Mapping[str, float]) -> None:
    """Print the line that ends every benchmark."""
    rounded = {figure: float(f"{value:.4g}") for figure, value in figures.items()}
    line = {"benchmark": name, "figures": rounded, "machine": machine_facts()}
    sys.stdout.flush()
    print(json.dumps(line), flush=True)


def machine_facts() -> dict[str, Any]:
    """Return what figures depend on; nothing that names the machine."""
    import dask
    import distributed
    import numpy as np
    import psutil

    return {
        "cpu": _cpu_model(),
        "cores": len(psutil.Process().cpu_affinity())
        if hasattr(psutil.Process, "cpu_affinity")
        else psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "dask": dask.__version__,
        "distributed": distributed.__version__,
        "numpy": np.__version__,
    }


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
