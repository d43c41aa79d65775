"""check_compatible(): which software may work together."""

from __future__ import annotations

import pytest

from eco_dask.errors import RegistrationError
from eco_dask.providers.compatibility import check_compatible

OURS = {"python": "3.11.7", "dask": "2026.8.0", "eco_dask": "0.1.0", "protocol": "1"}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"python": "3.11.14"},
        {"python": "3.11.0rc1"},
        {"dask": "2026.8.1"},
        {"dask": "2026.8"},
        {"eco_dask": "0.2.7"},
        {"numpy": "1.0", "anything": "else"},
    ],
)
def test_near_enough_software_fits(changes: dict[str, str]) -> None:
    check_compatible(OURS | changes, OURS)


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"python": "3.12.7"}, "python-version", ["3.12.7", "3.11.7", "uv venv --python 3.11"]),
        ({"python": "2.11.7"}, "python-version", ["2.11.7"]),
        ({"python": "3.1"}, "python-version", ["3.1"]),
        ({"python": ""}, "python-version", ["''"]),
        ({"python": "3"}, "python-version", ["'3'"]),
        ({"python": "3.11.7\n"}, "python-version", ["3.11.7"]),
        ({"python": "\u0663.\u0661\u0661"}, "python-version", ["3.11"]),
        ({"dask": "2026.7.2"}, "dask-version", ["2026.7.2", "2026.8.0", 'pip install "dask==']),
        ({"dask": "2025.8.0"}, "dask-version", ["2025.8.0"]),
        ({"dask": "2026.8.0 evil"}, "dask-version", ["evil"]),
        ({"protocol": "2"}, "eco-dask-version", ["'2'", '"eco-dask==0.1.0"']),
        ({"protocol": "01"}, "eco-dask-version", ["'01'"]),
        ({"protocol": "2", "python": "3.9.1"}, "eco-dask-version", ["'2'"]),
    ],
)
def test_other_software_is_refused_with_what_to_install(
    changes: dict[str, str], code: str, says: list[str]
) -> None:
    with pytest.raises(RegistrationError) as refused:
        check_compatible(OURS | changes, OURS)
    assert refused.value.code == code
    assert all(part in str(refused.value) for part in says)


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        ("python", "python-version"),
        ("dask", "dask-version"),
        ("protocol", "eco-dask-version"),
    ],
)
def test_missing_versions_are_refused(missing: str, code: str) -> None:
    theirs = {name: version for name, version in OURS.items() if name != missing}
    with pytest.raises(RegistrationError, match="unknown") as refused:
        check_compatible(theirs, OURS)
    assert refused.value.code == code


def test_a_hostile_version_does_not_flood_the_message() -> None:
    with pytest.raises(RegistrationError) as refused:
        check_compatible(OURS | {"python": "9" * 100_000 + "\x1b[2J"}, OURS)
    assert len(str(refused.value)) < 400
    assert "\x1b" not in str(refused.value)
