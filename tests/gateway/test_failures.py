"""What a recruiter reads when a task ends without a result: asked, found, what to do."""

from __future__ import annotations

import numpy as np
import pytest

from eco_dask.engine.actions import Disagreement, NobodyEligible
from eco_dask.errors import DisputedTaskError, NoEligibleProviderError
from eco_dask.gateway.failures import failure_error
from eco_dask.values import encode
from eco_dask.verification.attempt import Attempt, ValueAnswer


def answers(*values):
    """Attempts that gave these values, and their bytes by lease."""
    encoded = {f"lease-{i}": encode(value) for i, value in enumerate(values)}
    attempts = tuple(
        Attempt(
            lease, f"p-{lease}", f"o-{lease}", False, ValueAnswer(v.digest, v.size_bytes), 0, 0, 0
        )
        for lease, v in encoded.items()
    )
    return attempts, encoded


def nobody(attempts, owners_min=2, trusted_only=False):
    return NobodyEligible(attempts, 3, owners_min, trusted_only, 300.0)


def test_answers_that_contradict_each_other_are_shown_with_the_ways_out():
    attempts, values = answers(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.5, 3.0]))
    for failure, kind in (
        (Disagreement(attempts), DisputedTaskError),
        (nobody(attempts), NoEligibleProviderError),
    ):
        error = failure_error("noisy-1", failure, values)
        assert type(error) is kind
        for words in ("'noisy-1'", "element 1 is 2.0 here, 2.5 there", 'compare="close"', "seed"):
            assert words in str(error)


def test_without_the_bytes_the_ways_out_are_named_all_the_same():
    attempts, _ = answers(1, 2)
    text = str(failure_error("k", Disagreement(attempts), {}))
    for words in ('compare="close"', "seed", "trusted=True", "quorum=1"):
        assert words in text


def test_answers_that_agree_need_no_such_help():
    attempts, values = answers(1, 1)
    assert "compare=" not in str(failure_error("k", nobody(attempts), values))


@pytest.mark.parametrize(
    ("owners_min", "given", "words"),
    [
        (2, (1,), "It needs 2 agreeing owners"),
        (1, (1,), "not enough for the accepted error"),
        (1, (), "It needs one owner's answer"),
    ],
)
def test_who_is_missing_is_said_in_the_jobs_own_terms(owners_min, given, words):
    attempts, values = answers(*given)
    text = str(failure_error("k", nobody(attempts, owners_min), values))
    assert words in text
    assert "3 able owners are connected" in text
