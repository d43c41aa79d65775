"""What a provider says of its packages, and what a job says that it needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

import eco_dask
from eco_dask.errors import ConfigurationError, RegistrationError
from eco_dask.providers.detect import installed_packages
from eco_dask.providers.packages import (
    NEEDS_MAX,
    PackageNeed,
    list_packages,
    need_of,
    package_tags,
    read_packages,
    satisfied,
)
from eco_dask.wire.messages import PACKAGES_MAX


@pytest.mark.parametrize(
    ("versions", "installed", "met"),
    [
        (">=2024", "2025.1.0", True),
        (">=2024", "2023.12", False),
        (">=2024", None, False),
        ("", "0.1", True),
        ("*", "0.1", True),
        (True, "0.1", True),
        ("", None, False),
        (">=2,<3", "2.4.1+cu121", True),
        ("==2.*", "3.0", False),
        ("~=1.4.2", "1.4.9", True),
        # A pre-release that is installed counts as what it is.
        (">=2.0", "2.1rc1", True),
        (">=2.1", "2.1rc1", False),
    ],
)
def test_a_need_is_met_by_versions_as_pip_reads_them(versions, installed, met) -> None:
    assert PackageNeed.of("xarray", versions).accepts(installed) is met


def test_names_are_those_of_the_package_index_however_they_are_written() -> None:
    for name in ("scikit_learn", "Scikit-Learn", "scikit.learn"):
        assert PackageNeed.of(name, ">=1").tag == "package:scikit-learn>=1"


@pytest.mark.parametrize(
    "packages",
    [
        {"xarray": "2024"},
        {"xarray": 2024},
        {"xarray": ">=" + "9" * 200},
        {"": ""},
        {"no name": ""},
        {"x" * 100: ""},
        {7: ""},
        ["xarray"],
        {f"p{i}": "" for i in range(NEEDS_MAX + 1)},
    ],
)
def test_what_is_no_need_is_refused_before_anything_is_sent(packages) -> None:
    with pytest.raises(ConfigurationError, match="require="):
        package_tags(packages)


def test_a_jobs_packages_become_tags_beside_its_other_tags() -> None:
    spec = eco_dask.job(require={"linux": True, "packages": {"xarray": ">=2024,<2027"}}).spec
    assert spec.require == ("linux", "package:xarray<2027,>=2024")
    assert type(spec).from_annotation(spec.to_annotation()) == spec


@pytest.mark.parametrize("require", [{"gpu": 2}, {"packages": "xarray"}, {"package": {}}])
def test_other_forms_of_require_are_refused_with_the_right_one(require) -> None:
    with pytest.raises(ConfigurationError, match="require="):
        eco_dask.job(require=require)


@pytest.mark.parametrize("tag", ["package:", "package:>=1", "package:a b", "package:x>=="])
def test_a_tag_that_starts_like_a_package_and_is_none_is_refused(tag) -> None:
    with pytest.raises(ConfigurationError):
        need_of(tag)


def test_other_tags_are_no_needs() -> None:
    assert [need_of(tag) for tag in ("linux", "gpu", "packages", "")] == [None] * 4


def test_what_is_installed_here_survives_the_way_to_the_gateway() -> None:
    listed = installed_packages()
    packages = read_packages(listed)
    assert len(packages) == len(listed) > 10
    assert Version(packages["dask"]) >= Version("2026.8")


def test_versions_that_nobody_can_compare_are_left_out() -> None:
    assert list_packages({"Odd_Name": "1.0", "dated": "2004d", "none": "", "no name": "1"}) == (
        "odd-name==1.0",
    )


@pytest.mark.parametrize(
    "listed",
    [
        ("numpy",),
        ("numpy==",),
        ("numpy==one",),
        ("NumPy==1",),
        ("-==1",),
        ("x==" + "1" * 200,),
        ("<b>==1",),
        tuple(f"p{i}==1" for i in range(PACKAGES_MAX + 1)),
    ],
)
def test_hostile_lists_are_refused_with_a_bounded_message(listed) -> None:
    with pytest.raises(RegistrationError) as refusal:
        read_packages(listed)
    assert refusal.value.code == "bad-packages"
    assert len(str(refusal.value)) < 300


@given(st.lists(st.text(max_size=128), max_size=5))
def test_any_list_is_read_or_refused(listed) -> None:
    try:
        packages = read_packages(listed)
    except RegistrationError:
        return
    assert all(str(Version(version)) == version for version in packages.values())


def test_the_tags_of_a_provider_are_those_of_the_needs_it_meets() -> None:
    needs = [PackageNeed.of("a", ">=2"), PackageNeed.of("a", "<2"), PackageNeed.of("b", "")]
    assert satisfied(needs, {"a": "2.1"}) == {"package:a>=2"}
    assert satisfied(needs, {"a": "1", "b": "0"}) == {"package:a<2", "package:b"}
