"""What owners declare: strict as it comes from strangers, and the basis of CO2e and cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.energy.declared import Declared, machine_classes, terms_of
from eco_dask.energy.intensity import static_table

FRANCE = Declared("FRA", 0.2516, "EUR", "laptop", 16, True, 45.0, "rapl")


def test_it_comes_back_as_it_went() -> None:
    assert Declared.from_map(FRANCE.to_map()) == FRANCE
    assert Declared.from_map({}) == Declared()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"zone": "france"}, "a zone is a code"),
        ({"zone": None}, "a zone is a code"),
        ({"zone": "A" * 17}, "a zone is a code"),
        ({"currency": "euro"}, "a currency is a code"),
        ({"machine": "toaster"}, "a machine is one of laptop"),
        ({"machine": ["laptop"]}, "a machine is one of laptop"),
        ({"threads": 0}, "threads are 1 to"),
        ({"threads": True}, "threads are 1 to"),
        ({"threads": 2.0}, "threads are 1 to"),
        ({"dedicated": 1}, "dedicated is true or false"),
        ({"price_per_kwh": -0.1}, "price_per_kwh is a number"),
        ({"price_per_kwh": float("nan")}, "price_per_kwh is a number"),
        ({"price_per_kwh": "0.25"}, "price_per_kwh is a number"),
        ({"rated_w": float("inf")}, "rated_w is a number"),
        ({"rated_w": True}, "rated_w is a number"),
        ({"basis": 3}, "basis is a text"),
        ({"watts": 3}, "unknown facts about energy: 'watts'"),
    ],
)
def test_what_is_malformed_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Declared.from_map(fields)


_facts = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())
_names = st.sampled_from(sorted(FRANCE.to_map())) | st.text()


@given(st.dictionaries(_names, _facts, max_size=8))
def test_whatever_a_stranger_declares_is_read_or_refused(facts: dict[str, Any]) -> None:
    try:
        read = Declared.from_map(facts)
    except ValueError:
        return
    assert Declared.from_map(read.to_map()) == read


def test_the_terms_follow_from_place_and_machine() -> None:
    terms = terms_of(FRANCE, static_table())
    assert (terms.intensity.zone, terms.intensity.warning) == ("FRA", "")
    assert terms.machine is not None
    assert terms.machine.threads == 16
    silent = terms_of(Declared(), static_table())
    assert silent.machine is None
    assert "declared no country" in silent.intensity.warning


def test_a_price_is_as_exact_as_it_was_written() -> None:
    assert FRANCE.price == Decimal("0.2516")
    assert Declared().price is None


def test_the_kinds_of_machines_are_those_of_the_table() -> None:
    assert machine_classes() == ("laptop", "laptop-personal", "desktop", "server")
