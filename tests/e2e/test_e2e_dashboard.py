"""The pages of a real coordinator: there from the start, and open to whom the settings say."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar

import pytest
from e2e_network import QUICK

from eco_dask import EcoCluster
from eco_dask.ledger.database import open_database
from eco_dask.ledger.tokens import Scope, TokenStore

pytestmark = pytest.mark.e2e
PAGES = ("eco", "eco-verification", "eco-points", "eco-energy", "eco-jobs", "eco-provider")


@pytest.fixture(scope="module")
def cluster() -> Iterator[EcoCluster]:
    config = QUICK | {"eco-dask.dashboard.open-to": "public"}
    with EcoCluster(
        1, trusted_workers=0, owners=["ada"], dashboard_address="127.0.0.1:0", config=config
    ) as made:
        yield made


class Browser:
    """Keeps cookies and follows redirects."""

    def __init__(self, cluster: EcoCluster) -> None:
        self._base = cluster.dashboard_link.removesuffix("/status")
        jar = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(jar)

    def open(self, path: str, **fields: str) -> tuple[int, str]:
        data = urllib.parse.urlencode(fields).encode() if fields else None
        try:
            with self._opener.open(f"{self._base}/{path}", data, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()


def token_for(cluster: EcoCluster, scope: str) -> str:
    engine = open_database(f"sqlite:///{cluster.data_directory / 'coordinator.sqlite'}")
    now_s = time.time()
    return TokenStore(engine).new(Scope.parse(scope), now_s, now_s + 3600)


def test_every_page_is_served_and_listed(cluster: EcoCluster) -> None:
    browser = Browser(cluster)
    listed = set(json.loads(browser.open("individual-plots.json")[1]).values())
    for path in PAGES:
        status, html = browser.open(path)
        assert status == 200
        assert 'class="eco-pages"' in html
    assert {"/individual-eco-network", "/individual-eco-provider"} <= listed


def test_dasks_own_pages_lead_to_them(cluster: EcoCluster) -> None:
    html = Browser(cluster).open("status")[1]
    for path in PAGES:
        assert f'<a href="{path}">' in html


def test_an_owners_token_opens_the_owners_page(cluster: EcoCluster) -> None:
    browser = Browser(cluster)
    assert "This page is an owner" in browser.open("eco-provider")[1]
    token = token_for(cluster, "owner:ada")
    status, html = browser.open("eco-sign-in", token=token, next="eco-provider")
    assert (status, "owner:ada" in html) == (200, True)
    assert token not in html
    html = browser.open("eco-sign-out", out="1")[1]
    assert "owner:ada" not in html
    assert "This page is an owner" in browser.open("eco-provider")[1]


@pytest.mark.parametrize("token", ["", "eco_abcdef.guessguessguessguess", "x" * 10_000])
def test_a_wrong_token_is_refused(cluster: EcoCluster, token: str) -> None:
    status, html = Browser(cluster).open("eco-sign-in", token=token, next="eco")
    assert status == 403
    assert "opens nothing" in html


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "status"])
def test_signing_in_leads_to_no_other_place(cluster: EcoCluster, elsewhere: str) -> None:
    token = token_for(cluster, "operator")
    status, html = Browser(cluster).open("eco-sign-in", token=token, next=elsewhere)
    assert (status, 'class="eco-pages"' in html) == (200, True)
