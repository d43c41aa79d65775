"""The state of a running agent as plain values: what the owner's page and commands show.

Agent, Conduct ──state_of──► {"state", "why", "tasks", "points", "energy", ...}
"""

from __future__ import annotations

import platform
import time
from dataclasses import asdict
from itertools import islice
from typing import Any

import psutil

from eco_dask.agent.agent import Agent
from eco_dask.agent.conduct import Conduct, Order
from eco_dask.agent.energy_plan import basis_of
from eco_dask.agent.outlook import Idle, why_no_work
from eco_dask.ledger.receipts import ReceiptReason, explain
from eco_dask.sandbox.limits import describe

_DAYS_SHOWN, _TASKS_SHOWN = 14, 50


def state_of(agent: Agent, conduct: Conduct) -> dict[str, Any]:
    """Return everything that an owner may want to know, units in the names."""
    held = agent.held()
    return {
        "at_s": time.time(),
        "machine": platform.node(),
        "provider": agent.about.identity.provider_id,
        "gateway": agent.about.link.address,
        "owner": agent.owner,
        "slots": agent.about.slots,
        "started_at_s": conduct.started_at_s,
        **_condition(agent, conduct),
        "tasks": [
            {"lease": lease.lease, "kind": lease.kind, "running": running}
            for lease, running in held[:_TASKS_SHOWN]
        ],
        "tasks_held": len(held),
        "points": _points(agent),
        "done": [_done(task) for task in islice(agent.diary.tasks, _TASKS_SHOWN)],
        "days": [
            {"day": name, **asdict(day)}
            for name, day in sorted(agent.diary.days.items(), reverse=True)[:_DAYS_SHOWN]
        ],
        "performance": _performance(agent),
        "energy": _energy(agent),
        "sandbox": _sandbox(agent, conduct),
    }


def _condition(agent: Agent, conduct: Conduct) -> dict[str, Any]:
    pausing = agent.pausing
    reasons = [asdict(reason) for reason in conduct.last.reasons]
    if conduct.order is Order.PAUSE:
        reasons.insert(0, {"code": "owner", "words": "you paused it"})
    if not agent.connected:
        state, why = "connecting", agent.last_change or "not connected yet"
    elif pausing.reason:
        state, why = "paused", "; ".join(reason["words"] for reason in reasons)
    elif pausing.finishing:
        state, why = "finishing", "it takes nothing new and stops once its answers are settled"
    elif agent.held():
        state, why = "working", ""
    else:
        idle = Idle(conduct.order.value, tuple(r["words"] for r in reasons), agent.outlook)
        state, why = "waiting", why_no_work(idle)
    return {"state": state, "why": why, "reasons": reasons, "fault": conduct.last.fault}


def _points(agent: Agent) -> dict[str, Any]:
    n_pending, pending_mpt = agent.diary.pending
    return {
        "paid_mpt": agent.diary.paid_mpt,
        "today_mpt": agent.diary.now.paid_mpt,
        "pending_tasks": n_pending,
        "pending_mpt_expected": pending_mpt,
    }


def _done(task: Any) -> dict[str, Any]:
    known = set(ReceiptReason)
    words = "no receipt yet: its answer is being checked"
    if task.reason:
        words = explain(ReceiptReason(task.reason)) if task.reason in known else task.reason
    return {**asdict(task), "words": words}


def _performance(agent: Agent) -> dict[str, Any]:
    done = [task.wall_s for task in agent.diary.tasks]
    return {
        "cores": agent.about.capability.cores,
        "tasks_today": agent.diary.now.tasks,
        "task_wall_s_mean": sum(done) / len(done) if done else None,
        "up_bytes_today": agent.diary.now.up_bytes,
        "down_bytes_today": agent.diary.now.down_bytes,
        "agent_rss_bytes": psutil.Process().memory_info().rss,
    }


def _energy(agent: Agent) -> dict[str, Any]:
    plan, totals = agent.about.energy, agent.energy.totals
    return {
        "source": basis_of(plan.meters),
        "basis": plan.declared.basis,
        "missing": [
            {"reason": it.reason, "remedy": it.remedy} for it in plan.meters.missing if it.remedy
        ],
        "tasks_uj": totals.tasks_uj,
        "overhead_uj": totals.overhead_uj,
        "others_uj": totals.other_uj,
        "idle_uj": totals.base_uj,
        "total_uj": totals.total_uj,
    }


def _sandbox(agent: Agent, conduct: Conduct) -> dict[str, Any]:
    sandbox = agent.sandbox
    return {
        "profile": sandbox.profile.name,
        "words": sandbox.profile.words,
        "limits": describe(conduct.limits),
        "notes": list(sandbox.notes),
    }
