"""What the operator sees of broken rules and of recruiters, and what is made for them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eco_dask.cli.worker import worker
from eco_dask.ledger.database import open_database
from eco_dask.providers.identity import KEY_FILE
from eco_dask.providers.registry import Registry
from eco_dask.recruiters.authority import Authority
from eco_dask.recruiters.link import RecruiterLink
from eco_dask.recruiters.roll import Roll

Run = Callable[..., Result]


def test_strikes_are_listed_by_reason_and_strangers_by_address(
    run: Run, folder: Path, registry: Registry
) -> None:
    registry.incidents.add({("203.0.113.7", "no-websocket"): 3}, time.time())
    (bob,) = registry.providers("bob")
    registry.strike(bob.id, "protocol: [red]junk", time.time())
    said = run("strikes", "--data-directory", folder)
    assert said.exit_code == 0
    for word in ("dissented", "protocol: [red]junk", "203.0.113.7", "no-websocket", bob.id):
        assert word in said.output
    found = json.loads(run("strikes", "--json", "--data-directory", folder).stdout)
    assert [row["reason"] for row in found][:2] == ["protocol: [red]junk", "dissented"]
    of_ada = run("strikes", "--owner", "ada", "--data-directory", folder)
    assert "No broken rules" in of_ada.output


def test_without_broken_rules_it_says_so(run: Run, empty_folder: Path) -> None:
    assert "No broken rules" in run("strikes", "--data-directory", empty_folder).output


def test_a_recruiters_link_is_made_for_the_coordinator_that_runs(
    run: Run, empty_folder: Path, write_coordinator: Callable[..., None]
) -> None:
    assert "No recruiters yet" in run("recruiters", "--data-directory", empty_folder).output
    write_coordinator()
    said = run("invite", "--recruiter", "rita", "--data-directory", empty_folder)
    link = RecruiterLink.parse(said.stdout)
    assert "eco_dask.connect" in said.stderr
    database = open_database(f"sqlite:///{empty_folder / 'coordinator.sqlite'}")
    grant = Roll(database).redeem(link.target.invite, time.time())
    assert (grant.recruiter, grant.scheduler, grant.days) == ("rita", "tcp://127.0.0.1:1", 90)
    database.dispose()


REFUSED = {
    "neither": ((), "either --owner NAME or --recruiter NAME"),
    "both": (("--owner", "ada", "--recruiter", "rita"), "either --owner NAME or --recruiter NAME"),
    "no name": (("--recruiter", "r i t a"), "letters, digits"),
    "tls without an authority": (
        ("--recruiter", "rita", "--scheduler-address", "tls://h.example:8786"),
        "certificates from elsewhere",
    ),
}


@pytest.mark.parametrize(("options", "problem"), REFUSED.values(), ids=REFUSED)
def test_an_invitation_that_cannot_work_is_refused(
    run: Run,
    empty_folder: Path,
    write_coordinator: Callable[..., None],
    options: tuple[str, ...],
    problem: str,
) -> None:
    write_coordinator()
    said = run("invite", *options, "--data-directory", empty_folder)
    assert said.exit_code != 0
    assert problem in " ".join(said.output.split())


def test_a_revoked_recruiter_is_listed_and_holds_nothing(
    run: Run, empty_folder: Path, write_coordinator: Callable[..., None]
) -> None:
    write_coordinator(address="tls://192.0.2.1:8786")
    Authority.load_or_create(empty_folder, time.time())
    link = RecruiterLink.parse(
        run("invite", "--recruiter", "rita", "--data-directory", empty_folder).stdout
    )
    said = run("recruiters", "revoke", "rita", "--reason", "left", "--data-directory", empty_folder)
    assert "1 certificates and links" in said.output
    database = open_database(f"sqlite:///{empty_folder / 'coordinator.sqlite'}")
    with pytest.raises(Exception, match="used already"):
        Roll(database).redeem(link.target.invite, time.time())
    database.dispose()
    again = run("recruiters", "revoke", "nobody", "--reason", "x", "--data-directory", empty_folder)
    assert "holds no certificate" in again.output


def test_a_rotation_without_a_gateway_leaves_the_key_and_says_what_to_do(tmp_path: Path) -> None:
    link = "eco-dask://127.0.0.1:9/abcdef.ssssssssssssssssssss"
    home = tmp_path / "home"
    for _ in range(2):
        said = CliRunner().invoke(
            worker, [link, "--local-directory", str(home), "--rotate-key"], catch_exceptions=False
        )
        assert said.exit_code == 1
        assert "run the same command again" in said.output
        kept = (home / KEY_FILE).read_bytes()
        assert kept
    assert (home / KEY_FILE).read_bytes() == kept
