"""Coordinators that need no link: those of a notebook's client, and those that the panel starts."""

from __future__ import annotations

import asyncio
import json
import time

import dask
import pytest
from distributed import Client, LocalCluster
from jupyter_process import JupyterServer

from eco_dask import EcoCluster
from eco_dask.jupyter import asking
from eco_dask.jupyter.announced import announce, announced
from eco_dask.jupyter.coordinators import Coordinator
from eco_dask.jupyter.local import LocalLinks
from eco_dask.ledger.database import open_database
from eco_dask.ledger.tokens import TokenStore

pytestmark = pytest.mark.e2e
QUICK = {"eco-dask.gateway.benchmark-steps": 2, "eco-dask.gateway.benchmark-size": 64}


@pytest.fixture(scope="module")
def cluster():
    with EcoCluster(1, trusted_workers=0, config=QUICK, name="net") as cluster:
        yield cluster


@pytest.fixture
def home(tmp_path):
    with dask.config.set({"eco-dask.data-directory": str(tmp_path)}):
        yield tmp_path


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with JupyterServer(tmp_path_factory.mktemp("jupyter"), {}) as server:
        yield server


def opened(cluster, token):
    """What a token opens in the books of a cluster."""
    engine = open_database(f"sqlite:///{cluster.data_directory / 'coordinator.sqlite'}")
    try:
        return str(TokenStore(engine).scope_of(token, time.time()))
    finally:
        engine.dispose()


class TestAnnounce:
    def test_a_clusters_client_tells_where_it_is_and_nothing_secret(self, cluster, home):
        with Client(cluster) as client:
            said = announce(client)
        (found,) = announced(home)
        assert said == {"id": found.link.id, "name": "net"}
        assert f"{found.link.url}/status" == cluster.dashboard_link
        assert found.scheduler == cluster.scheduler_address
        assert opened(cluster, found.link.token) == "recruiter"

    def test_a_client_by_address_gets_a_token_from_the_scheduler(self, cluster, home):
        with Client(cluster.scheduler_address):
            said = announce()
        (found,) = announced(home)
        assert said["id"] == found.link.id
        assert f"{found.link.url}/status" == cluster.dashboard_link
        assert opened(cluster, found.link.token) == "recruiter"

    def test_a_dashboard_with_tls_is_told_as_such_and_answers(self, home):
        with (
            EcoCluster(n_providers=0, trusted_workers=0, dashboard_address=":0") as beyond,
            Client(beyond.scheduler_address),
        ):
            announce()
            (found,) = announced(home)
            assert f"{found.link.url}/status" == beyond.dashboard_link
            assert found.link.url.startswith("https://")
            link, scheduler = LocalLinks().find(beyond.data_directory, time.time())
            assert (link.url, link.pin) == (found.link.url, found.link.pin)
            assert scheduler == beyond.scheduler_address
            for each in (found.link, link):
                # Nobody but the coordinator has signed its certificate.
                read = asking.read(Coordinator(each, "beyond", "notebook"), "jobs", {})
                assert json.loads(asyncio.run(read).body)["jobs"] == []

    def test_no_client_and_other_schedulers_are_no_news(self, home):
        assert announce() is None
        with (
            LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", processes=False) as other,
            Client(other) as client,
        ):
            assert announce(client) is None
        assert announced(home) == []

    def test_looking_again_makes_no_other_token(self, cluster, home):
        with Client(cluster) as client:
            announce(client)
            (first,) = announced(home)
            announce(client)
            client.restart()
            assert announce(client) is not None
        assert [each.link.token for each in announced(home)] == [first.link.token]


def test_the_panel_starts_and_stops_a_cluster(server):
    status, started, said = server.ask("eco-dask/clusters", "POST", {"providers": 2})
    assert status == 201, said
    assert (started["source"], started["has_token"]) == ("panel", True)
    with Client(started["scheduler"]) as client:
        assert client.submit(sum, [1, 2, 3]).result(timeout=30) == 6
        assert announce(client) is not None
    listed = server.ask("eco-dask/coordinators")[1]["coordinators"]
    assert [each["name"] for each in listed] == [started["name"]]
    assert server.ask(f"eco-dask/clusters/{started['id']}", "DELETE")[0] == 204
    assert server.ask("eco-dask/coordinators")[1]["coordinators"] == []
    assert server.ask(f"eco-dask/clusters/{started['id']}", "DELETE")[0] == 404


