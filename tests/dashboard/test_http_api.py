"""The HTTP API: every route, who may ask it, pages, tags, and what never comes out."""

from __future__ import annotations

import json
import re
import time

import pytest
from served_books import SCOPES, ServedBooks

from eco_dask.dashboard.http.routes import PATHS
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with ServedBooks(tmp_path_factory.mktemp("served")) as served:
        yield served


def filled(served: ServedBooks, path: str) -> str:
    """A path with names of things that there are; of ada and eve."""
    for part, name in (
        ("providers/{provider}", f"providers/{served.providers['ada-0']}"),
        ("owners/{name}", "owners/ada"),
        ("series/{name}", "series/connected"),
        ("jobs/{job}", "jobs/old-0"),
    ):
        path = path.replace(part, name)
    return path + "?limit=1" if path == "/events" else path


#: What each scope gets: public, operator, recruiter, recruiter:eve, recruiter:zoe, owner:ada, bob.
ALL, NOBODY_PUBLIC = (200,) * 7, (401, *(200,) * 6)
EXPECTED = {
    "/summary": ALL,
    "/openapi.json": ALL,
    "/events": ALL,
    "/network": NOBODY_PUBLIC,
    "/verification": NOBODY_PUBLIC,
    "/points": NOBODY_PUBLIC,
    "/energy": NOBODY_PUBLIC,
    "/series/{name}": NOBODY_PUBLIC,
    "/providers": NOBODY_PUBLIC,
    "/providers/{provider}": (401, 200, 200, 200, 200, 200, 403),
    "/owners/{name}": (401, 200, 403, 403, 403, 200, 403),
    "/tasks": (401, 200, 200, 200, 200, 403, 403),
    "/jobs": (401, 200, 200, 200, 200, 403, 403),
    # Of jobs of earlier versions nobody knows whose they were.
    "/jobs/{job}": (401, 200, 200, 404, 404, 403, 403),
    "/jobs/{job}/cancel": (401, 200, 200, 404, 404, 403, 403),
    "/receipts": (401, 200, 200, 403, 403, 200, 200),
}


@pytest.mark.parametrize("path", PATHS)
def test_a_route_opens_for_its_scopes_alone(path: str, served: ServedBooks) -> None:
    method = "POST" if path.endswith("/cancel") else "GET"
    found = [served.get(filled(served, path), it, method=method) for it in (None, *SCOPES)]
    assert tuple(reply.status for reply in found) == EXPECTED[path]
    for reply in found:
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        if reply.status >= 400:
            assert reply.json["error"]
            assert ("WWW-Authenticate" in reply.headers) == (reply.status == 401)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", ["expired", "revoked", "eco_x.y", "", "eco_abcd." + "A" * 32])
def test_a_wrong_token_opens_nothing_not_even_what_is_public(
    path: str, token: str, served: ServedBooks
) -> None:
    method = "POST" if path.endswith("/cancel") else "GET"
    assert served.get(filled(served, path), token, method=method).status == 401


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "bearer  ", "Bearer a b"])
def test_a_strange_header_opens_nothing(header: str, served: ServedBooks) -> None:
    assert served.get("/summary", Authorization=header).status == 401


def test_a_token_in_the_address_is_refused(served: ServedBooks) -> None:
    assert served.get(f"/jobs?token={served.tokens['operator']}").status == 401
    assert served.get(f"/summary?token={served.tokens['operator']}").status == 400


UNKNOWN = {
    "/providers/nobody": (404, "operator"),
    "/owners/nobody": (404, "operator"),
    "/jobs/nobody": (404, "operator"),
    "/series/nothing": (404, "operator"),
    "/nothing": (404, "operator"),
    "/jobs?after=nothing": (404, "operator"),
    "/receipts?after=nothing": (404, "operator"),
    "/": (404, "operator"),
    "": (404, "operator"),
    "/providers/nobody ": (404, "operator"),
    "/owners/bob": (403, "owner:ada"),
    "/receipts?owner=bob": (403, "owner:ada"),
    "/providers?owner=bob": (403, "owner:ada"),
    "/receipts?job=old-0": (403, "recruiter:eve"),
}


@pytest.mark.parametrize("path", UNKNOWN)
def test_what_is_not_there_or_foreign_is_refused_in_words(path: str, served: ServedBooks) -> None:
    status, scope = UNKNOWN[path]
    reply = served.get(path.replace(" ", "%20"), scope)
    assert (reply.status, bool(reply.json["error"])) == (status, True)


