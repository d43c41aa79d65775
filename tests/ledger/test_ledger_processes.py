"""Ledger: several processes write at once, and processes die."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from ledger_examples import ALICE
from ledger_writer import AMOUNT_MPT, entries_of
from sqlalchemy import func, select

import eco_dask.errors
from eco_dask.ledger import tables
from eco_dask.ledger.book import Balance
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger

Writer = subprocess.Popen[str]


@pytest.fixture
def start_writer(url: str) -> Iterator[Callable[[int, int, int], Writer]]:
    """Start a writer that waits for its signal; none outlives the test."""
    package = Path(eco_dask.errors.__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": str(package)}
    script = Path(__file__).with_name("ledger_writer.py")

    with ExitStack() as stack:

        def start(first: int, last: int, batch: int) -> Writer:
            writer = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, script, url, *map(str, (first, last, batch))],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env=environment,
                )
            )
            stack.callback(writer.kill)
            assert writer.stdout.readline() == "ready\n"
            return writer

        yield start


def go(writer: Writer) -> None:
    writer.stdin.write("go\n")
    writer.stdin.flush()


def test_two_processes_that_open_and_write_at_once_take_in_every_entry_once(
    start_writer: Callable[[int, int, int], Writer], url: str
) -> None:
    # 200 entries each, of which both have those of the numbers 50 to 99.
    writers = [start_writer(0, 100, 1), start_writer(50, 150, 3)]
    for writer in writers:
        go(writer)
    outputs = [writer.communicate()[0].split("\n")[:-1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert sum(int(line.split()[0]) for output in outputs for line in output) == 300

    engine = open_database(url)
    ledger = Ledger(engine)
    assert ledger.total_mpt() == 0
    assert ledger.balance(ALICE) == Balance(150 * AMOUNT_MPT, 0, 0)
    assert ledger.apply(entries_of(0, 150)) == 0
    engine.dispose()


def test_a_killed_writer_loses_nothing_it_acknowledged_and_leaves_no_half_batch(
    start_writer: Callable[[int, int, int], Writer], url: str
) -> None:
    batch = 5
    writer = start_writer(0, 10**9, batch)
    go(writer)
    for _ in range(30):
        writer.stdout.readline()
    writer.kill()
    unread = writer.stdout.read().split("\n")[:-1]
    acknowledged = int(unread[-1].split()[1]) if unread else 30 * batch

    engine = open_database(url)
    ledger = Ledger(engine)
    assert ledger.total_mpt() == 0
    assert ledger.apply(entries_of(0, acknowledged)) == 0
    with engine.connect() as connection:
        counts = [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (tables.entries_reserve, tables.entries_resolve)
        ]
    assert counts[0] == counts[1]
    assert counts[0] % batch == 0
    assert acknowledged <= counts[0] <= acknowledged + batch
    assert ledger.balance(ALICE) == Balance(counts[0] * AMOUNT_MPT, 0, 0)
    engine.dispose()
