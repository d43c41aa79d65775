"""JoinLink: survives copy and paste, never plain text beyond this machine, never shows a secret."""

from __future__ import annotations

import ipaddress
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.errors import ConfigurationError, RegistrationError
from eco_dask.providers.invite import Invite
from eco_dask.providers.link import LINK_VARIABLE, JoinLink, find_link, is_loopback
from eco_dask.providers.pins import pin_of

SECRET = "Tr0ub4dor-and_3-horses"
INVITE = f"ab12cd.{SECRET}"
TLS = "0123456789abcdef" * 4
PIN = pin_of(TLS)
OLD = f"eco-dask://gate.example.org:8788/{INVITE}?tls={TLS}"
SAFE = f"eco-dask://gate.example.org:8788/{INVITE}.{PIN}"

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
names = (
    st.lists(labels, min_size=1, max_size=4)
    .map(".".join)
    .filter(lambda name: any(char.isalpha() or char == "-" for char in name))
)
hosts = st.one_of(
    names, st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(lambda ip: f"[{ip}]")
)
local = st.sampled_from(["localhost", "127.0.0.1", "127.8.9.1", "[::1]"])
invites = st.builds(
    Invite,
    st.from_regex(r"[a-z0-9]{4,32}", fullmatch=True),
    st.from_regex(r"Secret-[A-Za-z0-9_-]{9,121}", fullmatch=True),
).map(str)
prints = st.binary(min_size=32, max_size=32).map(bytes.hex) | st.just("ca")
ports = st.integers(1, 65535)
links = st.one_of(
    st.builds(lambda h, p, i, t: JoinLink(f"wss://{h}:{p}", i, t), hosts, ports, invites, prints),
    st.builds(lambda h, p, i: JoinLink(f"ws://{h}:{p}", i), local, ports, invites),
)


@given(links, st.sampled_from(["{}", " {}\n", '"{}"', "<{}>", "\t'{}' \r\n", "“{}”"]))
def test_a_link_survives_copy_and_paste(link: JoinLink, wrapped: str) -> None:
    assert JoinLink.parse(wrapped.format(link)) == link
    # Nothing that a shell, a chat or a mail program would change; brackets are IPv6's own.
    assert not set(str(link)) & set(" \t\n\"'?=&#*~$`|<>(){};!\\")


@given(links)
def test_the_secret_shows_in_str_only(link: JoinLink) -> None:
    secret = Invite.parse(link.invite).secret
    assert secret in str(link)
    shown = repr(link) + link.redacted() + repr([link]) + repr(Invite.parse(link.invite))
    assert secret not in shown


@given(st.text(max_size=80) | st.text("eco-dask:/?tls=[]1.aA", max_size=120))
def test_other_text_is_refused_with_the_form_to_use(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"link|address|host"):
        JoinLink.parse(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (SAFE, "wss://gate.example.org:8788"),
        (SAFE.replace("gate.example", "GATE.Example"), "wss://gate.example.org:8788"),
        (SAFE.replace("gate.example.org", "[2001:DB8:0:0::1]"), "wss://[2001:db8::1]:8788"),
        (OLD, "wss://gate.example.org:8788"),
        (OLD.replace(TLS, TLS.upper()), "wss://gate.example.org:8788"),
        (
            OLD.replace(TLS, ":".join(TLS[i : i + 2] for i in range(0, 64, 2))),
            "wss://gate.example.org:8788",
        ),
        (f"eco-dask://localhost:1/{INVITE}", "ws://localhost:1"),
        (f"eco-dask://127.0.0.1:65535/{INVITE}", "ws://127.0.0.1:65535"),
        (f"eco-dask://[::1]:8788/{INVITE}", "ws://[::1]:8788"),
        (f"eco-dask://[0:0::1]:08788/{INVITE}?tls={TLS}", "wss://[::1]:8788"),
    ],
)
def test_parts_are_read_in_canonical_form(text: str, address: str) -> None:
    link = JoinLink.parse(text)
    assert (link.address, link.invite) == (address, INVITE)
    assert link.fingerprint == (PIN if "tls" in text or PIN in text else "")