WRONG = [
    "/jobs?limit=0", "/jobs?limit=201", "/jobs?limit=x", "/jobs?limit=-1", "/jobs?limit=%C2%B2",
    "/jobs?limit=1&limit=2", "/jobs?state=odd", "/jobs?other=1",
    "/providers?limit=1001", "/providers?after=", "/receipts?limit=1e3",
    "/series/connected?since=nan", "/series/connected?since=inf", "/series/connected?points=1",
    "/series/connected?until=1_0", "/receipts?job=%C2%85", f"/receipts?job={'x' * 201}",
]  # fmt: skip


@pytest.mark.parametrize("path", WRONG)
def test_a_wrong_question_is_refused_and_not_repeated(path: str, served: ServedBooks) -> None:
    reply = served.get(path, "operator")
    assert reply.status == 400
    assert re.fullmatch(r"[ -~]+", reply.json["error"])
    assert "x" * 20 not in reply.text


def pages(served: ServedBooks, name: str, scope: str, limit: int, **query: str) -> list[dict]:
    found, after, rest = [], None, "".join(f"&{key}={it}" for key, it in query.items())
    while True:
        path = f"/{name}?limit={limit}{rest}" + (f"&after={after}" if after else "")
        page = served.get(path, scope).json
        assert len(page[name]) <= limit
        found += page[name]
        after = page["next"]
        if after is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_hold_everything_once(limit: int, served: ServedBooks) -> None:
    ids = [each["id"] for each in pages(served, "providers", "operator", limit)]
    assert ids == sorted(served.providers.values())
    assert [j["id"] for j in pages(served, "jobs", "recruiter", limit)] == [
        "old-2", "old-1", "old-0",
    ]  # fmt: skip
    assert pages(served, "jobs", "recruiter:eve", limit) == []
    leases = [r["lease"] for r in pages(served, "receipts", "operator", max(limit, 2))]
    assert leases == [f"lease-{n:02d}" for n in reversed(range(25))]


def test_an_owner_sees_the_own_and_nothing_else(served: ServedBooks) -> None:
    own = {i for name, i in served.providers.items() if name.startswith("ada")}
    assert {p["id"] for p in pages(served, "providers", "owner:ada", 1)} == own
    receipts = pages(served, "receipts", "owner:ada", 7)
    assert len(receipts) == 20
    assert {r["owner"] for r in receipts} == {"ada"}
    owner = served.get("/owners/ada", "owner:ada").json
    assert {p["id"] for p in owner["providers"]} == own
    assert owner["posted_mpt"] == sum(r["amount_mpt"] for r in receipts)
    assert owner["pending_mpt"] == 77
    for path in EXPECTED:
        if "bob" not in path:
            text = served.get(filled(served, path), "owner:ada").text
            assert served.providers["bob-1"] not in text, path


def test_what_is_public_names_nobody(served: ServedBooks) -> None:
    for path in ("/summary", "/events?limit=1"):
        text = served.get(path).text
        for name in (*served.providers.values(), '"ada"', '"bob"', '"eve"', "script", "tcp:"):
            assert name not in text


def test_only_the_operator_sees_whom_the_network_believes(served: ServedBooks) -> None:
    for scope in SCOPES[1:]:
        assert served.get("/verification", scope).json["credibility_bins"] is None


def test_what_has_not_changed_is_not_sent_again(served: ServedBooks) -> None:
    for path in ("/providers?limit=2", "/jobs", "/receipts", "/openapi.json", "/points"):
        first = served.get(path, "operator")
        tag = first.headers["ETag"]
        again = served.get(path, "operator", If_None_Match=tag)
        assert (again.status, again.text, again.headers["ETag"]) == (304, "", tag)
        assert served.get(path, "operator", If_None_Match='W/"other"').status == 200
    other = served.get("/providers?limit=2&owner=bob", "operator")
    assert other.headers["ETag"] != served.get("/providers?limit=2", "operator").headers["ETag"]


def test_no_control_character_and_no_markup_comes_out(served: ServedBooks) -> None:
    for path in EXPECTED:
        reply = served.get(filled(served, path), "operator")
        assert re.fullmatch(r"[\n -~]*", reply.text), path
        kind = reply.headers["Content-Type"]
        assert kind.startswith(("application/json", "text/event-stream"))
        # As JSON's own escapes neither.
        assert not re.search(r"\\u00[01]|\\u202e|\\u001b", reply.text)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_taken(method: str, served: ServedBooks) -> None:
    reply = served.get("/jobs", "operator", method=method)
    assert (reply.status, reply.headers["Allow"]) == (405, "GET")
    assert served.get("/jobs/old-0/cancel", "operator").status == 405


