"""A pickle from a provider is refused unless the job takes one, wherever in the value it hides."""

from __future__ import annotations

import dask
import pytest

from eco_dask.config import unsafe_results_allowed
from eco_dask.errors import ConfigurationError, TaskRefusedError
from eco_dask.gateway.arrivals import checked_value, decodable
from eco_dask.gateway.terms import Terms
from eco_dask.jobs import JobSpec
from eco_dask.sketches import sketch_or_digest
from eco_dask.types import JobId
from eco_dask.values import EncodedValue, PickledResult, encode
from eco_dask.values.unsafe import holds_pickle, pickles_refused
from eco_dask.verification.rules import QuorumRule

EVIL = PickledResult(b"cos\nsystem\n(S'false'\ntR.")
HIDDEN = {
    "plain": EVIL,
    "in a list": [1, [2, EVIL]],
    "in a dictionary": {"a": {"b": EVIL}},
    "as a key": {(1, EVIL): 2},
}


@pytest.mark.parametrize("value", HIDDEN.values(), ids=HIDDEN)
def test_a_pickle_is_refused_wherever_it_hides(value: object) -> None:
    encoded = encode(value)
    assert decodable(encoded.to_bytes(), unsafe=False) is None
    assert checked_value(encoded.to_bytes(), encoded.digest, unsafe=False) is None
    found = decodable(encoded.to_bytes(), unsafe=True)
    assert found is not None
    assert found.decode() == value


HARMLESS = {
    "the word itself": b"pickled",
    "text": "pickled",
    "many": [b"pickled", {b"pickled": b"pickled"}],
}


@pytest.mark.parametrize("value", HARMLESS.values(), ids=HARMLESS)
def test_data_that_looks_like_the_tag_is_no_pickle(value: object) -> None:
    assert decodable(encode(value).to_bytes(), unsafe=False) is not None


def test_the_refusal_ends_with_its_block() -> None:
    encoded = encode(EVIL)
    assert holds_pickle(encoded.header)
    with pytest.raises(Exception, match="takes none"), pickles_refused():
        encoded.decode()
    assert EncodedValue.from_bytes(encoded.to_bytes()).decode() == EVIL


def test_other_bytes_of_a_pickle_have_another_sketch() -> None:
    one, other = (encode(PickledResult(word)) for word in (b"a" * 64, b"b" * 64))
    sketches = [sketch_or_digest(each, bytes(32), 1 << 20).to_bytes() for each in (one, other)]
    assert sketches[0] != sketches[1]


def annotation(**terms: object) -> dict[str, object]:
    return JobSpec(JobId("job-1"), "j", unsafe_results=True, **terms).to_annotation()  # type: ignore[arg-type]


def test_a_pickle_takes_two_owners_and_equal_bytes_whatever_the_networks_default_is() -> None:
    with dask.config.set({"eco-dask.quorum.size": 1, "eco-dask.verification.error": 0.01}):
        _, rule = Terms().of(annotation())
        assert rule == QuorumRule(2, rule.attempts_max, "exact")
        _, rule = Terms().of(annotation(quorum=3))
        assert isinstance(rule, QuorumRule)
        assert rule.owners_min == 3


def test_an_annotation_of_ones_own_making_lowers_nothing() -> None:
    for forged in ({"quorum": 1}, {"error": 0.05}, {"compare": "close"}):
        with pytest.raises(ConfigurationError):
            Terms().of(annotation() | forged)


def test_the_operators_refusal_comes_first() -> None:
    assert unsafe_results_allowed()
    refusing = dask.config.set({"eco-dask.verification.unsafe-results": False})
    with refusing, pytest.raises(TaskRefusedError):
        Terms().of(annotation())
