"""How jobs, reports and clusters show themselves: in Dask's style, escaped, and as text."""

from __future__ import annotations

import pytest
from shown_page import Page

import eco_dask
from eco_dask.display.show import card_html
from eco_dask.report import JobReport
from eco_dask.types import JobId

HOSTILE = "<script>alert('eco')</script>"


def report(**changes: object) -> JobReport:
    terms = {
        "name": HOSTILE, "id": JobId("job-1"), "tasks": 10, "done": 9, "erred": 1, "accepted": 8,
        "attempts": 12, "spent_mpt": 12_345, "reasons": {"agreed": 12}, "elapsed_s": 3.25,
        "caught": ((HOSTILE, "c0ffee" * 4, "dissented", 2), ("bob", "b" * 32, "withheld", 1)),
    } | changes  # fmt: skip
    return JobReport(**terms)  # type: ignore[arg-type]


def test_a_report_shows_all_that_its_text_says() -> None:
    page = Page(report()._repr_html_())
    for label, text in report().facts():
        assert text in page.text
        assert f"{label.capitalize()}:" in page.text
    assert repr(report()) == str(report())
    assert "12.345 points" in repr(report())
    assert page.text.count("Caught:") == 2


def test_a_report_of_nothing_is_shown() -> None:
    nothing = report(name="", tasks=0, done=0, erred=0, accepted=0, attempts=0, spent_mpt=0,
                     reasons={}, elapsed_s=None, caught=())  # fmt: skip
    assert "0 of 0 done" in Page(nothing._repr_html_()).text


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"error": 1e-4}, "wrong with at most 0.0001"),
        ({"quorum": 2, "trusted": True}, "2 owners agree"),
        ({"budget": 500}, "500 points"),
        ({"require": {"gpu": True, "packages": {"xarray": ">=2"}}}, "gpu, package:xarray>=2"),
        ({}, "no limit"),
    ],
)
def test_a_job_shows_its_terms(terms: dict, words: str) -> None:
    job = eco_dask.job(HOSTILE, **terms)
    assert words in repr(job)
    page = Page(job._repr_html_())
    assert words in page.text
    assert HOSTILE in page.text


def test_a_job_shows_where_it_stands() -> None:
    job = eco_dask.job("trend")
    assert "not started" in repr(job)
    with job:
        assert "open for" in repr(job)
    assert "over" in repr(job)
    assert repr(job).startswith("<Job 'trend' ")


def test_only_addresses_of_pages_become_links() -> None:
    rows = {
        "Dashboard": "http://127.0.0.1:8787/status",
        "Evil": "javascript:alert(1)",
        "None": None,
    }
    page = Page(card_html("Thing", HOSTILE, rows, (HOSTILE,)))
    assert page.links == ["http://127.0.0.1:8787/status"]
    assert page.text.count(HOSTILE) == 2
