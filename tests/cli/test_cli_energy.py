"""``eco-dask energy``: network, statements net of electricity, jobs, badges; empty states."""

from __future__ import annotations

import json
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from eco_dask.energy.accounts import OwnSum
from eco_dask.energy.carbon import CarbonRange
from eco_dask.energy.declared import Declared
from eco_dask.energy.figures import EnergyFigures
from eco_dask.energy.reading import Tier, Unavailable
from eco_dask.ledger.database import open_database
from eco_dask.ledger.declarations import Declarations
from eco_dask.ledger.energy_entries import EnergyEntry, own_entries
from eco_dask.ledger.receipts import Receipt, ReceiptReason
from eco_dask.ledger.store import Ledger
from eco_dask.providers.registry import Registry
from eco_dask.types import BallotId, JobId, LeaseId, OwnerId, ProviderId, TaskKind

WALL_S = 100.0


def figures(joules: float, tier: Tier = Tier.METERED) -> EnergyFigures:
    uj = round(joules * 1e6)
    metered_uj = uj if tier is Tier.METERED else 0
    grids = frozenset({"FRA 2023"})
    carbon = CarbonRange(uj // 4, uj // 2, uj)
    return EnergyFigures(uj, uj, uj, metered_uj, carbon, tier, frozenset({"rapl"}), grids)


@pytest.fixture
def used(empty_folder: Path) -> Path:
    """Give books where ada's machine used 1 kJ in 100 s and earned 2 points; bob's did not say."""
    engine = open_database(f"sqlite:///{empty_folder / 'coordinator.sqlite'}")
    registry, ledger, declarations = Registry(engine), Ledger(engine), Declarations(engine)
    now_s = time.time()
    for number, owner in enumerate(("ada", "bob")):
        provider = registry.admit(bytes([number]) * 32, registry.invite(owner, at_s=1.0), 2.0).id
        lease = LeaseId(f"lease-{owner}")
        receipt = Receipt(
            lease, BallotId("b"), JobId("job-1"), TaskKind("sum"), provider, OwnerId(owner),
            ReceiptReason.AGREED, WALL_S, WALL_S, WALL_S, 2000, now_s, b"",
        )  # fmt: skip
        energy = figures(1000.0) if owner == "ada" else Unavailable("gateway", "no meter ran")
        declared = (
            Declared("FRA", 0.36, "EUR", "laptop", 8, rated_w=45.0) if owner == "ada" else None
        )
        ledger.apply([], [receipt])
        ledger.take_energy(
            [
                EnergyEntry(
                    lease, JobId("job-1"), BallotId("b"), ProviderId(provider), OwnerId(owner),
                    "vote", energy, now_s,
                )
            ]
        )  # fmt: skip
        if owner == "ada":
            declared = Declared("FRA", 0.36, "EUR", "laptop", 8, rated_w=45.0)
            declarations.put(provider, declared.to_map(), now_s)
    ledger.take_energy(
        own_entries("g/own", {"job-1": OwnSum(0, figures(10.0, Tier.MODELLED))}, now_s)
    )
    engine.dispose()
    return empty_folder


def test_the_network_is_told_by_owner_and_in_all(run, used: Path) -> None:
    result = run("energy", "--data-directory", used)
    assert result.exit_code == 0
    for text in ("ada", "1 kJ", "metered 99 %, rest modelled (class C)", "1.01 kJ"):
        assert text in result.stdout
    assert "Energy of 1 runs is unknown: no meter ran" in result.stdout
    rows = json.loads(run("energy", "--json", "--data-directory", used).stdout)
    assert {it["name"] for it in rows} == {"ada", "bob", "network"}
    (network,) = [it for it in rows if it["name"] == "network"]
    assert network["figures"]["reserved_uj"] == 1_010_000_000
    assert network["unknown_runs"] == 1


def test_nothing_used_is_said_so(run, empty_folder: Path) -> None:
    assert (
        "No run's energy is in the books yet"
        in run("energy", "--data-directory", empty_folder).stdout
    )


def test_a_statement_is_net_of_electricity(run, used: Path) -> None:
    # 1 kJ at 0.36 per kWh is 0.0001; two points of 0.01 each.
    arguments = ("energy", "statement", "ada", "--point-value", "0.01", "--data-directory", used)
    result = run(*arguments)
    for text in ("0.0001 EUR", "2.000", "0.0199 EUR", "more than the cloud"):
        assert text in result.stdout
    (row,) = json.loads(run(*arguments, "--json").stdout)
    assert (row["cost"], row["net"], row["currency"]) == ("0.0001", "0.0199", "EUR")


def test_a_loss_is_a_loss_in_a_statement_too(run, used: Path) -> None:
    arguments = ("energy", "statement", "ada", "--point-value", "0.00001", "--json")
    (row,) = json.loads(run(*arguments, "--data-directory", used).stdout)
    assert row["net"].startswith("-0.0000")


def test_what_nobody_said_is_a_dash_with_a_hint_and_never_zero(run, used: Path) -> None:
    result = run("energy", "statement", "bob", "--data-directory", used)
    assert "0.0000" not in result.stdout
    for text in ("No net earnings", "stated no price", "no comparison with a cloud"):
        assert text in result.stdout


def test_a_job_is_told_by_purpose(run, used: Path) -> None:
    result = run("energy", "job", "job-1", "--equivalent", "led-hour", "--data-directory", used)
    for text in ("coordination 10 J (1%)", "energy of 1 attempts", "hours of a 10 W LED lamp"):
        assert text in result.stdout
    (row,) = json.loads(run("energy", "job", "job-1", "--json", "--data-directory", used).stdout)
    assert row["useful"]["reserved_uj"] == 10**9


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("job", "job-2"), "no run of a job 'job-2' is in the books"),
        (("statement", "zoe"), "there is no owner 'zoe'; known are: ada, bob"),
        (("badge", "zoe"), "there is no owner 'zoe'; known are: ada, bob"),
        (("badge", "ada", "--provider", "p-1"), "owner 'ada' has no machine p-1"),
        (("badge", "bob"), "no badge: no meter ran"),
        (("badge", "ada", "--kind", "metered"), "no badge: 0.0 days of receipts; needs 7"),
        (("badge", "ada", "--kind", "below-cloud"), "no badge: 278 mWh used; needs 1 kWh"),
        (("badge", "ada", "--kind", "efficient"), "no badge: 1 providers of class A; needs 8"),
    ],
)
def test_what_cannot_be_shown_says_why(
    run, used: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    result = run("energy", *arguments, "--data-directory", used)
    assert result.exit_code == 1
    assert complaint in result.stderr


def test_badges_state_facts_in_three_forms(run, used: Path, tmp_path: Path) -> None:
    badge = ("energy", "badge", "ada", "--data-directory", used)
    text = run(*badge).stdout
    assert text.startswith("energy: 100 % metered, 278 mWh in 0 days, ")
    assert "more than the cloud" in text
    shown = json.loads(run(*badge, "--format", "json").stdout)
    assert (shown["schemaVersion"], shown["label"]) == (1, "energy")
    svg = run(*badge, "--format", "svg").stdout
    assert ET.fromstring(svg).tag.endswith("svg")
    grid = run(*badge, "--kind", "grid").stdout
    assert grid.startswith("grid: ")
    assert "g/kWh, FRA" in grid
    path = tmp_path / "badge.svg"
    assert run(*badge, "--format", "svg", "--output", path).stdout == f"Wrote {path}\n"
    assert ET.parse(path).getroot().tag.endswith("svg")
