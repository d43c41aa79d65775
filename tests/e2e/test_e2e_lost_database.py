"""The books' database goes away, connection by connection and as a whole: nothing is lost."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed import Client
from e2e_network import network, until
from sqlalchemy import create_engine, make_url, text

from eco_dask.testing import honest

sys.path.insert(0, str(Path(__file__).parents[1] / "ledger"))
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from chaos_books import check_books
from postgres_server import BINARIES, PostgresServer, newest_binaries

pytestmark = pytest.mark.e2e
TASKS, CUTS = 40, 20
OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    binaries = newest_binaries()
    if binaries is None:
        pytest.skip(f"no PostgreSQL server in {BINARIES}")
    with PostgresServer(binaries) as server:
        yield server


@contextmanager
def cutting(url: str) -> Iterator[list[int]]:
    """End every connection to the database, again and again; the list counts them."""
    over, cut = threading.Event(), [0]
    admin = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )

    def cut_all() -> None:
        while not over.is_set():
            with admin.connect() as connection:
                cut[0] += len(connection.execute(text(OTHERS)).all())
            over.wait(0.4)

    cutter = threading.Thread(target=cut_all)
    cutter.start()
    try:
        yield cut
    finally:
        over.set()
        cutter.join()
        admin.dispose()


def double(i, wall_s=0.0):
    time.sleep(wall_s)
    return 2 * i


def test_connections_that_are_cut_and_a_crash_of_the_database_lose_no_points(
    server: PostgresServer,
) -> None:
    config = {"eco-dask.database": server.url}
    with (
        network(providers=honest("ann", "bob"), trusted_workers=0, config=config) as cluster,
        Client(cluster) as client,
    ):
        assert client.submit(double, 1, pure=False).result(60) == 2
        with cutting(server.url) as cut:
            # However fast it works, and it goes on working while they are cut.
            while cut[0] < CUTS:
                futures = client.map(double, range(TASKS), pure=False)
                assert client.gather(futures) == [2 * i for i in range(TASKS)]

        futures = client.map(double, range(TASKS), wall_s=0.1, pure=False)
        until(lambda: sum(f.done() for f in futures) >= 5, "some results")
        server.crash()
        assert not all(f.done() for f in futures)
        server.start()
        assert client.gather(futures) == [2 * i for i in range(TASKS)]
        log = (cluster.data_directory / "logs" / "gateway.log").read_text()
        assert "refused a batch" not in log
    found = check_books(server.url)
    assert (found.off_mpt, found.paid_twice, found.complaints) == (0, 0, [])
    assert found.paid_mpt > 0
