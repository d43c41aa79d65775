"""Prometheus metrics: help, units, what is known; the Grafana dashboard names no others."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from served_books import ServedBooks

from eco_dask.dashboard.metrics import METRICS, EcoCollector
from eco_dask.testing import snapshots

GRAFANA = Path("examples/grafana/eco_dask.json")
UNITS = re.compile(
    r"(points|joules|watts|grams|ratio|seconds|providers|slots|slots_busy|leases|tasks|tasks_waiting"
    r"|tasks_accepted|attempts|attempts_per_task|checks|jobs_running|_1h)$"
)


class View:
    def __init__(self, snapshot) -> None:
        self.latest = snapshot


def families(snapshot) -> dict:
    registry = CollectorRegistry()
    registry.register(EcoCollector(View(snapshot), None))
    text = generate_latest(registry).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_every_metric_has_help_and_says_its_unit() -> None:
    found = families(snapshots.full())
    assert len(found) == len(METRICS)
    for metric in METRICS:
        assert len(metric.help) > 10
        assert UNITS.search(metric.name), metric.name
    assert all(family.documentation for family in found.values())


def test_the_values_are_those_of_the_snapshot() -> None:
    snapshot = snapshots.full()
    found = families(snapshot)
    (posted,) = found["dask_eco_posted_points"].samples
    assert posted.value == snapshot.points.posted_mpt / 1000
    by_reason = {s.labels["reason"]: s.value for s in found["dask_eco_attempts"].samples}
    assert by_reason == snapshot.verification.by_reason
    states = {s.labels["state"]: s.value for s in found["dask_eco_providers"].samples}
    assert sum(states.values()) == snapshot.network.providers_known


def test_what_is_unknown_is_left_out_and_not_zero() -> None:
    found = families(snapshots.empty())
    for name in ("power_watts", "marginal_energy_joules", "attempts_per_task", "carbon_grams"):
        assert f"dask_eco_{name}" not in found
    assert families(None) == {}


@pytest.mark.parametrize("sample", [snapshots.hostile, snapshots.crowded])
def test_hostile_and_many_names_are_no_labels(sample) -> None:
    found = families(sample())
    assert sum(len(family.samples) for family in found.values()) < 100


def test_the_dashboard_for_grafana_names_only_metrics_that_exist() -> None:
    exported = {
        sample.name for family in families(snapshots.full()).values() for sample in family.samples
    }
    dashboard = json.loads(GRAFANA.read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"dask_eco_\w+", target["expr"])
    }
    assert len(asked) > 15
    assert asked <= exported


def test_they_stand_beside_dasks_own_and_go_with_the_scheduler(tmp_path) -> None:
    for part in ("first", "second"):
        (tmp_path / part).mkdir()
        with ServedBooks(tmp_path / part) as served:
            served.do(served.plugin.view.snapshot(0))
            url = served.url.replace("/eco/api/v1", "/metrics")
            text = urllib.request.urlopen(url, timeout=20).read().decode()
        assert "dask_scheduler_clients" in text
        assert text.count("# HELP dask_eco_slots ") == 1
        assert "dask_eco_posted_points_total 2.2" in text