def test_the_numbers_are_those_of_the_books(served: ServedBooks) -> None:
    engine = open_database(f"sqlite:///{served.folder / 'coordinator.sqlite'}")
    ledger = Ledger(engine)
    totals = {t.provider: t for t in ledger.provider_totals()}
    for provider in pages(served, "providers", "operator", 2):
        known = totals.get(provider["id"])
        assert provider["tasks"] == (known.tasks if known else 0)
        assert provider["posted_mpt"] == (known.posted_mpt if known else 0)
    for job in pages(served, "jobs", "operator", 2):
        known = ledger.job_totals(job["id"])
        assert (job["attempts"], job["accepted"], job["spent_mpt"]) == (
            known.attempts, known.ballots_accepted, known.spent_mpt,
        )  # fmt: skip
    points = served.get("/points", "operator").json
    assert points["posted_mpt"] == ledger.balance("owner:ada").posted_mpt
    assert points["spent_mpt"] == -ledger.balance("recruiter:eve").posted_mpt
    assert points["reserved_mpt"] == ledger.balance("recruiter:eve").reserved_mpt == 77
    assert points["zero_reasons"] == {"dissented": 5}
    assert "differed" in points["explanations"]["dissented"]
    engine.dispose()


def test_a_job_is_cancelled_for_its_recruiter_and_nobody_else(served: ServedBooks) -> None:
    job, futures = served.submit_slow_job("eve")
    path = f"/jobs/{job.id}/cancel"
    for scope in ("recruiter:zoe", "owner:ada", None):
        assert served.get(path, scope, method="POST").status in (401, 403, 404)
    assert served.get(f"/jobs/{job.id}", "recruiter:eve").json["state"] == "running"
    assert [j["id"] for j in pages(served, "jobs", "recruiter:eve", 5)] == [job.id]
    assert pages(served, "jobs", "recruiter:zoe", 5) == []
    ended = served.get(path, "recruiter:eve", method="POST").json
    assert ended["state"] == "cancelled"
    assert 0 < ended["tasks_cancelled"] <= 30
    # The client hears of it a moment later.
    deadline_s = time.monotonic() + 25
    while not any(future.cancelled() for future in futures):
        assert time.monotonic() < deadline_s, [future.status for future in futures]
        time.sleep(0.02)
    again = served.get(path, "recruiter:eve", method="POST").json
    assert again == ended | {"tasks_cancelled": 0}
    shown = served.get(f"/jobs/{job.id}", "recruiter:eve").json
    assert (shown["state"], shown["left_s"]) == ("cancelled", None)
    listed = pages(served, "jobs", "recruiter", 5, state="cancelled")
    assert job.id in [each["id"] for each in listed]

    async def still_works() -> int:
        return await served.client.submit(sum, [1, 2, 3])

    assert served.do(still_works()) == 6


def test_events_come_as_they_happen(served: ServedBooks) -> None:
    text = served.get("/events?limit=2", "operator").text
    events = [part for part in text.split("\n\n") if part.startswith("id:")]
    assert [event.split("\n")[:2] for event in events] == [
        ["id: 1", "event: snapshot"], ["id: 2", "event: snapshot"],
    ]  # fmt: skip
    first, second = (json.loads(event.partition("data: ")[2]) for event in events)
    assert first["at_s"] < second["at_s"]
    assert "jobs" in first
    own = served.get("/events?limit=1", "owner:ada").text
    (owner,) = json.loads(own.partition("data: ")[2])["owners"]
    assert owner["name"] == "ada"


def test_history_is_read_as_it_was_recorded(served: ServedBooks) -> None:
    store = served.plugin.series
    for number in range(20):
        store.record(1e6 + 15 * number, {"watts": float(number)})
    found = served.get("/series/watts?since=1000000&until=1000400", "owner:ada").json
    assert (found["unit"], found["step_s"], len(found["samples"])) == ("W", 15, 20)
    few = served.get("/series/watts?since=1000000&until=1000400&points=4", "operator").json
    assert len(few["samples"]) <= 4
    assert few["samples"][-1][1] == 19
