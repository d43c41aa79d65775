"""What the live view shows of a real network is what its books hold."""

from __future__ import annotations

import re
from html import unescape

from distributed import Client
from e2e_network import until

import eco_dask
from eco_dask import EcoCluster
from eco_dask.ledger.database import open_database
from eco_dask.ledger.store import Ledger
from eco_dask.notebook.widget import MonitorWidget

_FIGURE = re.compile(r'data-eco="([^"]*)" data-value="([^"]*)"')


def doubled(x: int) -> int:
    return 2 * x


def test_the_view_and_the_books_say_the_same(honest_network: EcoCluster, client: Client) -> None:
    with eco_dask.job("<i>shown</i>", quorum=2) as job:
        assert client.gather(client.map(doubled, range(20), pure=False)) == list(range(0, 40, 2))
    widget = MonitorWidget(client, 0.2)
    shown: dict[str, str] = {}

    def is_settled() -> bool:
        shown.update((unescape(path), value) for path, value in _FIGURE.findall(widget.html))
        return shown.get(f"jobs.{job.id}.done") == "20" and shown["network.slots_busy"] == "0"

    try:
        until(is_settled, "the view shows the job's end")
        books = open_database(honest_network._facts["database"])
        try:
            ledger = Ledger(books)
            totals, all_totals = ledger.job_totals(job.id), ledger.provider_totals()
        finally:
            books.dispose()
        assert shown[f"jobs.{job.id}.spent_mpt"] == str(totals.spent_mpt)
        assert shown["verification.agreed"] == str(sum(t.agreed for t in all_totals))
        assert shown["points.posted_mpt"] == str(sum(t.posted_mpt for t in all_totals))
        assert shown["network.providers_connected"] == "4"
        assert "&lt;i&gt;shown&lt;/i&gt;" in widget.html
        assert "<i>shown</i>: done" in repr(widget)
    finally:
        widget.close()


def test_a_cluster_shows_its_providers_as_text_and_as_a_card(honest_network: EcoCluster) -> None:
    assert repr(honest_network).startswith("EcoCluster(")
    assert "providers: 4 of 4 connected, slots: " in repr(honest_network)
    card = honest_network._repr_html_()
    for words in ("EcoCluster", "4 of 4 connected", honest_network.scheduler_address):
        assert words in card
