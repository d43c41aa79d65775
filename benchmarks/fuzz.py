"""Strangers' bytes, by the million: does anything escape that is no refusal, and does memory stay?

    targets x mutants ──two processes──► read, refused, escaped
    Atheris, where it is installed ──guided by the code it reaches──► escaped

Figures
-------
inputs
    Mutated frames, encoded values, sketches and join links that were read.
uncaught
    Exceptions that are none of eco_dask's own refusals, crashes included.
grown_mb
    Growth of the largest memory of any of the processes after its first tenth of inputs.
refused_share
    Share of the inputs that were refused; the others were well-formed all the same.
guided_inputs
    Inputs that Atheris tried on top; 0 if it is not installed (pip install atheris).
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import finish, parse_options, say

GOALS = {"inputs": ">= 1000000", "uncaught": "<= 0", "grown_mb": "<= 64"}

_SCRIPT = Path(__file__).with_name("fuzz_targets.py")
#: Inputs per target; values are the dearest to decode.
FULL = {"frame": 700_000, "value": 160_000, "sketch": 200_000, "link": 100_000, "uses": 100_000}
QUICK_SHARE = 50
GUIDED_S = 20


def _unguided(task: tuple[str, int, int]) -> dict[str, object]:
    target, seed, count = task
    ran = subprocess.run(
        [sys.executable, str(_SCRIPT), target, str(seed), str(count)],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        # The process itself died: that has escaped, whatever it was.
        return {"read": 0, "refused": 0, "uncaught": 1, "grown_kib": 0, "escaped": [ran.stderr]}
    found: dict[str, object] = json.loads(ran.stdout.splitlines()[-1])
    say(f"{target:7} seed {seed}: {found['read']} read, {found['refused']} refused")
    return found


def _guided(target: str) -> tuple[int, list[str]]:
    ran = subprocess.run(
        [sys.executable, str(_SCRIPT), target, "--guided", str(GUIDED_S)],
        capture_output=True,
        text=True,
        check=False,
    )
    executed = re.search(r"stat::number_of_executed_units:\s*(\d+)", ran.stderr)
    count = int(executed.group(1)) if executed else 0
    say(f"{target:7} guided: {count} inputs")
    return count, [ran.stderr[-2000:]] if ran.returncode else []


def main() -> None:
    """Run all of it."""
    options = parse_options(__doc__)
    share = QUICK_SHARE if options.quick else 1
    tasks = [
        (target, seed, count // share // 2) for target, count in FULL.items() for seed in (1, 2)
    ]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(_unguided, tasks))
        guided = []
        if importlib.util.find_spec("atheris") and not options.quick:
            guided = list(pool.map(_guided, FULL))
    escaped = [e for each in found for e in each["escaped"]]  # type: ignore[attr-defined]
    escaped += [e for _, errors in guided for e in errors]
    for each in escaped[:10]:
        say(f"ESCAPED: {each}")
    read, refused = (sum(int(f[k]) for f in found) for k in ("read", "refused"))  # type: ignore[call-overload]
    uncaught = sum(int(f["uncaught"]) for f in found)  # type: ignore[call-overload]
    finish(
        "fuzz",
        {
            "inputs": read + refused + uncaught,
            "uncaught": uncaught + sum(bool(errors) for _, errors in guided),
            "grown_mb": max(int(f["grown_kib"]) for f in found) / 1024,  # type: ignore[call-overload]
            "refused_share": refused / max(read + refused, 1),
            "guided_inputs": sum(count for count, _ in guided),
        },
    )


if __name__ == "__main__":
    main()
