"""A recruiter's one line: from a link to a Dask client.

eco_dask.connect(link) ──enrol once──► certificate, key ──Security──► Client
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distributed import Client
from distributed.security import Security

from eco_dask.client import prefer_task_methods
from eco_dask.recruiters.enrolment import Credentials, credentials
from eco_dask.recruiters.link import find_link


def connect(link: str | Path | None = None, **options: Any) -> Client:
    """Connect to a coordinator with the link that its operator made for you.

    The first call turns the link into a key and a certificate, which are kept in your data
    directory, readable by you alone; later calls with the same link use those. The link itself is
    worth nothing once it was used.

    Parameters
    ----------
    link : str or Path, optional
        What ``eco-dask invite --recruiter NAME`` printed, or a file that holds it. Default: the
        environment variable ``ECO_DASK_RECRUITER_LINK``.
    **options
        As for :class:`distributed.Client`.

    Raises
    ------
    RegistrationError
        The gateway refuses the link: it was used or has expired.
    ConfigurationError
        It is no link, nobody answers, or what it was turned into has expired.
    """
    found = credentials(find_link(link))
    prefer_task_methods()
    return Client(found.scheduler, security=security_of(found), **options)


def security_of(found: Credentials) -> Security | None:
    """Return what Dask's client dials with; None for plain text on this machine."""
    if not found.certificate:
        return None
    return Security(
        require_encryption=True,
        tls_ca_file=found.ca,
        tls_client_cert=found.certificate,
        tls_client_key=found.key,
    )
