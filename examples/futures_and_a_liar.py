"""Futures on a network in which one of four providers lies in half of its answers.

python examples/futures_and_a_liar.py
"""

from dask.distributed import Client, as_completed

import eco_dask
from eco_dask.testing.fleets import honest, misbehaving

PROVIDERS = [*honest("ada", "barbara", "charles"), misbehaving("mallory", "lie:0.5")]


def collatz_steps(start: int) -> int:
    steps = 0
    while start != 1:
        start = start // 2 if start % 2 == 0 else 3 * start + 1
        steps += 1
    return steps


def main() -> None:
    with eco_dask.EcoCluster(providers=PROVIDERS) as cluster, Client(cluster) as client:
        with eco_dask.job("collatz") as job:
            futures = client.map(collatz_steps, range(1, 41))
            longest = max(future.result() for future in as_completed(futures))
        print(f"Longest: {longest} steps")
        print(job.report())
        for provider in cluster.providers:
            print(f"{provider['owner']:10} {provider['agreed']:3} {provider['dissented']:3}")
    assert longest == max(map(collatz_steps, range(1, 41)))


if __name__ == "__main__":
    main()
