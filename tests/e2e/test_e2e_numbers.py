"""Every surface says the same of one instant: books, RPC, HTTP API, commands, pages, widget."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from distributed import Client
from e2e_network import QUICK, until

import eco_dask
from eco_dask import EcoCluster
from eco_dask.cli.main import eco
from eco_dask.dashboard.model import Snapshot
from eco_dask.ledger.accounts import owner_account
from eco_dask.ledger.database import open_database
from eco_dask.ledger.energy_totals import NETWORK
from eco_dask.ledger.store import Ledger
from eco_dask.ledger.tokens import Scope, TokenStore
from eco_dask.notebook.widget import MonitorWidget
from eco_dask.providers.registry import Registry
from eco_dask.testing import honest, misbehaving


@pytest.fixture(scope="module")
def quiet() -> Iterator[Quiet]:
    """A network after a job with a liar in it, once nothing moves any more."""
    # It always lies: on a busy machine it may be so slow that it gets a task or two only.
    fleet = (*honest("ann", "bob", "cem"), misbehaving("liar", "lie:1"))
    with (
        EcoCluster(
            providers=fleet, config=QUICK | {"eco-dask.dashboard.open-to": "operator"}
        ) as cluster,
        Client(cluster) as client,
    ):
        with eco_dask.job("numbers", quorum=2, recruiter="eve", budget=500) as job:
            assert client.gather(client.map(double, range(60), pure=False)) == [
                2 * n for n in range(60)
            ]
        yield Quiet(cluster, client, str(job.id))


def double(n: int) -> int:
    time.sleep(0.01)
    return 2 * n


class Quiet:
    """The surfaces of one network."""

    def __init__(self, cluster: EcoCluster, client: Client, job: str) -> None:
        self.cluster, self.client, self.job = cluster, client, job
        self.database = f"sqlite:///{cluster.data_directory / 'coordinator.sqlite'}"
        engine = open_database(self.database)
        at_s = time.time()
        self.token = TokenStore(engine).new(Scope("operator"), at_s, at_s + 600)
        engine.dispose()
        until(self._is_quiet, "nothing moves", 60)

    def snapshot(self) -> dict[str, Any]:
        plain = self.client.sync(self.client.scheduler.eco_snapshot, age_s=0)
        return json.loads(json.dumps(plain))

    def api(self, path: str) -> dict[str, Any]:
        url = self.cluster.dashboard_link.replace("/status", f"/eco/api/v1{path}")
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=20) as found:
            return json.loads(found.read())

    def command(self, *arguments: str) -> str:
        folder = str(self.cluster.data_directory)
        found = CliRunner().invoke(eco, [*arguments, "--data-directory", folder])
        assert found.exit_code == 0, found.output
        return found.stdout

    def _is_quiet(self) -> bool:
        first = self.snapshot()
        time.sleep(2.5)  # the books' energy is read again after two seconds
        second = self.snapshot()
        busy = second["network"]["leases_live"] or second["points"]["pending_mpt"]
        return not busy and still(first) == still(second)


def still(snapshot: dict[str, Any]) -> dict[str, Any]:
    """What does not change while nothing happens: not the time, nor power, nor the own energy."""
    kept = {name: it for name, it in snapshot.items() if name not in ("at_s", "energy", "jobs")}
    jobs = [{k: it for k, it in job.items() if k != "energy"} for job in snapshot.get("jobs", ())]
    return kept | {"jobs": jobs}


def test_the_snapshot_says_what_the_database_does(quiet: Quiet) -> None:
    snapshot = Snapshot.from_plain(quiet.snapshot())
    engine = open_database(quiet.database)
    ledger, registry = Ledger(engine), Registry(engine)
    totals = {t.provider: t for t in ledger.provider_totals()}
    assert {p.id for p in snapshot.providers} == {r.id for r in registry.providers()}
    assert sum(p.tasks for p in snapshot.providers) > 120
    for provider in snapshot.providers:
        known = totals.get(provider.id)
        assert (provider.tasks, provider.agreed, provider.dissented, provider.posted_mpt) == (
            (known.tasks, known.agreed, known.dissented, known.posted_mpt) if known else (0,) * 4
        )
        assert provider.strikes == registry.provider(provider.id).strikes
        assert provider.connected
    for owner in snapshot.owners:
        balance = ledger.balance(owner_account(owner.name))
        assert (owner.posted_mpt, owner.pending_mpt) == (balance.posted_mpt, balance.pending_mpt)
    (job,) = [each for each in snapshot.jobs if each.id == quiet.job]
    books = ledger.job_totals(quiet.job)
    assert (job.attempts, job.accepted, job.spent_mpt, job.by_reason) == (
        books.attempts, books.ballots_accepted, books.spent_mpt, dict(books.by_reason),
    )  # fmt: skip
    assert (job.name, job.state, job.tasks, job.done) == ("numbers", "done", 60, 60)
    assert {c.owner for c in job.caught} == {"liar"}
    assert sum(c.times for c in job.caught) == sum(n for *_, n in ledger.job_faults(quiet.job))
    points = snapshot.points
    assert points.posted_mpt == sum(o.posted_mpt for o in snapshot.owners)
    assert points.spent_mpt == points.posted_mpt == -ledger.balance("recruiter:eve").posted_mpt
    energy = ledger.energy_totals("network")[NETWORK]
    assert snapshot.energy.unknown_runs == energy.unknown_runs
    for provider in snapshot.providers:
        known = ledger.energy_totals("provider").get(provider.id)
        if known is not None and known.figures is not None:
            assert provider.energy.marginal_uj == known.figures.marginal_uj
    engine.dispose()


def test_the_api_says_what_the_snapshot_does(quiet: Quiet) -> None:
    snapshot = quiet.snapshot()
    for part in ("network", "points"):
        assert quiet.api(f"/{part}") | {"at_s": 0} == snapshot[part] | {"at_s": 0}
    verification = quiet.api("/verification")
    assert sum(each["owners"] for each in verification.pop("credibility_bins")) > 0
    del snapshot["verification"]["credibility_bins"], verification["at_s"]
    assert verification == snapshot["verification"]
    assert quiet.api("/tasks")["tasks"] == snapshot["verification"]["kinds"]
    listed = {each["id"]: each for each in quiet.api("/providers?limit=1000")["providers"]}
    for provider in snapshot["providers"]:
        assert listed[provider["id"]] == provider
        one = quiet.api(f"/providers/{provider['id']}")
        del one["at_s"]
        assert one == provider
    for owner in snapshot["owners"]:
        one = quiet.api(f"/owners/{owner['name']}")
        del one["at_s"], one["providers"]
        assert one == owner
    jobs = quiet.api("/jobs")["jobs"]
    assert still({"jobs": jobs}) == still({"jobs": snapshot["jobs"]})
    alone = quiet.api(f"/jobs/{quiet.job}")
    assert still({"jobs": [alone]}) == still({"jobs": snapshot["jobs"]})
    receipts = quiet.api("/receipts?limit=1000")["receipts"]
    assert len(receipts) == snapshot["verification"]["attempts"]
    assert sum(r["amount_mpt"] for r in receipts) == snapshot["points"]["posted_mpt"]


def test_the_commands_say_what_the_snapshot_does(quiet: Quiet) -> None:
    snapshot = quiet.snapshot()
    known = {p["id"]: p for p in snapshot["providers"]}
    for row in json.loads(quiet.command("providers", "--json")):
        same = ("owner", "tasks", "agreed", "dissented", "posted_mpt", "strikes", "connected")
        assert {name: row[name] for name in same} == {n: known[row["id"]][n] for n in same}
    (row,) = json.loads(quiet.command("jobs", "--json"))
    (job,) = snapshot["jobs"]
    assert row["totals"]["attempts"] == job["attempts"]
    assert row["totals"]["spent_mpt"] == job["spent_mpt"]
    balances = {b["account"]: b for b in json.loads(quiet.command("balance", "--json"))}
    for owner in snapshot["owners"]:
        if owner["posted_mpt"]:
            assert balances[f"owner:{owner['name']}"]["posted_mpt"] == owner["posted_mpt"]
    shown = quiet.command("top", "--once")
    assert f"{snapshot['points']['posted_mpt'] / 1000:,.3f} paid" in shown
    assert f"by {snapshot['verification']['attempts']} attempts" in shown
    assert "60 of 60" in shown


def test_the_widget_says_what_the_snapshot_does(quiet: Quiet) -> None:
    widget = MonitorWidget(quiet.client, 0.5)
    try:
        until(lambda: widget.html, "the widget heard of the network")
    finally:
        widget.close()
    found = re.findall(r'data-eco="([^"]*)" data-value="([^"]*)"', widget.html)
    shown = {path: value for path, value in found if ".energy." not in path}
    snapshot = quiet.snapshot()
    jobs = {job["id"]: job for job in snapshot["jobs"]}
    for path, value in shown.items():
        part, *keys = path.split(".")
        if part == "energy":
            continue  # the coordinator's own goes on while one looks
        fact = jobs[keys[0]][keys[1]] if part == "jobs" else snapshot[part][keys[0]]
        assert value == ("" if fact is None else str(fact)), path
    assert f"jobs.{quiet.job}.spent_mpt" in shown
    assert {path.partition(".")[0] for path in shown} >= {"network", "verification", "points"}


def test_metrics_and_history_say_what_the_snapshot_does(quiet: Quiet) -> None:
    snapshot = quiet.snapshot()
    url = quiet.cluster.dashboard_link.replace("/status", "/metrics")
    with urllib.request.urlopen(url, timeout=20) as found:
        text = found.read().decode()
    posted = re.search(r"^dask_eco_posted_points_total (\S+)$", text, re.MULTILINE)
    assert float(posted[1]) == snapshot["points"]["posted_mpt"] / 1000
    slots = re.search(r"^dask_eco_slots (\S+)$", text, re.MULTILINE)
    assert float(slots[1]) == snapshot["network"]["slots"]
    last = until(lambda: recorded(quiet, snapshot), "the history has it", 40)
    assert last == snapshot["verification"]["attempts"]


def recorded(quiet: Quiet, snapshot: dict[str, Any]) -> float | None:
    # Of a shorter time, so in the finest step.
    samples = quiet.api(f"/series/attempts?since={snapshot['at_s'] - 600:.0f}")["samples"]
    return samples[-1][1] if samples and samples[-1][0] > snapshot["at_s"] - 15 else None


def test_the_report_says_what_the_snapshot_does(quiet: Quiet) -> None:
    (job,) = quiet.snapshot()["jobs"]
    found = quiet.client.sync(quiet.client.scheduler.eco_job, job=quiet.job)
    assert found["totals"]["attempts"] == job["attempts"]
    assert found["progress"]["done"] == job["done"]
    assert sum(times for *_, times in found["faults"]) == sum(c["times"] for c in job["caught"])


def sources(quiet: Quiet, page: str) -> list[dict[str, list[Any]]]:
    """The columns of all tables and figures of a page, as a browser's Bokeh gets them."""
    from bokeh.client import pull_session
    from bokeh.models import ColumnDataSource

    session = pull_session(url=quiet.cluster.dashboard_link.replace("/status", f"/{page}"))
    try:
        found = session.document.select({"type": ColumnDataSource})
        return [{name: list(values) for name, values in it.data.items()} for it in found]
    finally:
        session.close()