@pytest.mark.parametrize("providers", [0, 65, "4", 2.5, None])
def test_a_cluster_of_no_sensible_size_is_not_started(server, providers):
    status, found, _ = server.ask("eco-dask/clusters", "POST", {"providers": providers})
    assert status in (400, 409)
    assert found["message"]


class TestMachine:
    def state(self, server, wanted, timeout_s=60):
        deadline_s = time.monotonic() + timeout_s
        while True:
            _, found, said = server.ask("eco-dask/machine")
            if wanted(found):
                return found, said
            assert time.monotonic() < deadline_s, said
            time.sleep(0.1)

    def test_this_machine_is_lent_and_taken_back(self, server, cluster):
        link = cluster.invite("the-owner")
        secret = link.rpartition("/")[2].split(".")[1]
        body = {"link": link, "slots": 1}
        status, found, said = server.ask("eco-dask/machine", "POST", body)
        assert (status, found["state"]) == (201, "running"), said
        assert secret not in said
        found, said = self.state(server, lambda s: any("Joined" in x for x in s["lines"]))
        assert secret not in said
        assert found["provider"] in [p["id"] for p in cluster.providers if p["connected"]]
        assert server.ask("eco-dask/machine", "POST", body)[0] == 409
        found, said = self.state(server, lambda s: (s["owned"] or {}).get("state") == "waiting")
        assert (found["owned"]["owner"], found["owned"]["paid_mpt"]) == ("the-owner", 0)
        control = json.loads((server.data_directory / "provider" / "control.json").read_text())
        assert control["token"] not in said
        for order, state in (("pause", "paused"), ("run", "waiting")):
            status, _, said = server.ask("eco-dask/machine", "PATCH", {"order": order})
            assert status == 200, said
            self.state(server, lambda s, state=state: s["owned"]["state"] == state)
        status, found, _ = server.ask("eco-dask/machine", "DELETE")
        assert (status, found["state"]) == (200, "off")
        assert server.ask("eco-dask/machine")[1]["owned"] is None
        # The link has served its one use: this machine's key is known, so no link is asked for.
        status, found, said = server.ask("eco-dask/machine", "POST", {})
        assert (status, found["state"]) == (201, "running"), said
        self.state(server, lambda s: any("Joined" in x for x in s["lines"]))
        server.ask("eco-dask/machine", "DELETE")

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"link": "hello"}, 409),
            ({"link": "eco-dask://h:1/x", "slots": 0}, 400),
            ({"slots": "2"}, 400),
            ({"memory": 4}, 400),
            ({"command": "rm"}, 400),
        ],
    )
    def test_an_offer_that_is_none_starts_nothing(self, server, body, status):
        assert server.ask("eco-dask/machine", "POST", body)[0] == status
        assert server.ask("eco-dask/machine")[1]["state"] == "off"

    @pytest.mark.parametrize("body", [{"order": "pause"}, {"order": "stop"}, {"order": "x"}, {}])
    def test_an_order_to_nobody_or_none_is_refused(self, server, body):
        status, found, _ = server.ask("eco-dask/machine", "PATCH", body)
        assert status in (400, 409)
        assert found["message"]

    def test_a_provider_that_cannot_start_says_why(self, server, cluster):
        body = {"link": cluster.invite("the-owner"), "memory": "much"}
        assert server.ask("eco-dask/machine", "POST", body)[0] == 201
        found, _ = self.state(server, lambda s: s["state"] == "failed")
        assert "much" in " ".join(found["lines"])


def test_an_operator_can_keep_the_machine(tmp_path):
    with JupyterServer(tmp_path, {"share": False}) as server:
        assert server.ask("eco-dask/coordinators")[1]["may_share"] is False
        assert server.ask("eco-dask/machine", "POST", {})[0] == 403


def test_what_the_panel_started_ends_with_the_server(tmp_path):
    with JupyterServer(tmp_path, {}) as server:
        _, started, said = server.ask("eco-dask/clusters", "POST", {"providers": 1})
        assert started is not None, said
    with pytest.raises(OSError, match="Timed out"):
        Client(started["scheduler"], timeout="1s")
