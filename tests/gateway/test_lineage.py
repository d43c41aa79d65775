"""What values rest on: sets stay small, nothing is told twice, what nobody needs is found."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eco_dask.gateway.lineage import NONE, Lineage


def ballots(*names: str) -> frozenset:
    return frozenset(names)


def chain() -> Lineage:
    """A leased ``x`` of ballot ``a``, a slice of it, and a leased ``y`` of ballot ``b`` of both."""
    lineage = Lineage()
    lineage.submitted("a", NONE)
    lineage.computed("x", ballots("a"))
    lineage.computed("slice", lineage.of(["x"]))
    lineage.submitted("b", lineage.of(["x", "slice"]))
    lineage.computed("y", ballots("b"))
    return lineage


def test_a_leased_value_rests_on_its_own_ballot_and_a_structural_one_on_those_of_its_inputs():
    lineage = chain()
    assert lineage.of(["y"]) == {"b"}
    assert lineage.of(["slice"]) == {"a"}
    assert lineage.of(["slice", "y", "what a client put here"]) == {"a", "b"}


def test_slices_share_the_set_of_what_they_are_cut_from():
    lineage = chain()
    assert lineage.of(["slice"]) is lineage.of(["x"])


def test_what_is_settled_is_rested_on_no_more():
    lineage = chain()
    lineage.settled("a")
    assert lineage.of(["x", "slice"]) == NONE
    assert lineage.of(["y"]) == {"b"}


def test_a_result_is_freed_once_no_value_and_no_other_result_rests_on_it():
    lineage = chain()
    for key in ("x", "slice"):
        lineage.released(key)
    assert lineage.freed() == ()  # b rests on a
    lineage.released("y")
    assert lineage.freed() == ("b",)
    assert lineage.freed() == ()
    lineage.settled("b")
    assert lineage.freed() == ("a",)


def test_a_gate_keeps_what_it_waits_for():
    lineage = chain()
    lineage.hold(ballots("b"))
    for key in ("x", "slice", "y"):
        lineage.released(key)
    assert lineage.freed() == ()
    lineage.drop(ballots("b"))
    assert lineage.freed() == ("b",)


def test_a_wrong_result_marks_each_value_that_rests_on_it_until_it_is_gone():
    lineage = chain()
    assert lineage.revoked(ballots("a", "b")) == ["x", "slice", "y"]
    assert lineage.is_wrong(["z", "slice"])
    assert not lineage.is_wrong(["z"])
    lineage.released("x")
    lineage.computed("slice", NONE)
    assert lineage.wrong == {"y"}


class Model(RuleBasedStateMachine):
    """Against sets that are computed anew each time."""

    def __init__(self) -> None:
        super().__init__()
        self.lineage = Lineage()
        self.rests: dict[int, frozenset] = {}
        self.inputs: dict[str, frozenset] = {}
        self.told: set[str] = set()
        self.count = 0

    @rule(keys=st.sets(st.integers(0, 5), max_size=3), key=st.integers(0, 5))
    def a_task_is_leased_and_accepted(self, keys, key) -> None:
        self.count += 1
        ballot = f"b{self.count}"
        inputs = self.lineage.of(keys)
        self.lineage.submitted(ballot, inputs)
        self.inputs[ballot] = inputs
        self.put(key, ballots(ballot))

    @rule(keys=st.sets(st.integers(0, 5), max_size=3), key=st.integers(0, 5))
    def a_structural_task_is_done(self, keys, key) -> None:
        self.put(key, self.lineage.of(keys))

    def put(self, key: int, rests: frozenset) -> None:
        self.lineage.computed(key, rests)
        self.rests[key] = rests

    @precondition(lambda self: self.rests)
    @rule(data=st.data())
    def a_value_is_released(self, data) -> None:
        key = data.draw(st.sampled_from(sorted(self.rests)))
        self.lineage.released(key)
        del self.rests[key]

    @precondition(lambda self: self.inputs)
    @rule(data=st.data())
    def a_result_is_settled(self, data) -> None:
        ballot = data.draw(st.sampled_from(sorted(self.inputs)))
        self.lineage.settled(ballot)
        del self.inputs[ballot]

    @invariant()
    def each_key_rests_on_what_the_model_says(self) -> None:
        for key in range(6):
            assert self.lineage.of([key]) == self.rests.get(key, NONE) & self.inputs.keys()

    @invariant()
    def exactly_what_nothing_rests_on_was_freed(self) -> None:
        self.told |= set(self.lineage.freed())
        users = defaultdict(int)
        for rests in (*self.rests.values(), *self.inputs.values()):
            for ballot in rests:
                users[ballot] += 1
        needless = {ballot for ballot in self.inputs if not users[ballot]}
        assert needless <= self.told
        assert not {b for b in self.told if users[b] and b in self.inputs}


TestLineage = Model.TestCase
TestLineage.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