def rows(quiet: Quiet, page: str, key: str, *others: str) -> dict[str, tuple[Any, ...]]:
    """The rows by ``key`` of the source of a page that has all of these columns."""

    def look() -> dict[str, tuple[Any, ...]]:
        for data in sources(quiet, page):
            if {key, *others} <= data.keys() and data[key]:
                return dict(
                    zip(data[key], zip(*(data[it] for it in others), strict=True), strict=True)
                )
        return {}

    return until(look, f"the page {page} shows {key} and {others}")


def test_the_pages_say_what_the_snapshot_does(quiet: Quiet) -> None:
    from eco_dask.dashboard.pages.formats import label

    snapshot = Snapshot.from_plain(quiet.snapshot())
    owners = rows(quiet, "eco-points", "owner", "tasks", "agreed", "dissented", "posted", "pending")
    assert owners == {
        o.name: (o.tasks, o.agreed, o.dissented, o.posted_mpt / 1000, o.pending_mpt / 1000)
        for o in snapshot.owners
    }
    machines = rows(quiet, "eco", "id", "owner", "tasks", "agreed", "dissented", "strikes")
    assert machines == {
        label(p.id, 16): (p.owner, p.tasks, p.agreed, p.dissented, p.strikes)
        for p in snapshot.providers
    }


def test_a_running_job_is_cancelled_through_the_api(quiet: Quiet) -> None:
    with eco_dask.job("long", quorum=2, recruiter="eve") as job:
        futures = quiet.client.map(long, range(40), pure=False)
    until(lambda: quiet.api("/network")["leases_live"] > 0, "leases are out")
    url = quiet.cluster.dashboard_link.replace("/status", f"/eco/api/v1/jobs/{job.id}/cancel")
    request = urllib.request.Request(
        url, method="POST", headers={"Authorization": f"Bearer {quiet.token}"}
    )
    with urllib.request.urlopen(request, timeout=20) as found:
        assert json.loads(found.read())["state"] == "cancelled"
    until(lambda: any(future.cancelled() for future in futures), "the client knows")
    until(lambda: quiet.snapshot()["network"]["tasks_waiting"] == 0, "the gateway let go")
    assert quiet.client.submit(double, 21, pure=False).result(timeout=60) == 42
    assert quiet.api(f"/jobs/{job.id}")["state"] == "cancelled"


def long(n: int) -> int:
    time.sleep(0.5)
    return n
