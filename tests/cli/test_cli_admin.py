from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from eco_dask.cli import books
from eco_dask.errors import RegistrationError
from eco_dask.providers.certificates import load_or_create_certificate
from eco_dask.providers.link import JoinLink
from eco_dask.providers.pins import pin_of
from eco_dask.providers.registry import Registry

KEY = b"\x07" * 32


def test_an_invite_is_alone_on_standard_output_and_lets_its_owner_in(
    run, empty_folder: Path, registry: Registry, write_coordinator: Callable[..., None]
) -> None:
    write_coordinator()
    result = run("invite", "--owner", "ada", "--role", "trusted", "--data-directory", empty_folder)
    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    link = JoinLink.parse(line)
    assert link.address == "ws://127.0.0.1:8790"
    assert "one machine of ada as trusted" in result.stderr
    assert link.invite not in result.stderr
    record = registry.admit(KEY, link.invite, time.time())
    assert (record.owner, record.role) == ("ada", "trusted")


def test_an_invite_ends_when_it_says(
    run, empty_folder: Path, registry: Registry, write_coordinator: Callable[..., None]
) -> None:
    write_coordinator()
    options = ("--owner", "ada", "--uses", 2, "--expires", "7 days")
    link = JoinLink.parse(run("invite", *options, "--data-directory", empty_folder).stdout)
    day_s = 24 * 3600
    assert registry.admit(KEY, link.invite, time.time() + 6.9 * day_s).owner == "ada"
    with pytest.raises(RegistrationError) as refusal:
        registry.admit(b"\x08" * 32, link.invite, time.time() + 7.1 * day_s)
    assert refusal.value.code == "invite-expired"


def test_an_invite_to_another_address_pins_the_gateways_certificate(
    run, empty_folder: Path, registry: Registry
) -> None:
    certificate = load_or_create_certificate(empty_folder, ["eco.example"], time.time())
    result = run(
        "invite", "--owner", "ada", "--address", "wss://eco.example:8790",
        "--data-directory", empty_folder,
    )  # fmt: skip
    link = JoinLink.parse(result.stdout)
    assert (link.address, link.fingerprint) == (
        "wss://eco.example:8790",
        pin_of(certificate.fingerprint),
    )


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--owner", "a b"], "an owner's name has"),
        (["--owner", "ada", "--expires", "soon"], "--expires is a duration"),
        (["--owner", "ada", "--expires", "0 s"], "more than nothing"),
        (["--owner", "ada", "--address", "wss://far.example:1"], "no certificate"),
        (["--owner", "ada", "--address", "ws://far.example:1"], "plain text"),
        (["--owner", "ada", "--address", "http://far.example:1"], "ws:// or wss://"),
    ],
)
def test_an_impossible_invite_says_why(
    run, empty_folder: Path, write_coordinator, options: list[str], complaint: str
) -> None:
    write_coordinator()
    result = run("invite", *options, "--data-directory", empty_folder)
    assert result.exit_code == 1
    assert complaint in result.stderr
    assert result.stdout == ""


def test_without_a_coordinator_nobody_knows_what_providers_dial(run, empty_folder: Path) -> None:
    result = run("invite", "--owner", "ada", "--data-directory", empty_folder)
    assert result.exit_code == 1
    assert "start eco-dask-scheduler, or give --address" in result.stderr


def test_providers_shows_what_each_is_and_did(run, folder: Path) -> None:
    result = run("providers", "--data-directory", folder)
    assert result.exit_code == 0
    header, ada, bob = result.stdout.splitlines()
    assert header.split()[:4] == ["id", "owner", "role", "seen"]
    for fact in ("ada", "provider", " d ago", "7.5", "8", "16.00 GiB", "NVIDIA H100", "1.250"):
        assert fact in ada
    assert bob.split()[1:] == ["bob", "provider", "never", *"-----", "1", "0", "1", "0.000", "1"]
    assert "No coordinator runs" in result.stderr


def test_providers_of_one_owner_as_json(run, folder: Path) -> None:
    result = run("providers", "--owner", "ada", "--json", "--data-directory", folder)
    (row,) = json.loads(result.stdout)
    assert (row["owner"], row["agreed"], row["posted_mpt"]) == ("ada", 1, 1250)
    assert row["connected"] is None


def test_tags_are_those_that_jobs_can_require(run, folder: Path) -> None:
    result = run("providers", "--tags", "--data-directory", folder)
    _, ada, bob = result.stdout.splitlines()
    assert "gpu" in ada
    assert "linux" in ada
    assert "python3.11" in ada
    assert bob.split()[1:] == ["bob", "-"]


def test_a_network_without_providers_says_how_to_get_one(run, empty_folder: Path) -> None:
    result = run("providers", "--data-directory", empty_folder)
    assert result.exit_code == 0
    assert "eco-dask invite --owner NAME" in result.stdout
    assert run("providers", "--json", "--data-directory", empty_folder).stdout == "[]\n"


def test_a_revoked_provider_stays_out(run, folder: Path) -> None:
    listed = json.loads(run("providers", "--json", "--data-directory", folder).stdout)
    id = listed[0]["id"]
    revoked = run("providers", "revoke", id, "--reason", "lied", "--data-directory", folder)
    assert revoked.exit_code == 0
    after = run("providers", "--data-directory", folder).stdout.splitlines()
    assert [line.split()[3] for line in after[1:]] == ["revoked", "never"]


def test_options_before_revoke_hold_for_it(run, folder: Path) -> None:
    result = run("providers", "--data-directory", folder, "revoke", "p-x", "--reason", "lied")
    assert result.exit_code == 1
    assert "no provider 'p-x' is enrolled" in result.stderr


def test_an_unknown_owner_is_told_the_known_ones(run, folder: Path) -> None:
    result = run("providers", "--owner", "zoe", "--data-directory", folder)
    assert result.exit_code == 1
    assert "no owner 'zoe'; known are: ada, bob" in result.stderr


@pytest.mark.parametrize("command", ["providers", "jobs", "balance", "receipts"])
def test_commands_that_look_create_no_books(run, tmp_path: Path, command: str) -> None:
    result = run(command, "--data-directory", tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "there are no books at" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_named(run, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but a text that is long enough to look like a file" * 20)
    result = run("balance", "--database", f"sqlite:///{path}", "--data-directory", tmp_path)
    assert result.exit_code == 1
    assert "cannot be read as books" in result.stderr


def test_a_database_of_something_else_is_left_alone(run, tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE photos (name)")
    database.close()
    before = path.read_bytes()
    result = run("balance", "--database", f"sqlite:///{path}", "--data-directory", tmp_path)
    assert result.exit_code == 1
    assert "is a database of something else" in result.stderr
    assert path.read_bytes() == before


def test_a_coordinator_that_is_gone_leaves_the_books(
    run, folder: Path, write_coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "ANSWER_S", 0.5)
    write_coordinator()
    result = run("providers", "--data-directory", folder)
    assert result.exit_code == 0
    assert "No eco_dask coordinator answers at tcp://127.0.0.1:1" in result.stderr
    assert "ada" in result.stdout


def test_an_address_that_was_asked_for_must_answer(
    run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "ANSWER_S", 0.5)
    result = run("jobs", "--scheduler", "tcp://127.0.0.1:1", "--data-directory", folder)
    assert result.exit_code == 1
    assert "check the address" in result.stderr
