"""Settings: every key has a default, a description and a reader that says what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import dask
import pytest
import yaml

import eco_dask.config
from eco_dask.config import (
    engine_rule,
    gateway_rule,
    required_tags,
    sandbox_rule,
    verification_rule,
    worker_rule,
)
from eco_dask.errors import ConfigurationError
from eco_dask.verification.rules import FLOW_ERROR_MAX, CredibilityRule, QuorumRule

FOLDER = Path(eco_dask.config.__file__).parent
DEFAULTS = yaml.safe_load((FOLDER / "eco-dask.yaml").read_text())
SCHEMA = yaml.safe_load((FOLDER / "eco-dask-schema.yaml").read_text())


def compare(settings: dict, schema: dict, path: str) -> list[str]:
    """Differences between settings and their schema."""
    described = schema["properties"]
    faults = [f"{path}.{key} only here or there" for key in settings.keys() ^ described.keys()]
    for key in settings.keys() & described.keys():
        node, value = described[key], settings[key]
        where = f"{path}.{key}"
        if node.get("additionalProperties") is not False and node["type"] == "object":
            faults.append(f"{where} takes any key")
        if path and not node.get("description"):
            faults.append(f"{where} is not described")
        if isinstance(value, dict):
            faults += compare(value, node, where)
    return faults


def test_defaults_and_schema_name_the_same_settings_and_describe_each() -> None:
    assert compare(DEFAULTS, SCHEMA, "") == []


def test_the_defaults_can_be_read() -> None:
    with dask.config.set(DEFAULTS):
        assert gateway_rule().port == 8790
        assert gateway_rule().inline_bytes_max == 65536
        assert engine_rule().deadline_first_s == 600
        assert worker_rule().cache_bytes == 1 << 30
        assert verification_rule().owners_min == 2
        assert required_tags() == []
        rule = sandbox_rule()
        assert (rule.profile, rule.trust, rule.folders, rule.gpu) == ("auto", False, (), True)
        assert (rule.limits.memory_bytes, rule.limits.disk_bytes) == (None, 1 << 30)


READERS = {
    "gateway.port": (gateway_rule, "x"),
    "gateway.grace": (gateway_rule, "soon"),
    "gateway.inline-bytes": (gateway_rule, "many"),
    "gateway.value-bytes-max": (gateway_rule, None),
    "lease.patience": (engine_rule, "long"),
    "lease.losses-max": (engine_rule, []),
    "quorum.size": (verification_rule, "two"),
    "verification.error": (verification_rule, "little"),
    "verification.compare": (verification_rule, "roughly"),
    "gateway.revocable-bytes": (gateway_rule, "plenty"),
    "quorum.require": (required_tags, "gpu"),
    "worker.cache-bytes": (worker_rule, "lots"),
    "worker.reconnect-max": (worker_rule, {}),
    "worker.sandbox.read": (sandbox_rule, "folder"),
    "worker.sandbox.cores": (sandbox_rule, "all"),
    "worker.sandbox.cpu-share": (sandbox_rule, "half"),
    "worker.sandbox.memory": (sandbox_rule, "much"),
    "worker.sandbox.task-time": (sandbox_rule, "an age"),
}


@pytest.mark.parametrize("name", READERS)
def test_a_setting_that_cannot_be_read_is_named_with_its_value(name: str) -> None:
    read, value = READERS[name]
    with dask.config.set({f"eco-dask.{name}": value}), pytest.raises(ConfigurationError) as caught:
        read()
    assert f"eco-dask.{name}" in str(caught.value)
    assert repr(value) in str(caught.value)


def test_environment_variables_override_the_defaults() -> None:
    code = (
        "import json, dask, eco_dask; from eco_dask.config import *; "
        "print(json.dumps([verification_rule().owners_min, gateway_rule().grace_s, "
        "dask.config.get('eco-dask.quorum.attempts-max')]))"
    )
    environment = {
        "DASK_ECO_DASK__QUORUM__SIZE": "3",
        "DASK_ECO_DASK__GATEWAY__GRACE": "5 s",
    }
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(shown.stdout) == [3, 5.0, 6]


def test_only_a_plain_yes_is_trust() -> None:
    for value, trust in ((True, True), ("false", False), ("yes", False), (1, False), (None, False)):
        with dask.config.set({"eco-dask.worker.sandbox.trust-recruiters": value}):
            assert sandbox_rule().trust is trust


def test_an_accepted_error_or_a_quorum_becomes_a_rule() -> None:
    assert verification_rule(quorum=5) == QuorumRule(5, 10, "auto")  # it keeps spare attempts
    rule = verification_rule(error=1e-4, compare="close")
    assert rule == CredibilityRule(1e-4, 1e-3, 12, "close")
    assert verification_rule(error=0.02).flow_error == FLOW_ERROR_MAX


SETTINGS = {
    "a quorum unless said otherwise": ({}, {}, QuorumRule(2, 6)),
    "the network's own error": ({"error": 1e-3}, {}, CredibilityRule(1e-3, 1e-2)),
    "a job's quorum comes before it": ({"error": 1e-3}, {"quorum": 3}, QuorumRule(3, 6)),
    "a job's error, too": ({"error": 1e-3}, {"error": 1e-5}, CredibilityRule(1e-5, 1e-4)),
    "how results flow": ({"flow-error": 0.02}, {"error": 1e-4}, CredibilityRule(1e-4, 0.02)),
    "never less sure than delivery": (
        {"flow-error": 1e-3},
        {"error": 0.01},
        CredibilityRule(0.01, 0.01),
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_network_says_what_jobs_leave_open(name: str) -> None:
    settings, terms, rule = SETTINGS[name]
    with dask.config.set({f"eco-dask.verification.{k}": v for k, v in settings.items()}):
        assert verification_rule(**terms) == rule


def test_settings_that_are_no_rule_are_refused() -> None:
    with (
        dask.config.set({"eco-dask.verification.error": 0.5}),
        pytest.raises(ConfigurationError, match=r"eco-dask\.verification: .*0\.5"),
    ):
        verification_rule()
