"""The owner's page and the owner's commands, asked by others: who has no token learns nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

from eco_dask.agent.conduct import Order
from eco_dask.agent.local_page import CONTROL_FILE, LocalPage
from eco_dask.agent.settings_file import SettingsFile


class Ordered:
    """Takes orders."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def give(self, order: Order) -> None:
        self.orders.append(order)


class Visit:
    """One page, and how it is asked."""

    def __init__(self, folder: Path) -> None:
        self.conduct = Ordered()
        self.settings = SettingsFile(folder / "worker.yaml")
        self.page = LocalPage(folder, self.conduct, self.settings, lambda: {"state": "working"})

    async def ask(self, path: str, body=None, *, token: str | None = "", **headers) -> HTTPResponse:
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.page.token}"
        return await AsyncHTTPClient(force_instance=True).fetch(
            f"http://127.0.0.1:{self.page.port}{path}",
            method="GET" if body is None else "POST",
            body=None if body is None else json.dumps(body),
            headers=headers,
            raise_error=False,
        )


def visit(folder: Path, story: Callable) -> Visit:
    async def run() -> Visit:
        found = Visit(folder)
        try:
            await story(found)
        finally:
            found.page.close()
        return found

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "body"),
    [("/state", None), ("/order", {"order": "stop"}), ("/config", {"name": "a", "value": "b"})],
)
@pytest.mark.parametrize("how", ["no token", "another token", "another host", "another origin"])
def test_strangers_are_refused(tmp_path: Path, path, body, how) -> None:
    async def story(at: Visit) -> None:
        headers = {
            "another host": {"Host": f"evil.example:{at.page.port}"},
            "another origin": {"Origin": "http://evil.example"},
        }.get(how, {})
        token = {"no token": None, "another token": "x"}.get(how, "")
        answer = await at.ask(path, body, token=token, **headers)
        assert answer.code in {401, 403}
        assert json.loads(answer.body).keys() == {"error"}

    assert visit(tmp_path, story).conduct.orders == []


def test_the_owner_sees_orders_and_changes(tmp_path: Path) -> None:
    async def story(at: Visit) -> None:
        seen = json.loads((await at.ask("/state")).body)
        assert seen["state"] == "working"
        assert seen["settings"]["presence.on-battery"] is False
        origin = {"Origin": f"http://127.0.0.1:{at.page.port}"}
        for order in ("pause", "run", "finish", "stop"):
            assert (await at.ask("/order", {"order": order}, **origin)).code == 200
        changed = await at.ask("/config", {"name": "presence.idle", "value": "2 minutes"})
        assert json.loads(changed.body) == {"name": "presence.idle", "value": "2 minutes"}

    found = visit(tmp_path, story)
    assert found.conduct.orders == ["pause", "run", "finish", "stop"]
    assert found.settings.read() == {"presence.idle": "2 minutes"}


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/order", {"order": "explode"}, "run, pause, finish, stop"),
        ("/order", ["pause"], "no map"),
        ("/config", {"name": "presence.idle", "value": "100 %"}, "duration"),
        ("/config", {"name": "presence.idel", "value": "1"}, "no setting"),
        ("/config", {"name": 3}, "texts"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(tmp_path: Path, path, body, words) -> None:
    async def story(at: Visit) -> None:
        answer = await at.ask(path, body)
        assert answer.code == 400
        assert words in json.loads(answer.body)["error"]

    assert visit(tmp_path, story).conduct.orders == []


def test_the_page_itself_holds_no_secret_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    async def story(at: Visit) -> None:
        for path in ("/", "/page.css", "/page.js"):
            answer = await at.ask(path, token=None)
            assert answer.code == 200
            assert at.page.token not in answer.body.decode()
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert b"http://" not in answer.body
            assert b"https://" not in answer.body
        assert (await at.ask("/page.html", token=None)).code == 404

    visit(tmp_path, story)


def test_the_way_to_a_running_agent_is_its_owner_s_only_and_ends_with_it(tmp_path: Path) -> None:
    async def story(at: Visit) -> None:
        file = tmp_path / CONTROL_FILE
        assert file.stat().st_mode & 0o077 == 0
        assert json.loads(file.read_text())["token"] == at.page.token
        assert at.page.link.endswith(f"/#{at.page.token}")

    visit(tmp_path, story)
    assert not (tmp_path / CONTROL_FILE).exists()
