"""Needs of jobs become tags of the providers that meet them; messages say who lacks what."""

from __future__ import annotations

import pytest

from eco_dask.engine.actions import CapabilityMissing, LostTooOften, NobodyEligible
from eco_dask.engine.facts import Provider
from eco_dask.errors import NoEligibleProviderError, RemoteTaskError
from eco_dask.gateway.environments import NEEDS_KEPT, Environments, module_name, who_lacks
from eco_dask.gateway.failures import Lacking, failure_error
from eco_dask.gateway.session import Session
from eco_dask.wire.limits import WireLimits

NEW, OLD = "package:xarray>=2024", "package:xarray<2024"


def session(owner: str, **packages: str) -> Session:
    provider = Provider(f"{owner}-0123456789", owner, "provider", frozenset({"linux"}), 1)
    return Session(provider, WireLimits(), 1, packages=packages)


def test_a_need_is_new_once() -> None:
    environments = Environments()
    assert environments.learn({"linux", NEW})
    assert not environments.learn({NEW})
    assert environments.learn({NEW, OLD})
    assert not environments.learn({"linux"})


def test_providers_get_the_tags_of_the_needs_that_are_known_and_keep_their_own() -> None:
    environments, here = Environments(), session("ann", xarray="2025.1")
    assert environments.tagged(here.provider, here.packages) == here.provider
    environments.learn({NEW, OLD})
    tagged = environments.tagged(here.provider, here.packages)
    assert tagged.tags == {"linux", NEW}
    # Described anew with other packages, it loses what it no longer meets.
    assert environments.tagged(tagged, {"xarray": "2023.1"}).tags == {"linux", OLD}


def test_needs_are_bounded_and_the_one_not_asked_for_longest_goes_first() -> None:
    environments = Environments()
    environments.learn({"package:first"})
    environments.learn({NEW})
    environments.learn({"package:first"})
    for i in range(NEEDS_KEPT - 1):
        environments.learn({f"package:p{i}"})
    assert environments.learn({NEW})
    assert not environments.learn({f"package:p{NEEDS_KEPT - 2}"})


def test_who_lacks_what_names_owners_versions_and_how_many_more() -> None:
    there = [session("ann", xarray="2023.1"), session("bob"), session("eve", xarray="2025.1")]
    assert who_lacks({NEW, "linux"}, there) == (
        "xarray>=2024: 2 of 3 providers, ann (ann-0123) has 2023.1, bob (bob-0123) has none"
    )
    assert who_lacks({"linux"}, there) == ""
    many = [session(f"o{i}") for i in range(9)]
    assert who_lacks({NEW}, many).endswith("o4 (o4-01234) has none and 4 more")


def test_a_need_that_nobody_meets_fails_with_who_lacks_what() -> None:
    lacking = Lacking("xarray>=2024: 1 of 1 providers, bob (b) has none")
    text = str(failure_error("k", CapabilityMissing({NEW}, {NEW}), None, lacking))
    assert NEW in text
    assert text.endswith("Who lacks what: xarray>=2024: 1 of 1 providers, bob (b) has none.")


@pytest.mark.parametrize("failure", [LostTooOften(9), NobodyEligible((), 1, 2, False, 300.0)])
def test_a_module_that_providers_lack_ends_in_the_error_it_would_be_at_home(failure) -> None:
    lacking = Lacking(modules={"sklearn.svm": {"bob (b1)", "ann (a1)"}})
    error = failure_error("k", failure, None, lacking)
    assert isinstance(error, ModuleNotFoundError)
    assert isinstance(error, RemoteTaskError)
    for words in ("No module named 'sklearn.svm' at ann (a1), bob (b1)", "{'sklearn': ''}"):
        assert words in str(error)
    assert isinstance(failure_error("k", failure), NoEligibleProviderError)


@pytest.mark.parametrize(
    ("text", "name"),
    [("a.b_c", "a.b_c"), ("", None), ("<b>", None), ("a" * 200, None), ("a\n", None), ("é", None)],
)
def test_only_names_of_modules_reach_a_message(text, name) -> None:
    assert module_name(text) == name
