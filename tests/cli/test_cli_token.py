"""``eco-dask token``."""

from __future__ import annotations

import json
import time

from eco_dask.cli.facts import FACTS_FILE, write_facts
from eco_dask.ledger.database import open_database
from eco_dask.ledger.tokens import Scope, TokenStore


def test_tokens_are_made_listed_and_revoked(run, folder) -> None:
    home = ("--data-directory", folder)
    assert "No tokens yet" in run("token", "list", *home).stdout
    made = run("token", "new", "--scope", "owner:ada", "--days", "2", "--note", "phone", *home)
    assert made.exit_code == 0
    text = made.stdout.strip()
    (listed,) = json.loads(run("token", "list", "--json", *home).stdout)
    assert listed["scope"] == "owner:ada"
    assert text not in json.dumps(listed)
    assert listed["expires_at_s"] - listed["created_at_s"] == 2 * 86_400
    engine = open_database(f"sqlite:///{folder / 'coordinator.sqlite'}")
    store = TokenStore(engine)
    assert store.scope_of(text, time.time()) == Scope("owner", "ada")
    assert run("token", "revoke", listed["id"], *home).exit_code == 0
    assert store.scope_of(text, time.time()) is None
    engine.dispose()
    shown = run("token", "list", *home).stdout
    assert "revoked" in shown
    assert "phone" in shown


def test_wrong_uses_say_what_to_do(run, folder) -> None:
    home = ("--data-directory", folder)
    nobody = run("token", "new", "--scope", "owner:nobody", *home)
    assert nobody.exit_code == 1
    assert "known are: ada, bob" in nobody.stderr
    assert "operator, recruiter" in run("token", "new", "--scope", "root", *home).stderr
    assert run("token", "new", "--scope", "operator", "--days", "0", *home).exit_code == 2
    assert "eco-dask token list" in run("token", "revoke", "x", *home).stderr


def test_beside_a_running_coordinator_it_says_how_the_panels_link_is_written(run, folder) -> None:
    facts = {
        "address": "tcp://127.0.0.1:1",
        "provider_address": "ws://127.0.0.1:2",
        "fingerprint": "",
        "database": f"sqlite:///{folder / 'coordinator.sqlite'}",
        "dashboard_url": "https://127.0.0.1:8787",
        "dashboard_pin": "a" * 26,
    }
    write_facts(folder / FACTS_FILE, facts)
    made = run("token", "new", "--scope", "operator", "--data-directory", folder)
    assert f"https://127.0.0.1:8787/#token=TOKEN&pin={'a' * 26}" in made.stderr
    assert made.stdout.strip() not in made.stderr
