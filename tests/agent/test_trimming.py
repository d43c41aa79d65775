"""Freed memory goes back to the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

STORY = """
import psutil
from eco_dask.agent.trimming import trim
held = [bytes(1000) for _ in range(100_000)]
pinned = bytes(1000)
before = psutil.Process().memory_info().rss
del held
kept = psutil.Process().memory_info().rss
trim()
print(before - psutil.Process().memory_info().rss, kept - psutil.Process().memory_info().rss)
"""


def test_an_agent_that_idles_is_small_again() -> None:
    if sys.platform != "linux":
        pytest.skip("GNU's C library")
    done = subprocess.run(
        [sys.executable, "-c", STORY], capture_output=True, text=True, check=True, timeout=60
    )
    given_back, by_trimming = map(int, done.stdout.split())
    assert by_trimming >= 0
    assert given_back > 50_000_000
