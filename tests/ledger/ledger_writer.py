"""A process that writes to a ledger: python ledger_writer.py URL FIRST LAST BATCH.

Says "ready", waits for a line, then reserves and posts 7 mpt for every number from FIRST to
LAST - 1, BATCH numbers at a time. After each batch it says how many entries were new, and how far
it got; what it said is acknowledged.
"""

from __future__ import annotations

import sys

from ledger_examples import post, reserve

from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger

AMOUNT_MPT = 7


def entries_of(first: int, last: int) -> list:
    numbers = range(first, last)
    reserves = [reserve(f"n{number}", AMOUNT_MPT) for number in numbers]
    return reserves + [post(f"n{number}:post", f"n{number}", AMOUNT_MPT) for number in numbers]


def main(url: str, first: int, last: int, batch: int) -> None:
    print("ready", flush=True)  # noqa: T201  the parent reads it
    sys.stdin.readline()
    ledger = Ledger(open_database(url))
    for start in range(first, last, batch):
        end = min(start + batch, last)
        print(ledger.apply(entries_of(start, end)), end, flush=True)  # noqa: T201  the parent reads it


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
