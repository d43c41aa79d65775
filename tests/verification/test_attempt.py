"""Answers: what two honest providers may differ in, and what not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.types import DIGEST_SIZE_BYTES, Digest, LeaseId, OwnerId, ProviderId
from eco_dask.verification.attempt import Answer, Attempt, ErrorAnswer, ValueAnswer, same_digest

ERROR = ErrorAnswer("TypeError", "cannot add <Foo at 0x7f3a00c0ffee>", "line 3")


def attempt(answer: Answer) -> Attempt:
    return Attempt(
        LeaseId("t.0"), ProviderId("p"), OwnerId("a"), False, answer, 1.0, 1.0, work_units=1.0
    )


@pytest.mark.parametrize(
    "other",
    [
        replace(ERROR, traceback="elsewhere"),
        replace(ERROR, message="cannot add <Foo at 0x55d0DEADBEEF>"),
        replace(ERROR, message="cannot add <Foo at 0x7f3a>"),
    ],
)
def test_what_honest_providers_may_differ_in_is_no_part_of_an_errors_digest(
    other: ErrorAnswer,
) -> None:
    assert other.digest == ERROR.digest
    assert len(other.digest) == DIGEST_SIZE_BYTES


@pytest.mark.parametrize(
    "other",
    [
        replace(ERROR, error_type="ValueError"),
        replace(ERROR, message="cannot add <Bar at 0x7f3a00c0ffee>"),
        replace(ERROR, message="cannot add <Foo at 0xff>"),  # a short number is no address
        replace(ERROR, message=""),
        ErrorAnswer("TypeErrorc", ERROR.message[1:], ""),
    ],
)
def test_type_and_message_are_part_of_an_errors_digest(other: ErrorAnswer) -> None:
    assert other.digest != ERROR.digest


@given(st.text(), st.text())
def test_any_text_has_a_digest(error_type: str, message: str) -> None:
    assert len(ErrorAnswer(error_type, message, "").digest) == DIGEST_SIZE_BYTES


def test_text_that_no_encoding_holds_has_a_digest() -> None:
    assert len(ErrorAnswer("E", "\ud800", "").digest) == DIGEST_SIZE_BYTES


def test_a_value_that_claims_an_errors_digest_does_not_agree_with_it() -> None:
    error, value = attempt(ERROR), attempt(ValueAnswer(ERROR.digest, 1))
    assert value.digest == error.digest
    assert not same_digest(error, value)
    assert same_digest(error, attempt(ERROR))


def test_values_agree_bit_for_bit() -> None:
    one, two = (attempt(ValueAnswer(Digest(d * 32), 8)) for d in (b"1", b"2"))
    assert same_digest(one, one)
    assert not same_digest(one, two)
