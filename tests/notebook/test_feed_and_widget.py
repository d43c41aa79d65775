"""The live view without a notebook: what a real scheduler's answers become, and how it ends."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from distributed import Client, LocalCluster

import eco_dask
from eco_dask.display.show import monitor_html
from eco_dask.errors import ConfigurationError
from eco_dask.notebook import entry
from eco_dask.notebook.feed import Feed, News
from eco_dask.notebook.terminal import TextMonitor
from eco_dask.notebook.widget import MonitorWidget
from eco_dask.testing.snapshots import full


class Told:
    """Remembers news, until it has had enough."""

    def __init__(self, enough: Callable[[News], bool]) -> None:
        self.news: list[News] = []
        self.over = threading.Event()
        self._enough = enough

    def __call__(self, news: News) -> bool:
        self.news.append(news)
        if self._enough(news):
            self.over.set()
            return False
        return True

    def wait(self) -> list[News]:
        assert self.over.wait(30), "no such news"
        return self.news


@pytest.fixture
def plain_client() -> Iterator[Client]:
    """A client of a scheduler without our plugin."""
    with (
        LocalCluster(0, processes=False, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=True) as client,
    ):
        yield client


@pytest.fixture
def client(plain_client: Client) -> Client:
    """A client of a scheduler that answers with a sample, a second later each time."""
    told = iter(range(1_000_000))

    async def eco_snapshot(**_: Any) -> dict[str, Any]:
        sample = full()
        return replace(sample, at_s=sample.at_s + next(told)).to_plain()

    plain_client.cluster.scheduler.handlers["eco_snapshot"] = eco_snapshot
    return plain_client


def test_news_come_until_nobody_wants_them(client: Client) -> None:
    told = Told(lambda news: news.snapshot["at_s"] >= full().at_s + 2)
    Feed(client, 0.2, told).start()
    assert [news.snapshot["at_s"] - full().at_s for news in told.wait()] == [0, 1, 2]


def test_a_closed_client_ends_the_feed_with_the_reason(client: Client) -> None:
    told = Told(lambda news: news.last)
    Feed(client, 0.2, lambda news: (client.loop.add_callback(client._close), told(news))[1]).start()
    assert "client is closed" in told.wait()[-1].trouble


def test_a_scheduler_of_plain_dask_is_named_as_such(plain_client: Client) -> None:
    told = Told(lambda news: news.last)
    Feed(plain_client, 0.2, told).start()
    assert "no eco_dask plugin" in told.wait()[-1].trouble
    assert "no eco_dask plugin" in repr(TextMonitor(plain_client))
    with pytest.raises(ConfigurationError, match="no eco_dask plugin"):
        TextMonitor(plain_client).text()


def test_a_terminal_gets_the_numbers_of_now_as_text(client: Client) -> None:
    shown = eco_dask.monitor(client)
    assert isinstance(shown, TextMonitor)
    assert "mean of the north sea: running" in repr(shown)
    assert eco_dask.monitor().text().startswith("eco_dask at ")


def test_the_widget_holds_the_page_the_text_and_the_trouble(client: Client) -> None:
    widget = MonitorWidget(client, 0.2)
    try:
        told = threading.Event()
        widget.observe(lambda change: change["new"] >= 2 and told.set(), "beat")
        assert told.wait(30)
        assert "mean of the north sea" in widget.html
        assert "mean of the north sea" in repr(widget)
        widget.take(News(trouble="The scheduler does not answer."))
        assert widget.trouble
        # The last numbers stay.
        assert "mean of the north sea" in widget.html
        bundle, _ = widget._repr_mimebundle_()
        assert "mean of the north sea" in bundle["text/plain"]
        assert "application/vnd.jupyter.widget-view+json" in bundle
    finally:
        widget.close()
    assert widget.take(News(full().to_plain())) is False


def test_the_widget_shows_the_very_page_of_the_snapshot(client: Client) -> None:
    widget = MonitorWidget(client, 60)
    widget.take(News(full().to_plain()))
    assert widget.html == monitor_html(full().to_plain())
    widget.close()


def test_a_notebook_gets_one_widget_for_each_client(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry, "in_notebook", lambda: True)
    first = eco_dask.monitor(client)
    assert eco_dask.monitor(client) is first
    slower = eco_dask.monitor(client, interval="2 s")
    assert slower is not first
    assert first.is_over
    slower.close()
    assert eco_dask.monitor(client) is not slower
    eco_dask.monitor(client).close()


@pytest.mark.parametrize("absent", ["anywidget", "ipywidgets"])
def test_without_anywidget_a_notebook_is_told_what_to_install(
    absent: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry, "in_notebook", lambda: True)
    monkeypatch.setitem(sys.modules, absent, None)
    for name in [n for n in sys.modules if n.partition(".")[0] == "anywidget"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "eco_dask.notebook.widget")
    with pytest.raises(ConfigurationError, match=r"pip install 'eco-dask\[jupyter\]'"):
        eco_dask.monitor(client)


def test_without_a_client_there_is_nothing_to_monitor() -> None:
    with pytest.raises(ConfigurationError, match="no Dask client"):
        eco_dask.monitor()


def test_a_very_short_interval_is_refused(client: Client) -> None:
    with pytest.raises(ConfigurationError, match=r"0\.2 s"):
        eco_dask.monitor(client, interval=0.01)
