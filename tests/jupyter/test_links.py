"""Where a coordinator may be, and when a token may travel there."""

from __future__ import annotations

import pytest

from eco_dask.errors import ConfigurationError
from eco_dask.jupyter.links import Link, parse

READ = {
    "https://eco.example:8787/#token=abc.DEF-1": ("https://eco.example:8787", "abc.DEF-1"),
    " https://eco.example/ ": ("https://eco.example", None),
    "http://127.0.0.1:8787/status": ("http://127.0.0.1:8787", None),
    "http://127.0.0.1:8787/status#token=t": ("http://127.0.0.1:8787", "t"),
    "http://localhost:1/eco/api/v1": ("http://localhost:1", None),
    "http://[::1]:8787/#token=t": ("http://[::1]:8787", "t"),
    "http://eco.example:8787": ("http://eco.example:8787", None),
    "https://hub.example/user/ann/proxy/8787/status": (
        "https://hub.example/user/ann/proxy/8787",
        None,
    ),
}


@pytest.mark.parametrize("text", READ)
def test_a_link_is_read_as_people_paste_it(text):
    link = parse(text)
    assert (link.url, link.token) == READ[text]


REFUSED = {
    "no address": "hello",
    "another scheme": "file:///etc/passwd",
    "a scheduler's address": "tcp://127.0.0.1:8786",
    "no host": "http:///x",
    "a port that is none": "http://host:port/",
    "a password": "https://ann:secret@host/",
    "a path that climbs": "https://host/../x",
    "the metadata service of a cloud": "http://169.254.169.254/latest",
    "link-local": "http://[fe80::1]:80/",
    "no particular host": "http://0.0.0.0:8787/",
    "many hosts": "http://224.0.0.1/",
    "a line break in the token": "https://host/#token=a%0d%0ab",
    "a token in plain text": "http://eco.example:8787/#token=abc",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_safe_link_is_refused_and_not_repeated(name):
    with pytest.raises(ConfigurationError) as caught:
        parse(REFUSED[name])
    for secret in ("secret", "token=a", "abc"):
        assert secret not in str(caught.value)


def test_a_pin_comes_along_for_a_certificate_that_no_public_authority_signed():
    pin = "abcdefghijklmnopqrstuvwxyz"
    assert parse(f"https://host/#token=t&pin={pin}").pin == pin
    assert parse("https://host/#token=t").pin == ""
    assert parse("https://host/#token=t&pin=ca").pin == ""
    with pytest.raises(ConfigurationError, match="fingerprint"):
        parse("https://host/#token=t&pin=short")
    with pytest.raises(ConfigurationError, match="https"):
        parse(f"http://localhost/#token=t&pin={pin}")


def test_the_token_given_apart_comes_first():
    assert parse("https://host/#token=old", "new").token == "new"


def test_plain_text_beyond_this_machine_needs_the_operators_word():
    assert Link("http://scheduler:8787", "t", insecure=True).token == "t"
    with pytest.raises(ConfigurationError, match="plain text"):
        Link("http://scheduler:8787", "t")


def test_a_link_has_one_id_and_shows_no_token():
    assert parse("https://host/#token=secret").id == parse("https://host").id
    assert parse("https://host").id != parse("https://host:1").id
    assert "secret" not in repr(parse("https://host/#token=secret"))
