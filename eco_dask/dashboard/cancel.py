"""How a job is ended from outside: its clients lose its futures, Dask and gateways its tasks.

cancel_job(scheduler, job) ──► who wants what of it ──► released, and the clients told
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from distributed import Scheduler

from eco_dask.jobs import ANNOTATION
from eco_dask.types import JobId


def cancel_job(scheduler: Scheduler, job: JobId) -> int:
    """Take a job's results from the clients that wait for them; return how many tasks end.

    What nobody wants any more is forgotten by Dask, and gateways call its leases back. Results
    that are there already stay with their clients.
    """
    wanted: defaultdict[str, list[Any]] = defaultdict(list)
    ending = 0
    for key, ts in scheduler.tasks.items():
        if ((ts.annotations or {}).get(ANNOTATION) or {}).get("id") != job or ts.state == "memory":
            continue
        ending += ts.state != "erred"
        for client in ts.who_wants or ():
            wanted[client.client_key].append(key)
    keys = {key for theirs in wanted.values() for key in theirs}
    for client, theirs in wanted.items():
        scheduler.client_releases_keys(theirs, client)
    if keys:
        message = {"op": "cancelled-keys", "keys": list(keys), "reason": "eco-dask",
                   "msg": f"the job {job} was cancelled through the coordinator"}  # fmt: skip
        scheduler.report(message)
    return ending
