"""Texts that would be programs elsewhere: for a terminal, a page, a shell, a database, a log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from attack_target import Target
from attacker import MACHINE, Attacker, Refusal
from click.testing import CliRunner

from eco_dask.cli.main import eco
from eco_dask.errors import RegistrationError, RemoteTaskError
from eco_dask.wire import messages as m

HOSTILE = {
    "terminal": "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b31m",
    "log": "\r\n2026-01-01 00:00:00 - eco_dask - INFO - all is well",
    "bidi": "\u202egnp.exe\u2066",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "markup": "[red]x[/red][link=http://evil.example]y[/link]",
    "sql": "'; DROP TABLE providers; --",
    "like": "%' OR '1'='1",
    "path": "../../../../../../tmp/eco-dask-traversal",
    "format": "%s%s%n{0.__class__.__mro__}",
    "shell": "$(touch /tmp/eco-dask-shell)`id`",
    "nul": "a\x00b",
}


@pytest.fixture(params=HOSTILE)
def text(request: pytest.FixtureRequest) -> str:
    return HOSTILE[request.param]


@pytest.fixture
def pair(target: Target) -> Iterator[tuple[Attacker, Attacker]]:
    pair = target.attacker("mallory"), target.attacker("trudy")
    yield pair
    for each in pair:
        each.leave()


def odd(shown: str) -> set[str]:
    """Return what is in a text that a terminal would not show, but do."""
    return {c for c in shown if not (c.isprintable() or c in "\n\t")}


def shown_by(target: Target, *command: str) -> str:
    """What the operator's command prints."""
    folder = ["--data-directory", str(target.cluster.data_directory)]
    done = CliRunner().invoke(eco, [*command, *folder])
    assert done.exit_code == 0, done.output
    return done.output


def test_in_every_text_of_a_provider(target: Target, pair, text: str) -> None:
    mallory, _ = pair
    short = text[:60]
    mallory.say(
        m.Slots(4, text),
        m.Failed(text, text, text, text, 0.0, 0.0),
        m.Declined(text, short, text),
        m.ValueGone(text),
        m.Missing(text, ()),
        m.Sketched(text, 1, text.encode()),
    )
    assert mallory.still_there()
    future = target.submit(abs, -5, quorum=2)
    for each in pair:
        lease = each.expect(m.Lease).lease
        each.say(m.Failed(lease, text[:200], text, text, 0.0, 0.0))
    with pytest.raises(RemoteTaskError) as caught:
        future.result(25)
    error = caught.value
    for shown in (str(error), error.error_type, error.remote_traceback, *error.__notes__):
        assert not odd(shown)
    assert not odd(target.log)
    assert not [line for line in target.log.splitlines() if line.startswith("2026-01-01")]


def test_in_every_text_of_a_stranger(target: Target, text: str) -> None:
    cut = text[:200]
    for hello, proof in (
        ({"invite": cut}, {}),
        ({"software": {"python": cut, cut[:60]: cut}}, {}),
        ({}, {"capability": MACHINE.to_map() | {"blas": cut, "os": cut}}),
        ({}, {"capability": MACHINE.to_map() | {"unknown": [cut]}}),
        ({}, {"capability": {cut[:60]: cut}}),
        ({}, {"packages": (cut, f"numpy=={cut}")}),
    ):
        stranger = Attacker(target.address)
        with pytest.raises(Refusal) as refusal:
            stranger.join(hello=hello, **proof)
        assert not odd(refusal.value.message)
    assert not odd(target.log)


def test_in_what_a_machine_says_of_itself(target: Target) -> None:
    # What printable ASCII allows is shown as it is, and means nothing where it is shown.
    names = {
        "blas": HOSTILE["html"],
        "simd": HOSTILE["markup"],
        "blas_kernel": HOSTILE["sql"],
        "gpu_library": HOSTILE["shell"],
        "blas_threading": HOSTILE["path"],
    }
    machine = replace(MACHINE, **names)
    attacker = Attacker(target.address)
    attacker.join(target.invite("html"), capability=machine.to_map())
    listed = shown_by(target, "providers", "--owner", "html")
    assert attacker.id in listed
    assert not odd(listed)
    assert not odd(shown_by(target, "providers", "--tags"))
    attacker.leave()


def test_in_the_names_of_owners(target: Target, text: str) -> None:
    with pytest.raises(RegistrationError, match="an owner's name"):
        target.registry.invite(text, at_s=1.0)


def test_the_books_stand(target: Target, pair) -> None:
    mallory, _ = pair
    mallory.line.send(b"x")
    mallory.line.closed()
    assert target.struck(mallory, "protocol: frame-cut")
    for command in (("receipts",), ("balance",), ("jobs",), ("providers",)):
        assert not odd(shown_by(target, *command))
