"""Why an idle provider gets nothing, as the gateway tells it and as its owner reads it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from eco_dask.agent.outlook import OUTLOOKS, Idle, why_no_work
from eco_dask.engine.ballot import Ballot
from eco_dask.engine.facts import Provider, Task
from eco_dask.engine.outlook import Outlook, outlook_of
from eco_dask.verification.rules import CredibilityRule, QuorumRule

CREDIBLE = CredibilityRule(1e-3, 1e-2)
QUORUM = QuorumRule()
ANN = Provider("p1", "ann", "provider", frozenset({"linux"}), 1)


def waiting(
    *require: str, asked: Provider | None = None, rule=QUORUM, budget_mpt: int | None = None
) -> Ballot:
    task = Task("b", "sum", "job", "recruiter:r", rule, frozenset(require), budget_mpt=budget_mpt)
    ballot = Ballot(task, role="provider", wanted=2)
    if asked is not None:
        ballot.leases["l"] = SimpleNamespace(provider=asked)
    return ballot


@pytest.mark.parametrize(
    ("ballots", "barred", "expected"),
    [
        ([], set(), Outlook("no-demand")),
        ([waiting()], {"ann"}, Outlook("barred")),
        ([waiting("gpu", "linux")], set(), Outlook("tags", "gpu", 1)),
        ([waiting("a", "b"), waiting("c")], set(), Outlook("tags", "c", 2)),
        ([waiting(asked=ANN), waiting("gpu")], set(), Outlook("witnessed", "", 2)),
        ([waiting(asked=ANN), waiting()], set(), Outlook("soon", "", 2)),
        ([waiting("gpu"), waiting("linux")], set(), Outlook("soon", "", 2)),
    ],
)
def test_the_gateway_says_why(ballots, barred, expected) -> None:
    assert outlook_of(ANN, ballots, barred) == expected


def lost(*by: Provider) -> Ballot:
    ballot = waiting()
    ballot.lost_by.update(each.id for each in by)
    return ballot


def audited() -> Ballot:
    ballot = waiting(asked=ANN, rule=CREDIBLE)
    ballot.phase = "standing"
    return ballot


@pytest.mark.parametrize(
    ("ballots", "code"),
    [
        ([waiting(asked=ANN, rule=CREDIBLE)], "probation"),
        ([waiting(asked=ANN, rule=CREDIBLE), waiting()], "soon"),
        ([audited()], "witnessed"),
        ([lost(ANN)], "lost"),
        ([lost(ANN), waiting(asked=ANN)], "lost"),
        ([lost(ANN), waiting()], "soon"),
        ([waiting(budget_mpt=5), waiting(budget_mpt=5)], "price"),
        ([waiting(budget_mpt=5), waiting()], "soon"),
        ([waiting(budget_mpt=5), waiting(asked=ANN), lost(ANN)], "price"),
    ],
)
def test_of_tasks_that_it_could_do_the_gateway_says_what_keeps_them_away(ballots, code) -> None:
    found = outlook_of(ANN, ballots, set(), lambda task: task.budget_mpt is not None)
    assert found == Outlook(code, "", len(ballots))


def test_budgets_keep_nothing_from_trusted_workers_who_are_not_paid() -> None:
    trusted = replace(ANN, role="trusted")
    assert outlook_of(trusted, [waiting(budget_mpt=5)], set(), lambda _: True).code == "soon"


@pytest.mark.parametrize(
    ("idle", "words"),
    [
        (Idle("pause", ("on battery",), None), "you paused it"),
        (Idle("finish", (), None), "you asked it to take nothing new"),
        (Idle("run", ("on battery", "hot"), ("soon", "")), "paused: on battery; hot"),
        (Idle("run", (), None), "has not said yet"),
        (Idle("run", (), ("tags", "gpu")), "does not offer: gpu"),
        (Idle("run", (), ("new-code", "x\x1b[2J")), "new-code: x"),
    ],
)
def test_the_owner_reads_one_answer(idle, words) -> None:
    assert words in why_no_work(idle)
    assert "\x1b" not in why_no_work(idle)


@pytest.mark.parametrize("code", OUTLOOKS)
def test_every_code_has_words(code) -> None:
    assert "{" not in why_no_work(Idle("run", (), (code, "gpu")))
