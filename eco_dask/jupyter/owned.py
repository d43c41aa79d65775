"""What a provider on this machine says of itself, and its owner's orders: by its local page.

control.json ──its port, its token──► /state, /order     the token stays here
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from eco_dask.agent.local_page import CONTROL_FILE

ORDERS = ("run", "pause", "finish")
_ANSWER_S = 3.0


async def ask_owned(home: Path, path: str, body: Any = None) -> dict[str, Any] | None:
    """Ask the agent whose folder that is; None where none runs, or none that answers."""
    try:
        control = json.loads((home / CONTROL_FILE).read_bytes())
        request = HTTPRequest(
            f"http://127.0.0.1:{int(control['port'])}/{path}",
            method="GET" if body is None else "POST",
            body=None if body is None else json.dumps(body),
            headers={"Authorization": f"Bearer {control['token']}"},
            follow_redirects=False,
            request_timeout=_ANSWER_S,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    client = SimpleAsyncHTTPClient(force_instance=True)
    try:
        answer = await client.fetch(request, raise_error=False)
        found = json.loads(answer.body) if answer.code == HTTPStatus.OK else None
    except (HTTPClientError, OSError, ValueError):
        return None
    finally:
        client.close()
    return found if isinstance(found, dict) else None


def shown(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the panel shows of an agent's state, None where it does not say."""
    points, energy = said.get("points") or {}, said.get("energy") or {}
    sandbox, done = said.get("sandbox") or {}, said.get("performance") or {}
    return {
        "state": said.get("state"),
        "why": said.get("why") or "",
        "provider": said.get("provider"),
        "owner": said.get("owner"),
        "slots": said.get("slots"),
        "tasks_held": said.get("tasks_held"),
        "tasks_today": done.get("tasks_today"),
        "today_mpt": points.get("today_mpt"),
        "paid_mpt": points.get("paid_mpt"),
        "pending_mpt": points.get("pending_mpt_expected"),
        "tasks_uj": energy.get("tasks_uj"),
        "energy_source": energy.get("source"),
        "sandbox": sandbox.get("words"),
    }