HOSTILE = {
    "plain text to a name": (f"eco-dask://gate.example.org:8788/{INVITE}", "plain text"),
    "plain text to a network": (f"eco-dask://192.168.1.5:8788/{INVITE}", "plain text"),
    "plain text to all": (f"eco-dask://0.0.0.0:8788/{INVITE}", "plain text"),
    "plain text to IPv6": (f"eco-dask://[2001:db8::1]:8788/{INVITE}", "plain text"),
    "looks like localhost": (f"eco-dask://localhost.evil.org:1/{INVITE}", "plain text"),
    "looks like loopback": (f"eco-dask://127.0.0.1.evil.org:1/{INVITE}", "plain text"),
    "empty tls": (f"eco-dask://localhost:1/{INVITE}?tls=", "no join link"),
    "short tls": (f"eco-dask://h.org:1/{INVITE}?tls=abcd", "64 hex digits"),
    "short pin": (f"eco-dask://h.org:1/{INVITE}.abcd", "26 letters"),
    "pin and tls": (f"{SAFE}?tls={TLS}", "no join link"),
    "other option": (f"{OLD}&x=1", "no join link"),
    "other scheme": (SAFE.replace("eco-dask", "https"), "no join link"),
    "no port": (SAFE.replace(":8788", ""), "HOST:PORT"),
    "port 0": (SAFE.replace("8788", "0"), "port"),
    "port too large": (SAFE.replace("8788", "65536"), "port"),
    "user and password": (SAFE.replace("gate", f"{INVITE}@gate"), "HOST:PORT"),
    "invite as host": (f"eco-dask://{INVITE}/gate:8788", "HOST:PORT"),
    "invite as host with port": (f"eco-dask://{INVITE}-:87/gate", "host name"),
    "no invite": (f"eco-dask://localhost:1/?tls={TLS}", "no join link"),
    "short secret": (f"eco-dask://localhost:1/ab12cd.{SECRET[:9]}", "invite"),
    "odd secret": (f"eco-dask://localhost:1/ab12cd.{SECRET}%20", "invite"),
    "more path": (OLD.replace("?", "/more?"), "no join link"),
    "blank inside": (OLD.replace("?", " ?"), "no join link"),
    "bad IPv4": (SAFE.replace("gate.example.org", "300.1.1.1"), "IP address"),
    "bad IPv6": (SAFE.replace("gate.example.org", "[1::2::3]"), "IP address"),
    "bad label": (SAFE.replace("gate.", "-gate."), "host name"),
    "empty label": (SAFE.replace("gate.", "gate.."), "host name"),
    "long host": (SAFE.replace("gate", "a" * 64), "host name"),
    "longer host": (SAFE.replace("gate", ".".join(["a" * 60] * 5)), "host name"),
    "other alphabet": (SAFE.replace("gate", "g\u0430te"), "HOST:PORT"),
    "two links": (f"{SAFE}{SAFE}", "no join link"),
}


@pytest.mark.parametrize(("text", "problem"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_links_are_refused_without_their_secret(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as refused:
        JoinLink.parse(text)
    shown = "".join(traceback.format_exception_only(refused.value)) + repr(refused.value)
    causes = (refused.value.__cause__, refused.value.__context__)
    assert SECRET[:9].lower() not in (shown + repr(causes)).lower()


@pytest.mark.parametrize(
    ("address", "fingerprint"),
    [
        ("wss://localhost:1", ""),
        ("ws://localhost:1", TLS),
        ("http://localhost:1", ""),
        ("localhost:1", ""),
        ("wss://LOCALHOST:1", TLS),
        ("wss://localhost:01", TLS),
        ("wss://localhost:1", TLS.upper()),
        ("wss://localhost:1", PIN.upper()),
        ("ws://localhost:1", "ca"),
        ("wss://localhost:1/path", TLS),
    ],
)
def test_a_link_is_built_from_canonical_parts_only(address: str, fingerprint: str) -> None:
    with pytest.raises(ConfigurationError):
        JoinLink(address, INVITE, fingerprint)


@given(st.ip_addresses())
def test_loopback_is_what_ipaddress_says(ip: ipaddress.IPv4Address) -> None:
    assert is_loopback(str(ip)) == ip.is_loopback


FROM_FILE = SAFE.replace("gate", "file")
FROM_VARIABLE = SAFE.replace("gate", "variable")


@pytest.mark.parametrize(
    ("argument", "in_file", "variable", "found"),
    [
        (SAFE, True, FROM_VARIABLE, SAFE),
        (None, True, FROM_VARIABLE, FROM_FILE),
        ("", True, FROM_VARIABLE, FROM_FILE),
        (None, False, FROM_VARIABLE, FROM_VARIABLE),
    ],
)
def test_the_first_source_wins(
    tmp_path: Path, argument: str | None, in_file: bool, variable: str, found: str
) -> None:
    path = tmp_path / "link.txt"
    path.write_text(f"{FROM_FILE}\n")
    link = find_link(argument, path if in_file else None, {LINK_VARIABLE: variable})
    assert str(link) == found


@pytest.mark.parametrize("environ", [{}, {LINK_VARIABLE: ""}])
def test_without_a_source_all_are_named(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=LINK_VARIABLE):
        find_link(None, None, environ)


@pytest.mark.parametrize("content", [None, b"\xff\xfe" + SECRET.encode(), b"", b"hello"])
def test_an_unusable_file_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "link.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="link") as refused:
        find_link(None, path, {LINK_VARIABLE: SAFE})
    assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_drawn_invites_differ_and_survive() -> None:
    drawn = {Invite.draw() for _ in range(50)}
    assert len({invite.secret for invite in drawn}) == 50
    assert {Invite.parse(str(invite)) for invite in drawn} == drawn
    assert len({invite.secret_hash() for invite in drawn}) == 50


@pytest.mark.parametrize("text", ["", SECRET, f"ab.{SECRET}", f"AB12cd.{SECRET}", f"{INVITE}.x"])
def test_other_invites_are_refused_without_repeating_them(text: str) -> None:
    with pytest.raises(RegistrationError) as refused:
        Invite.parse(text)
    assert refused.value.code == "invite-unknown"
    assert SECRET not in str(refused.value)
