"""Pay: by the piece, within the hold, within the budget; and entries that say so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine_script import Net, asked, provider
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.engine import actions as act
from eco_dask.engine import events as ev
from eco_dask.engine.facts import EngineRule
from eco_dask.engine.history import ATTEMPTS_TRUSTED, Histories
from eco_dask.engine.pay import WORK_SPREAD_MAX, Treasury
from eco_dask.ledger.book import Book, Reserve, Resolve
from eco_dask.types import Digest, LeaseId, OwnerId, ProviderId, TaskKind
from eco_dask.verification.attempt import Attempt, ValueAnswer

KIND = TaskKind("k")
PRICE_MPT, FIRST_UNITS = 1000, 60.0


def entries(net: Net) -> list[Reserve | Resolve]:
    return [e for x in net.actions if isinstance(x, act.Record) for e in x.entries]


def hold_mpt(net: Net) -> int:
    (reserve,) = (entry for entry in entries(net) if isinstance(entry, Reserve))
    return reserve.amount_mpt


def run(net: Net, name: str, *claims_s: float, after_s: float = 100.0, **task: object) -> list[int]:
    """Let as many owners as there are claims agree on a task; return what each is paid."""
    who = asked(net.submit(name, owners=len(claims_s), attempts=len(claims_s), **task))
    net.tick(after_s)
    net.receipts.clear()
    for one, cpu_s in zip(who, claims_s, strict=True):
        net.answer(one, "1", name, cpu_s=cpu_s)
    return [receipt.amount_mpt for receipt in net.receipts]


def attempt(units: float, owner: str = "a") -> Attempt:
    answer = ValueAnswer(Digest(b"1"), 1)
    return Attempt(LeaseId("l"), ProviderId(owner), OwnerId(owner), False, answer, 1.0, 1.0, units)


def treasury(units: float, owners: str = "ab") -> Treasury:
    histories = Histories()
    for i in range(ATTEMPTS_TRUSTED):
        histories.observe(KIND, attempt(units, owners[i % len(owners)]))
    return Treasury(EngineRule(), histories)


# ---------------------------------------------------------------------- work


@pytest.mark.parametrize(
    ("claims_s", "paid_mpt"),
    [
        ([2.0, 2.0], 2000),
        ([1.0, 3.0], 2000),
        ([1.0, 2.0, 50.0], 2000),  # who claims time moves nobody's pay
        ([2.0, 2.0, 0.0], 2000),
        ([0.0, 0.0], 1),  # accepted work is never worth nothing
        ([0.0012, 0.0012], 2),  # fractions of a millipoint are rounded up
    ],
)
def test_all_who_agree_are_paid_the_median_of_their_work(
    claims_s: list[float], paid_mpt: int
) -> None:
    assert run(Net("a b c"), "t", *claims_s) == [paid_mpt] * len(claims_s)


def test_a_claim_is_bounded_by_the_time_that_passed_at_the_gateway() -> None:
    assert run(Net("a"), "t", 1e9, after_s=5.0) == [5000]


def test_work_counts_cores_and_speed() -> None:
    net = Net()
    net.tell(ev.ProviderJoined, replace(provider("a"), cores=4, score=0.5))
    assert run(net, "t", 1e9, after_s=5.0) == [4 * 5 * PRICE_MPT // 2]


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=5))
def test_an_established_kind_bounds_what_a_task_is_worth(units: list[float]) -> None:
    worth = treasury(10.0).work_units(KIND, [attempt(u) for u in units])
    assert 10.0 / WORK_SPREAD_MAX <= worth <= 10.0 * WORK_SPREAD_MAX
    if 10.0 / WORK_SPREAD_MAX <= min(units) <= max(units) <= 10.0 * WORK_SPREAD_MAX:
        assert min(units) <= worth <= max(units)


@pytest.mark.parametrize(("owners", "worth"), [("ab", 40.0), ("a", 100.0)])
def test_one_owners_attempts_bound_nobodys_work(owners: str, worth: float) -> None:
    assert treasury(10.0, owners).work_units(KIND, [attempt(100.0)]) == worth


def test_one_owners_attempts_establish_nothing() -> None:
    net = Net("a")
    for i in range(2 * ATTEMPTS_TRUSTED):
        run(net, f"t{i}", 1.0)
    assert run(net, "long", 3.5) == [3500]
    assert run(net, "longer", 50.0) == [4000]  # its hold, not its kind, is the limit


# ---------------------------------------------------------------------- holds


def test_a_new_kinds_hold_covers_the_assumed_work_and_a_known_kinds_its_spread() -> None:
    net = Net("a")
    net.submit("first", owners=1)
    assert hold_mpt(net) == PRICE_MPT * FIRST_UNITS
    net.tick(100.0)
    net.answer("a", "1", "first", cpu_s=2.0)
    net.submit("second", owners=1)
    assert hold_mpt(net) == PRICE_MPT * 2.0 * WORK_SPREAD_MAX


def test_pay_never_exceeds_the_hold() -> None:
    assert run(Net("a"), "t", 1e9, after_s=500.0) == [PRICE_MPT * FIRST_UNITS]


def test_every_hold_is_resolved_once_by_an_entry_named_after_its_lease() -> None:
    net = Net("a b c")
    book = Book()
    first, second = asked(net.submit())
    holds = entries(net)
    net.answer(first, "2")
    (third,) = asked(net.answer(second, "1"))
    holds += entries(net)
    net.answer(third, "1")
    ends = entries(net)
    for entry in [*holds, *ends]:
        assert book.apply(entry)
    assert {e.id for e in holds} == {f"{lease}:hold" for lease in net.leases["t"].values()}
    ids = {who: f"{lease}:end" for who, lease in net.leases["t"].items()}
    assert {e.id: e.outcome for e in ends if isinstance(e, Resolve)} == {
        ids[first]: "void",
        ids[second]: "post",
        ids[third]: "post",
    }
    assert not any(book.reserved_mpt.values())
    assert book.posted_mpt["owner:" + first] == 0


def test_trusted_workers_hold_nothing_and_earn_nothing() -> None:
    net = Net("T")
    net.submit(trusted_only=True)
    assert entries(net) == []
    net.tick(10.0)
    assert net.answer("T", "1", cpu_s=5.0) == ["T trusted", "deliver 1"]
    assert entries(net) == []
    (receipt,) = net.receipts
    assert (receipt.amount_mpt, receipt.cpu_s) == (0, 5.0)


def test_receipts_of_unanswered_leases_claim_no_measurement() -> None:
    net = Net("a")
    net.submit(owners=1)
    net.leave("a")
    (receipt,) = net.receipts
    assert (receipt.cpu_s, receipt.wall_s, receipt.work_units, receipt.digest) == (
        None,
        None,
        None,
        b"",
    )


# ---------------------------------------------------------------------- budgets


def net_that_knows_the_kind(who: str, units: float = 5.0) -> Net:
    """One attempt of that work is accepted, for a job without a budget."""
    net = Net(who)
    run(net, "known", units, job="before")
    return net


def test_an_attempt_of_unknown_cost_holds_a_small_part_of_what_is_left_of_the_budget() -> None:
    net = Net("a b")
    net.submit(owners=2, budget_mpt=70_000)
    assert [e.amount_mpt for e in entries(net) if isinstance(e, Reserve)] == [4375, 4102]


def test_a_hold_is_cut_to_what_is_left_of_the_budget() -> None:
    net = net_that_knows_the_kind("a")
    net.submit(owners=1, budget_mpt=8_000)
    assert hold_mpt(net) == 8_000


def test_a_budget_that_cannot_pay_the_likely_price_fails_the_task() -> None:
    net = net_that_knows_the_kind("a*9")
    run(net, "t0", 5.0, budget_mpt=9_000)
    assert net.submit("t1", owners=1, budget_mpt=9_000) == ["fail OverBudget"]
    assert net.failure == act.OverBudget(budget_mpt=9_000, committed_mpt=5_000, price_mpt=5_000)
    assert net.submit("t2", owners=1, budget_mpt=10_000) == ["ask a"]
    assert net.submit("t3", owners=1, job="other", budget_mpt=9_000) == ["ask a"]
    assert net.submit("t4", owners=1) == ["ask a"]


def test_a_task_waits_while_points_of_its_job_may_come_back() -> None:
    net = net_that_knows_the_kind("a*9")
    assert net.submit("t0", owners=1, budget_mpt=9_000) == ["ask a"]  # holds all of it
    assert net.submit("t1", owners=1, budget_mpt=9_000) == []
    assert net.engine.outlook("a").code == "price"
    net.tick(10.0)
    words = net.answer("a", "1", "t0", here=False, cpu_s=3.0)
    assert words == ["fetch a"]  # its value is awaited, so points may still come back
    assert net.serve("a", "t0") == ["a agreed paid", "deliver 1", "ask a"]


def test_tasks_of_one_job_that_wait_for_each_others_points_do_not_wait_for_ever() -> None:
    net = net_that_knows_the_kind("a*9")
    for name in ("t0", "t1"):  # together they hold all, and each lacks a second answer
        net.submit(name, owners=2, budget_mpt=25_000)
        net.answer("a", "1", name)
    assert net.join("b*9") == ["a undecided", "fail OverBudget", "ask b"]
    assert "deliver 1" in net.answer("b", "1", "t1")


@given(st.lists(st.sampled_from([0.0, 0.7, 5.0, 90.0]), min_size=1, max_size=12))
def test_a_job_never_pays_more_than_its_budget(claims_s: list[float]) -> None:
    net, budget_mpt = Net("a*3 b*3"), 65_000
    for i, cpu_s in enumerate(claims_s):
        who = asked(net.submit(f"t{i}", owners=2, budget_mpt=budget_mpt))
        net.tick(100.0)
        for one in who:
            net.answer(one, "1", f"t{i}", cpu_s=cpu_s)
    assert sum(receipt.amount_mpt for receipt in net.receipts) <= budget_mpt


def test_jobs_that_paid_nothing_are_forgotten() -> None:
    net = Net("a")
    net.submit(owners=1, budget_mpt=1000)
    net.cancel()
    net.answer("a", "1")
    assert not net.engine._treasury._committed_mpt
    assert not net.engine._treasury._awaited
