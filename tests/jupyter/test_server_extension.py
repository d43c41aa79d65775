"""The routes of a real Jupyter server: who may use them, whom they ask, and what they never say."""

from __future__ import annotations

import re
import stat
import urllib.request
from http.cookiejar import CookieJar

import pytest
from jupyter_process import TOKEN, JupyterServer
from made_coordinator import MadeCoordinator

from eco_dask.jupyter.handlers import ROUTES as SERVED

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def made():
    with MadeCoordinator() as made:
        yield made


@pytest.fixture(scope="module")
def server(made, tmp_path_factory):
    settings = {"coordinators": [{"url": made.url, "name": "made", "token": made.token}]}
    with JupyterServer(tmp_path_factory.mktemp("jupyter"), settings) as server:
        yield server


@pytest.fixture
def made_id(server):
    (found,) = [
        c for c in server.ask("eco-dask/coordinators")[1]["coordinators"] if c["name"] == "made"
    ]
    return found["id"]


KEY = "0123456789ab"
ROUTES = [
    ("GET", "coordinators"),
    ("POST", "coordinators"),
    ("DELETE", f"coordinators/{KEY}"),
    ("GET", f"c/{KEY}/jobs"),
    ("POST", f"c/{KEY}/jobs/job-1/cancel"),
    ("GET", "machine"),
    ("POST", "machine"),
    ("PATCH", "machine"),
    ("DELETE", "machine"),
    ("POST", "clusters"),
    ("DELETE", f"clusters/{KEY}"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("token", [None, "another-login-token"])
def test_nobody_gets_in_without_the_login_of_jupyter(server, method, path, token):
    status, _, said = server.ask(f"eco-dask/{path}", method, {}, token=token)
    assert status == 403
    assert "made" not in said


@pytest.fixture(scope="module")
def logged_in(server):
    """The cookies of a browser that logged in."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar := CookieJar()))
    browser.open(f"{server.url}api/status?token={TOKEN}").close()
    return {"Cookie": "; ".join(f"{each.name}={each.value}" for each in jar)}


def test_the_cookies_of_a_login_open_what_only_reads(server, logged_in):
    assert server.ask("eco-dask/machine", token=None, headers=logged_in)[0] == 200


@pytest.mark.parametrize(("method", "path"), [r for r in ROUTES if r[0] != "GET"])
def test_another_site_cannot_use_the_login_of_a_browser(server, logged_in, method, path):
    """Browsers send cookies along; the XSRF token they do not."""
    status, found, _ = server.ask(f"eco-dask/{path}", method, {}, token=None, headers=logged_in)
    assert (status, "_xsrf" in found["message"]) == (403, True)


def test_all_routes_are_tried_here():
    tried = {
        (method, handler)
        for method, path in ROUTES
        for pattern, handler in SERVED
        if re.fullmatch(pattern, path)
    }
    served = {
        (method, handler)
        for _, handler in SERVED
        for method in ("GET", "POST", "DELETE", "PUT", "PATCH")
        if method.lower() in vars(handler)
    }
    assert served <= tried


def test_coordinators_are_listed_without_tokens(server, made):
    status, found, said = server.ask("eco-dask/coordinators")
    assert (status, found["may_add"], found["may_share"]) == (200, True, True)
    (listed,) = [c for c in found["coordinators"] if c["name"] == "made"]
    assert (listed["url"], listed["source"], listed["has_token"]) == (made.url, "settings", True)
    assert made.token not in said


@pytest.mark.parametrize("path", ["summary", "jobs?limit=2", "providers", "series/watts"])
def test_figures_come_through_and_the_token_does_not(server, made, made_id, path):
    status, found, said = server.ask(f"eco-dask/c/{made_id}/{path}")
    assert (status, bool(found)) == (200, True)
    assert made.token not in said
    assert made.seen[-1][2] == f"Bearer {made.token}"


def test_what_has_not_changed_is_not_sent_again(server, made, made_id):
    made.instead["jobs"] = (304, {"Etag": 'W/"1"'}, "")
    try:
        same = {"If-None-Match": 'W/"1"'}
        status, _, said = server.ask(f"eco-dask/c/{made_id}/jobs", headers=same)
    finally:
        made.instead.clear()
    assert (status, 'W/"1"' in said) == (304, True)


def test_a_job_is_cancelled_for_the_browser(server, made, made_id):
    status, _, said = server.ask(f"eco-dask/c/{made_id}/jobs/job-1/cancel", "POST", {})
    assert status == 200
    assert made.seen[-1][:2] == ("POST", "/eco/api/v1/jobs/job-1/cancel")
    assert made.token not in said


@pytest.mark.parametrize("path", ["receipts", "events", "..%2f..%2fstatus", "jobs/a/b", "info"])
def test_other_pages_of_a_coordinator_are_not_reached(server, made, made_id, path):
    before = len(made.seen)
    status, _, _ = server.ask(f"eco-dask/c/{made_id}/{path}")
    assert (status, len(made.seen)) == (404, before)


@pytest.mark.parametrize(
    "path", [f"c/{KEY}/summary", "c/127.0.0.1/summary", "c/http:%2f%2f127.0.0.1/summary"]
)
def test_no_other_coordinator_is_asked(server, path):
    status, _, said = server.ask(f"eco-dask/{path}")
    assert status == 404, said


class TestLinks:
    def test_a_link_is_tried_kept_and_forgotten(self, server):
        with MadeCoordinator("another-token-42") as other:
            link = {"link": f"{other.url}/#token={other.token}", "name": "other"}
            status, added, said = server.ask("eco-dask/coordinators", "POST", link)
            assert (status, added["source"], added["has_token"]) == (201, "link", True)
            assert other.token not in said
            status, jobs, said = server.ask(f"eco-dask/c/{added['id']}/jobs")
            assert (status, bool(jobs["jobs"])) == (200, True)
            assert other.token not in said
            kept = server.data_directory / "jupyter-links.json"
            assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert server.ask(f"eco-dask/coordinators/{added['id']}", "DELETE")[0] == 204
        assert server.ask(f"eco-dask/c/{added['id']}/jobs")[0] == 404
        assert other.token not in kept.read_text()

    @pytest.mark.parametrize(
        "link",
        [
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "http://eco.example/#token=abc",
            "hello",
        ],
    )
    def test_a_link_to_no_coordinator_is_refused(self, server, link):
        status, found, said = server.ask("eco-dask/coordinators", "POST", {"link": link})
        assert (status, found["reason"]) == (409, "ConfigurationError")
        assert "abc" not in said

    def test_another_server_is_no_coordinator_and_stays_unseen(self, server):
        with MadeCoordinator() as other:
            other.instead["summary"] = (200, {}, "<h1>internal page</h1>")
            status, _, said = server.ask("eco-dask/coordinators", "POST", {"link": other.url})
            assert (status, "internal" in said) == (502, False)
        listed = server.ask("eco-dask/coordinators")[1]["coordinators"]
        assert other.url not in [each["url"] for each in listed]

    @pytest.mark.parametrize("body", [{}, {"link": ""}, {"link": 3}, {"url": "x"}, [1]])
    def test_a_body_of_another_form_is_refused(self, server, body):
        assert server.ask("eco-dask/coordinators", "POST", body)[0] == 400


def test_a_coordinator_that_ends_is_said_in_words(server):
    with MadeCoordinator() as other:
        added = server.ask("eco-dask/coordinators", "POST", {"link": other.url})[1]
    status, found, _ = server.ask(f"eco-dask/c/{added['id']}/summary")
    assert (status, found["reason"]) == (504, "CoordinatorError")
    assert "does not answer" in found["message"]
    server.ask(f"eco-dask/coordinators/{added['id']}", "DELETE")


def test_the_log_holds_no_token(server, made, made_id):
    server.ask(f"eco-dask/c/{made_id}/jobs")
    assert made.token not in server.log.read_text()
