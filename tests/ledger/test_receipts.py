"""Receipts: each says why, and the first one of a lease stays."""

from __future__ import annotations

import math

import pytest
from ledger_examples import receipt

from eco_dask.errors import ConflictingEntryError
from eco_dask.ledger.receipts import (
    ACCEPTED_REASONS,
    AGREEING_REASONS,
    ReceiptReason,
    explain,
    unseen,
)


@pytest.mark.parametrize("reason", ReceiptReason)
def test_every_reason_is_explained_in_one_sentence_that_speaks_of_pay(
    reason: ReceiptReason,
) -> None:
    sentence = explain(reason)
    assert sentence.endswith(".")
    assert sentence.count(".") == 1
    assert "paid" in sentence or "earn nothing" in sentence


@pytest.mark.parametrize("reason", ReceiptReason)
def test_an_explanation_says_paid_exactly_for_the_agreeing_reasons(reason: ReceiptReason) -> None:
    assert explain(reason).endswith("so it was paid.") == (reason in AGREEING_REASONS)


def test_no_two_reasons_are_explained_alike() -> None:
    assert len({explain(reason) for reason in ReceiptReason}) == len(ReceiptReason)


def test_a_trusted_answer_is_accepted_but_not_paid() -> None:
    assert {ReceiptReason.TRUSTED} == ACCEPTED_REASONS - AGREEING_REASONS


@pytest.mark.parametrize(
    "fields",
    [
        {"amount_mpt": -1},
        {"amount_mpt": 10**15 + 1},
        {"cpu_s": math.nan},
        {"wall_s": math.inf},
        {"work_units": -0.1},
        {"issued_at_s": math.nan},
    ],
)
def test_a_receipt_over_no_real_quantity_cannot_be_made(fields: dict) -> None:
    with pytest.raises(ValueError, match=f"lease 'lease-1': {next(iter(fields))} must be"):
        receipt(**fields)


def test_the_first_receipt_of_a_lease_stays() -> None:
    first, second = receipt("a"), receipt("b")
    assert unseen({first.lease: first}, [first, second, second]) == [second]


@pytest.mark.parametrize("known", [{}, {"a": receipt("a")}])
def test_a_second_receipt_with_other_content_is_refused(known: dict) -> None:
    with pytest.raises(ConflictingEntryError, match="lease 'a' already has the receipt"):
        unseen(known, [receipt("a"), receipt("a", amount_mpt=7)])
