"""Which coordinators a Jupyter server knows, and who told it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import dask
import pytest

from eco_dask.errors import ConfigurationError
from eco_dask.jupyter.announced import Announced, announced, write
from eco_dask.jupyter.coordinators import ADDED_FILE, Coordinators, configured
from eco_dask.jupyter.links import Link
from eco_dask.jupyter.rule import jupyter_rule


def rule(*coordinators, add=True):
    settings = {"coordinators": list(coordinators), "add": add}
    with dask.config.set({f"eco-dask.jupyter.{key}": value for key, value in settings.items()}):
        return jupyter_rule()


@pytest.fixture
def known(tmp_path):
    return Coordinators(tmp_path, rule({"url": "https://configured", "token": "secret-0"}))


def test_a_pasted_link_is_kept_for_this_user_only(known, tmp_path):
    known.add("https://pasted/#token=secret-1", None, "mine")
    assert [each.name for each in known.listing()] == ["configured", "mine"]
    path = tmp_path / ADDED_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = Coordinators(tmp_path, rule())
    assert again.listing()[0].link.token == "secret-1"


def test_a_link_pasted_again_replaces_the_first(known):
    known.add("https://pasted/#token=old", None, None)
    added = known.add("https://pasted/#token=new", None, None)
    assert [each.link.token for each in known.listing()] == ["secret-0", "new"]
    assert known.remove(added.link.id)
    assert not known.remove(added.link.id)
    assert [each.name for each in known.listing()] == ["configured"]


def test_only_pasted_links_can_be_removed(known):
    assert not known.remove(known.listing()[0].link.id)


def test_an_operator_can_forbid_links(tmp_path):
    known = Coordinators(tmp_path, rule(add=False))
    with pytest.raises(ConfigurationError, match=r"eco-dask\.jupyter\.add"):
        known.add("https://pasted", None, None)
    assert known.listing() == []


def test_what_the_browser_gets_holds_no_token(known):
    known.add("https://pasted/#token=secret-1", None, None)
    shown = json.dumps([each.to_plain() for each in known.listing()])
    assert "secret" not in shown
    assert "secret" not in repr(known.listing())
    assert shown.count('"has_token": true') == 2


def test_nothing_else_is_found(known):
    assert known.find("0" * 12) is None
    assert known.find(known.listing()[0].link.id) is not None


def test_of_two_ways_to_one_coordinator_that_with_a_token_counts(tmp_path):
    known = Coordinators(tmp_path, rule({"url": "https://host"}))
    known.add("https://host/#token=t", None, None)
    assert [each.link.token for each in known.listing()] == ["t"]


def test_a_damaged_file_is_named(known, tmp_path):
    known.add("https://pasted", None, None)
    (tmp_path / ADDED_FILE).write_text("{")
    with pytest.raises(ConfigurationError, match=ADDED_FILE):
        known.listing()


class TestSettings:
    def test_a_token_may_lie_in_a_private_file(self, tmp_path):
        path = tmp_path / "token"
        path.write_text("secret-2\n")
        path.chmod(0o600)
        assert configured({"url": "https://h", "token-file": str(path)}).link.token == "secret-2"

    def test_a_token_that_others_can_read_is_refused(self, tmp_path):
        path = tmp_path / "token"
        path.write_text("secret-2\n")
        path.chmod(0o644)
        with pytest.raises(ConfigurationError, match="others"):
            configured({"url": "https://h", "token-file": str(path)})

    @pytest.mark.parametrize("entry", [{}, {"url": 3}, {"url": "https://h", "tokn": "secret-3"}])
    def test_an_entry_that_cannot_be_read_is_refused_without_its_token(self, entry):
        with pytest.raises(ConfigurationError, match=r"eco-dask\.jupyter\.coordinators") as caught:
            configured(entry)
        assert "secret-3" not in str(caught.value)

    def test_something_else_than_a_list_is_refused(self):
        with (
            dask.config.set({"eco-dask.jupyter.coordinators": {"token": "secret-4"}}),
            pytest.raises(ConfigurationError) as caught,
        ):
            jupyter_rule()
        assert "secret-4" not in str(caught.value)


class TestAnnounced:
    def test_a_process_tells_by_a_private_file(self, tmp_path):
        link = Link("http://127.0.0.1:1", "t", insecure=True)
        made = Announced(link, "net", "tcp://h:1", os.getpid())
        path = write(made, tmp_path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert announced(tmp_path) == [made]
        (found,) = Coordinators(tmp_path, rule()).listing()
        assert (found.source, found.scheduler) == ("notebook", "tcp://h:1")

    def test_what_a_process_left_behind_goes(self, tmp_path):
        with subprocess.Popen([sys.executable, "-c", ""]) as gone:
            pass
        path = write(Announced(Link("http://127.0.0.1:1"), "net", "tcp://h:1", gone.pid), tmp_path)
        assert announced(tmp_path) == []
        assert not path.exists()

    def test_what_is_none_is_left_out(self, tmp_path):
        write(Announced(Link("http://127.0.0.1:1"), "n", "tcp://h:1", os.getpid()), tmp_path)
        folder = tmp_path / "announced"
        (folder / "half.json").write_text("{")
        (folder / "half.json").chmod(0o600)
        (folder / "open.json").write_text("{}")
        (folder / "open.json").chmod(0o644)
        assert [each.name for each in announced(tmp_path)] == ["n"]
