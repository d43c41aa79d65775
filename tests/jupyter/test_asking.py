"""One request to a coordinator: where it goes, what comes back, and what never does."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time

import pytest
from made_coordinator import MadeCoordinator

from eco_dask.jupyter import asking
from eco_dask.jupyter.asking import CoordinatorError
from eco_dask.jupyter.coordinators import Coordinator
from eco_dask.jupyter.links import Link
from eco_dask.providers.certificates import (
    load_or_create_certificate,
)
from eco_dask.providers.pins import pin_of, trust_only


@pytest.fixture
def made():
    with MadeCoordinator() as made:
        yield made


def coordinator(made, token="made-token-0123456789"):
    return Coordinator(Link(made.url, token), "made", "settings")


def read(made, path, query=(), *, token="made-token-0123456789", etag=None):
    return asyncio.run(asking.read(coordinator(made, token), path, dict(query), etag))


def test_a_path_is_read_with_the_token(made):
    answer = read(made, "jobs", {"limit": "3"})
    assert json.loads(answer.body)["jobs"]
    assert made.seen == [("GET", "/eco/api/v1/jobs?limit=3", f"Bearer {made.token}")]


def test_a_job_is_cancelled(made):
    answer = asyncio.run(asking.cancel(coordinator(made), "job-1"))
    assert answer.status == 200
    assert made.seen[0][:2] == ("POST", "/eco/api/v1/jobs/job-1/cancel")


@pytest.mark.parametrize(
    "path", ["receipts", "openapi.json", "events", "jobs/../receipts", "jobs/a/cancel", "",
             "jobs//", "series/x?y", "http://other/", "jobs/a%2fb", "providers/..",
             "jobs/x\r\nHost: other"],
)  # fmt: skip
def test_what_the_panel_does_not_show_is_not_asked(made, path):
    with pytest.raises(CoordinatorError) as caught:
        read(made, path)
    assert caught.value.status == 404
    assert made.seen == []


@pytest.mark.parametrize("job", ["", "a/b", "..%2fx", "a b", "a?b", "x" * 99])
def test_a_job_that_none_is_called_is_not_cancelled(made, job):
    with pytest.raises(CoordinatorError):
        asyncio.run(asking.cancel(coordinator(made), job))
    assert made.seen == []


def test_of_the_question_only_what_is_known_goes_along(made):
    read(made, "jobs", {"limit": "3", "url": "http://other", "token": "x"})
    assert made.seen[0][1] == "/eco/api/v1/jobs?limit=3"


def test_a_redirect_is_not_followed(made):
    with MadeCoordinator() as other:
        made.instead["jobs"] = (302, {"Location": f"{other.url}/eco/api/v1/jobs"}, "")
        with pytest.raises(CoordinatorError) as caught:
            read(made, "jobs")
        assert other.seen == []
    assert caught.value.status == 502


def test_an_answer_that_holds_the_token_is_not_passed_on(made):
    made.instead["jobs"] = (200, {}, json.dumps({"you": f"Bearer {made.token}"}))
    with pytest.raises(CoordinatorError) as caught:
        read(made, "jobs")
    assert made.token not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body"), [(200, "<html>"), (200, "3"), (500, "{}"), (418, "secret page")]
)
def test_what_is_no_coordinator_is_told_from_one_and_not_shown(made, status, body):
    made.instead["jobs"] = (status, {}, body)
    with pytest.raises(CoordinatorError) as caught:
        read(made, "jobs")
    assert (caught.value.status, "secret" in str(caught.value)) == (502, False)


@pytest.mark.parametrize("token", ["wrong-token", None])
def test_a_wrong_token_or_none_is_said_in_words(made, token):
    with pytest.raises(CoordinatorError, match="token") as caught:
        read(made, "jobs", token=token)
    assert caught.value.status == 403
    assert json.loads(read(made, "summary", token=token).body)["network"]


class TestPins:
    @pytest.fixture
    def secure(self, tmp_path):
        certificate = load_or_create_certificate(tmp_path, ["eco.example"], time.time())
        with MadeCoordinator(certificate=certificate) as made:
            yield made

    def read(self, made, pin):
        link = Link(made.url, made.token, pin=pin)
        return asyncio.run(asking.read(Coordinator(link, "made", "link"), "jobs", {}))

    def test_a_certificate_of_nobodys_is_known_by_its_pin(self, secure):
        pin = pin_of(secure.certificate.fingerprint)
        assert json.loads(self.read(secure, pin).body)["jobs"]
        # A whole fingerprint is as good.
        assert self.read(secure, secure.certificate.fingerprint).status == 200

    def test_another_certificate_gets_no_token(self, secure):
        with pytest.raises(CoordinatorError, match="another certificate") as caught:
            self.read(secure, "a" * 26)
        assert caught.value.status == 502
        assert secure.seen == []

    @pytest.mark.parametrize("pin", ["", "ca"])
    def test_without_a_pin_a_public_authority_must_have_signed_it(self, secure, pin):
        with pytest.raises(CoordinatorError, match=r"CERTIFICATE_VERIFY_FAILED|certificate"):
            self.read(secure, pin)
        assert secure.seen == []

    def test_who_is_there_at_the_second_call_only_gets_no_token(self, secure, tmp_path):
        other = load_or_create_certificate(tmp_path / "other", ["eco.example"], time.time())
        der_bytes = ssl.PEM_cert_to_DER_cert(other.cert_path.read_text())
        with (
            socket.create_connection(("127.0.0.1", secure.port), 10) as line,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            trust_only(der_bytes).wrap_socket(line)
        assert secure.seen == []

    def test_where_there_is_no_tls_a_pin_ends_the_matter(self, made):
        link = Link(made.url.replace("http:", "https:"), made.token, pin="a" * 26)
        with pytest.raises(CoordinatorError, match="does not answer"):
            asyncio.run(asking.read(Coordinator(link, "made", "link"), "jobs", {}))
        assert made.seen == []


def test_nobody_there_is_said_with_the_place():
    with pytest.raises(CoordinatorError, match=r"http://127\.0\.0\.1:9.*refused") as caught:
        asyncio.run(
            asking.read(Coordinator(Link("http://127.0.0.1:9"), "gone", "link"), "jobs", {})
        )
    assert caught.value.status == 504


def test_what_has_not_changed_is_not_sent_again(made):
    tag = '"v1"'
    made.instead["jobs"] = (200, {"Etag": tag}, "{}")
    assert read(made, "jobs").etag == tag
    made.instead["jobs"] = (304, {"Etag": tag}, "")
    answer = read(made, "jobs", etag=tag)
    assert (answer.status, answer.body) == (304, b"")


def test_an_endless_answer_is_cut_off(made):
    made.instead["jobs"] = (200, {}, "[" + "1," * 9_000_000 + "1]")
    with pytest.raises(CoordinatorError):
        read(made, "jobs")
