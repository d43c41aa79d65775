from __future__ import annotations

import json
from pathlib import Path

import pytest

from eco_dask.ledger.receipts import ReceiptReason, explain


def test_balance_shows_what_is_paid_and_what_awaits_a_verdict(run, folder: Path) -> None:
    lines = run("balance", "--data-directory", folder).stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["account", "posted", "pending", "reserved"],
        ["owner:ada", "1.250", "0.000", "0.000"],
        ["owner:bob", "0.000", "2.000", "0.000"],
        # The markup in the name is a stranger's, and shown as text.
        ["recruiter:[red]eve", "-1.250", "0.000", "2.000"],
    ]


@pytest.mark.parametrize(
    ("arguments", "account"),
    [(["--owner", "ada"], "owner:ada"), (["recruiter:[red]eve"], "recruiter:[red]eve")],
)
def test_balance_of_one_account(run, folder: Path, arguments: list[str], account: str) -> None:
    result = run("balance", *arguments, "--json", "--data-directory", folder)
    assert [row["account"] for row in json.loads(result.stdout)] == [account]


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["--owner", "zoe"], 1, "no owner 'zoe'; known are: ada, bob"),
        (["owner:zoe"], 1, "no points ever moved for an account 'owner:zoe'; known are: owner:ada"),
        (["owner:ada", "--owner", "ada"], 2, "either ACCOUNT or --owner"),
    ],
)
def test_balance_of_nobody_is_refused(
    run, folder: Path, arguments: list[str], status: int, complaint: str
) -> None:
    result = run("balance", *arguments, "--data-directory", folder)
    assert result.exit_code == status
    assert complaint in result.stderr


def test_jobs_come_from_the_books_without_a_coordinator(run, folder: Path) -> None:
    result = run("jobs", "--data-directory", folder)
    _, line = result.stdout.splitlines()
    assert line.split() == ["job-1", "-", "-", "-", "1", "2", "2.00", "1.250"]
    assert "No coordinator runs" in result.stderr
    (row,) = json.loads(run("jobs", "--json", "--data-directory", folder).stdout)
    assert row["totals"]["by_reason"] == {"agreed": 1, "dissented": 1}


def test_receipts_say_why(run, folder: Path) -> None:
    result = run("receipts", "--data-directory", folder)
    assert "[bold]sum" in result.stdout
    for reason in (ReceiptReason.AGREED, ReceiptReason.DISSENTED):
        assert f"{reason.value}: {explain(reason)}" in result.stdout
    assert explain(ReceiptReason.EXPIRED) not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "leases"),
    [
        ([], ["lease-2", "lease-1"]),
        (["--limit", "1"], ["lease-2"]),
        (["--owner", "ada"], ["lease-1"]),
        (["--job", "job-1"], ["lease-2", "lease-1"]),
        (["--job", "job-2"], []),
    ],
)
def test_receipts_are_filtered_latest_first(
    run, folder: Path, arguments: list[str], leases: list[str]
) -> None:
    result = run("receipts", *arguments, "--json", "--data-directory", folder)
    assert [row["lease"] for row in json.loads(result.stdout)] == leases


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["--owner", "zoe"], "no owner 'zoe'"), (["--provider", "p-x"], "no provider 'p-x'")],
)
def test_receipts_of_nobody_are_refused(
    run, folder: Path, arguments: list[str], complaint: str
) -> None:
    result = run("receipts", *arguments, "--data-directory", folder)
    assert result.exit_code == 1
    assert complaint in result.stderr


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("balance", "No points have moved yet."),
        ("jobs", "No jobs yet."),
        ("receipts", "No receipts yet."),
    ],
)
def test_empty_books_say_so(run, empty_folder: Path, command: str, text: str) -> None:
    result = run(command, "--data-directory", empty_folder)
    assert result.exit_code == 0
    assert text in result.stdout
    assert run(command, "--json", "--data-directory", empty_folder).stdout == "[]\n"
