"""The gateway's second door: a recruiter's one-time word and key, for a certificate.

POST {invite, request} ──► Roll.redeem ──► Authority.issue ──► {certificate, ca, scheduler, ...}
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from tornado.web import RequestHandler

from eco_dask.errors import RegistrationError
from eco_dask.gateway.door import Door
from eco_dask.gateway.gateway import Gateway
from eco_dask.ledger.tokens import Scope, TokenStore
from eco_dask.recruiters.authority import Authority, requested_key
from eco_dask.recruiters.roll import Roll

logger = logging.getLogger(__name__)

#: Bytes of a request: an invite and a signing request.
REQUEST_BYTES_MAX = 16 * 1024
_DAY_S = 86_400.0


class Enrolling:
    """Turns words into certificates.

    Parameters
    ----------
    authority : Authority or None
        None where recruiters are served in plain text: they get no certificate then.
    """

    def __init__(self, gateway: Gateway, authority: Authority | None) -> None:
        self._gateway = gateway
        self._authority = authority
        self._roll = Roll(gateway.registry.database)
        self._tokens = TokenStore(gateway.registry.database)

    def enrol(self, word: str, request: str) -> dict[str, Any]:
        """Return what the recruiter gets.

        Raises
        ------
        RegistrationError
            The word lets nobody in, or the request is none.
        """
        # First: a request that cannot be fulfilled must not use up the word.
        requested_key(request.encode())
        at_s = self._gateway.now_s()
        grant = self._roll.redeem(word, at_s)
        end_s = at_s + grant.days * _DAY_S
        token = self._tokens.new(
            Scope("recruiter", grant.recruiter), at_s, end_s, note="of a recruiter's link"
        )
        given: dict[str, Any] = {
            "recruiter": grant.recruiter,
            "scheduler": grant.scheduler,
            "expires_at_s": end_s,
            "token": token,
            "ca": "",
            "certificate": "",
        }
        if self._authority is not None and grant.scheduler.startswith("tls://"):
            issued = self._authority.issue(grant.recruiter, request.encode(), at_s, grant.days)
            self._roll.record(grant.recruiter, issued, at_s)
            given["ca"] = self._authority.operator_ca_pem()
            given["certificate"] = issued.pem
            given["expires_at_s"] = issued.expires_at_s
        logger.info("Recruiter %s has enrolled", grant.recruiter)
        return given

    def refused(self, address: str, code: str) -> None:
        """Note that somebody was not let in."""
        self._gateway.offences.by_stranger(address, f"recruiter refused: {code}")


class RecruiterHandler(RequestHandler):
    """One request of one recruiter."""

    def initialize(self, enrolling: Enrolling, door: Door) -> None:
        """Take what Tornado's routing passes on."""
        self._enrolling = enrolling
        stream = getattr(self.request.connection, "stream", None)
        if stream is not None:
            door.spoke(stream)

    def check_xsrf_cookie(self) -> None:
        """Nothing here goes by cookies."""

    async def post(self) -> None:
        """Answer with credentials, or with a refusal."""
        try:
            word, request = _asked(self.request.body)
            given = await asyncio.to_thread(self._enrolling.enrol, word, request)
        except RegistrationError as error:
            self._enrolling.refused(self.request.remote_ip or "", error.code)
            self.set_status(403)
            given = {"refused": {"code": error.code, "message": str(error)}}
        except SQLAlchemyError:
            logger.exception("The roll of recruiters could not be asked")
            self.set_status(503)
            message = "the coordinator cannot be reached now; try again later"
            given = {"refused": {"code": "busy", "message": message}}
        self.set_header("Cache-Control", "no-store")
        self.write(given)


def _asked(body: bytes) -> tuple[str, str]:
    try:
        asked = json.loads(body)
        word, request = asked["invite"], asked["request"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RegistrationError("bad-request", "use eco_dask.connect(link)") from error
    if not isinstance(word, str) or not isinstance(request, str):
        raise RegistrationError("bad-request", "use eco_dask.connect(link)")
    return word, request
