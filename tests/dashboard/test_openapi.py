"""The API is as its document says: schemathesis asks what the document allows, and what not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from served_books import ServedBooks

from eco_dask.dashboard.http.routes import PATHS, document


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with ServedBooks(tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture(scope="module")
def api(served: ServedBooks):
    return schemathesis.openapi.from_url(f"{served.url}/openapi.json")


# Streams have no end, and are tested by themselves.
READ = [path for path in PATHS if path != "/events"]
#: What has no parameters cannot be asked wrongly.
CASES = [(path, GenerationMode.POSITIVE) for path in READ] + [
    (path, GenerationMode.NEGATIVE) for path in READ if "{" in path or PATHS[path][0].parameters
]


@pytest.mark.parametrize(("path", "mode"), CASES, ids=str)
def test_the_api_is_as_its_document_says(path: str, mode, api, served: ServedBooks) -> None:
    method = "POST" if path.endswith("/cancel") else "GET"
    headers = {"Authorization": f"Bearer {served.tokens['operator']}"}
    operation = api[path][method]

    # Always the same requests: now and then Schemathesis means one to be wrong that, once sent,
    # is not, and nobody could tell from a broken build.
    @settings(
        derandomize=True, max_examples=8, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case) -> None:
        try:
            case.call_and_validate(headers=headers, timeout=20)
        except FailureGroup as failures:
            raise AssertionError([str(each)[:600] for each in failures.exceptions]) from None

    check()


def test_the_document_names_every_route_and_every_parameter() -> None:
    found = document()
    assert list(found["paths"]) == list(PATHS)
    for path, (handler, _) in PATHS.items():
        (operation,) = found["paths"][path].values()
        asked = {p["name"] for p in operation["parameters"] if p["in"] == "query"}
        assert asked == set(handler.parameters)
        assert operation["summary"]


def test_the_page_for_people_names_every_route() -> None:
    page = Path("docs/api.md").read_text()
    named = re.findall(r"^\| `(GET|POST) (/\S+)` \|", page, re.MULTILINE)
    served = {
        (method.upper(), path)
        for path, operations in document()["paths"].items()
        for method in operations
    }
    assert set(named) == served
