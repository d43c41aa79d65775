"""Providers with different packages: who is asked, and what the recruiter reads otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client
from e2e_network import by_owner, network

import eco_dask
from eco_dask import EcoCluster
from eco_dask.cluster import ProviderSpec
from eco_dask.errors import NoEligibleProviderError, RemoteTaskError


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EcoCluster]:
    """Two providers without a package, and one that has it in version 1.2."""
    folder: Path = tmp_path_factory.mktemp("site")
    (folder / "shiny_tool.py").write_text("SHINE = 41\n")
    described = folder / "shiny_tool-1.2.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: shiny_tool\nVersion: 1.2\n")
    having = {"PYTHONPATH": str(folder)}
    providers = [
        ProviderSpec("ann"),
        ProviderSpec("bob"),
        ProviderSpec("shiny", environment=having),
    ]
    with network(providers=providers, sandbox="none", trusted_workers=0) as cluster:
        yield cluster


@pytest.fixture
def client(mixed: EcoCluster) -> Iterator[Client]:
    with Client(mixed, set_as_default=True) as client:
        yield client


def shine(x: int) -> int:
    from shiny_tool import SHINE

    return SHINE + x


def test_only_providers_with_the_package_are_asked(mixed: EcoCluster, client: Client) -> None:
    with eco_dask.job(require={"packages": {"Shiny.Tool": ">=1,<2"}}, quorum=1) as job:
        results = client.gather(client.map(shine, range(20), pure=False))
    assert results == [41 + x for x in range(20)]
    assert job.report().reasons == {"agreed": 20}
    assert by_owner(mixed, "shiny")["tasks"] >= 20


def test_a_need_that_nobody_meets_fails_at_once_and_says_who_lacks_what(client: Client) -> None:
    with eco_dask.job(require={"packages": {"shiny-tool": ">=2"}}, quorum=1):
        future = client.submit(shine, 1, pure=False)
    with pytest.raises(NoEligibleProviderError) as failure:
        future.result(timeout=30)
    text = str(failure.value)
    assert "shiny-tool>=2: 3 of 3 providers" in text
    for owner in ("ann", "bob"):
        assert f"{owner} (" in text
    assert "has 1.2" in text
    assert text.count("has none") == 2


def test_who_lacks_an_unstated_module_gives_the_task_back_and_is_not_blamed(
    mixed: EcoCluster, client: Client
) -> None:
    with eco_dask.job(quorum=1) as job:
        results = client.gather(client.map(shine, range(10), pure=False))
    assert results == [41 + x for x in range(10)]
    assert set(job.report().reasons) <= {"agreed", "declined"}
    for owner in ("ann", "bob"):
        assert by_owner(mixed, owner)["strikes"] == 0
        assert by_owner(mixed, owner)["dissented"] == 0


def test_a_module_that_nobody_has_is_an_error_that_names_who_lacks_it(client: Client) -> None:
    def absent() -> None:
        import nowhere_to_be_found  # noqa: F401

    with eco_dask.job(quorum=2):
        future = client.submit(absent, pure=False)
    with pytest.raises(ModuleNotFoundError) as failure:
        future.result(timeout=60)
    assert isinstance(failure.value, RemoteTaskError)
    text = str(failure.value)
    assert "No module named 'nowhere_to_be_found' at " in text
    assert "require={'packages': {'nowhere_to_be_found': ''}}" in text
    # One may be starting a runner for the new job while the others are asked.
    assert sum(f"{owner} (" in text for owner in ("ann", "bob", "shiny")) >= 2
