"""A job's terms: what contradicts itself is refused, the rest survives the way to the gateway."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eco_dask
from eco_dask.errors import ConfigurationError
from eco_dask.jobs import COMPARISONS, JobSpec

CONTRADICTIONS = {
    "both": (dict(quorum=2, error=1e-3), "either"),
    "no quorum at all": (dict(quorum=0), "at least 1"),
    "certain": (dict(error=0.0), "between 0 and 0.05"),
    "hopeless": (dict(error=0.06), "between 0 and 0.05"),
    "flowing without an error": (dict(flow_error=0.01), "goes with error="),
    "flowing at less than delivery": (dict(error=0.01, flow_error=0.001), "between error= and"),
    "flowing too freely": (dict(error=0.01, flow_error=0.1), "between error= and"),
    "two quorums": (dict(quorum=2, owners_min=3), "another name"),
    "unheard of": (dict(compare="roughly"), "auto, exact, close"),
    "free of charge": (dict(budget=0), "more than 0"),
    "tags as one word": (dict(require="gpu"), "set of tags"),
    "amounts": (dict(require={"memory": 4}), "tags to True"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_terms_that_make_no_sense_are_refused(name: str) -> None:
    terms, words = CONTRADICTIONS[name]
    with pytest.raises(ConfigurationError, match=words):
        eco_dask.job(**terms)


@given(
    name=st.text(max_size=20),
    terms=st.one_of(
        st.fixed_dictionaries({}, optional={"quorum": st.integers(1, 99)}),
        st.fixed_dictionaries(
            {"error": st.floats(1e-12, 0.04)},
            optional={"flow_error": st.floats(0.04, 0.05), "compare": st.sampled_from(COMPARISONS)},
        ),
    ),
    budget_mpt=st.none() | st.integers(1, 2**40),
    require=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    trusted=st.booleans(),
)
def test_terms_survive_the_way_through_annotations(
    name, terms, budget_mpt, require, trusted
) -> None:
    spec = JobSpec("job-1", name, budget_mpt=budget_mpt, require=require, trusted=trusted, **terms)
    # Annotations travel as plain data.
    annotation = json.loads(json.dumps(spec.to_annotation()))
    assert JobSpec.from_annotation(annotation) == spec


MALFORMED = [None, 3, "job", [], {}, {"id": "x"}, {"id": "x", "name": "y", "colour": "red"}]


@pytest.mark.parametrize("annotation", MALFORMED, ids=repr)
def test_an_annotation_of_another_form_is_refused(annotation) -> None:
    with pytest.raises(ConfigurationError, match=r"set by eco_dask\.job"):
        JobSpec.from_annotation(annotation)


def test_a_job_annotates_what_is_computed_in_its_block_only() -> None:
    import dask

    with eco_dask.job("named", owners_min=3, require={"linux": True}) as job:
        (annotation,) = dask.get_annotations().values()
        assert annotation["name"] == "named"
        assert (annotation["quorum"], annotation["require"]) == (3, ["linux"])
        with pytest.raises(ConfigurationError, match="open already"), job:
            pass
    assert dask.get_annotations() == {}
