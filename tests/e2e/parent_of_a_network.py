"""A recruiter's script: starts a network, says which processes that took, and waits."""

import sys
import time

import psutil
from distributed import Client

from eco_dask import EcoCluster


def forever(n):
    while True:
        n += 1


def tripled(x):
    return 3 * x


if __name__ == "__main__":
    with (
        EcoCluster(n_providers=2, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        assert client.gather(client.map(tripled, range(4))) == [0, 3, 6, 9]
        future = client.submit(forever, 0)
        while not any(client.processing().values()):
            time.sleep(0.05)
        pids = [p.pid for p in psutil.Process().children(recursive=True)]
        print(cluster.data_directory, *pids, flush=True)  # noqa: T201  what the test reads
        sys.stdin.read()
