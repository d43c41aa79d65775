"""Answers of other bytes are compared by sketches of one round, in time, late, and not at all."""

from __future__ import annotations

import numpy as np
import pytest
from engine_script import Net, asked

from eco_dask.sketches import sketch
from eco_dask.verification.sketch import Sketch

HONEST = np.random.default_rng(0).standard_normal(100)


def sketch_of(value: str, seed: int = 1) -> Sketch:
    """``"1"`` is the truth, ``"1a"`` and ``"1b"`` are it with other last bits, ``"2"`` is a lie."""
    by = {"": 1.0, "a": 1 + 2e-16, "b": 1 - 2e-16}[value[1:]]
    return sketch(HONEST * by * (1.0 if value[0] == "1" else 1.01), bytes([seed]) * 32)


def two_that_differ(second: str = "1a", who: str = "a b", **task: object) -> tuple[Net, str, str]:
    net = Net(who)
    a, b = asked(net.submit(compare="close", **task))
    net.answer(a, "1")
    assert net.answer(b, second) == [f"sketch {' '.join(sorted((a, b)))}"]
    return net, a, b


def test_answers_that_differ_in_the_last_bits_agree() -> None:
    net, a, b = two_that_differ()
    assert net.sketch(a, sketch_of("1")) == []
    assert net.sketch(b, sketch_of("1a")) == [f"{a} agreed paid", f"{b} agreed paid", "deliver 1"]


def test_answers_that_differ_by_more_do_not() -> None:
    net, a, b = two_that_differ("2", "a b c")
    net.sketch(a, sketch_of("1"))
    (c,) = asked(net.sketch(b, sketch_of("2")))
    assert net.answer(c, "1b") == ["sketch a b c"]
    net.sketch(a, sketch_of("1", 2))
    net.sketch(b, sketch_of("2", 2))
    words = net.sketch(c, sketch_of("1b", 2))
    assert f"strike {b} dissented" in words
    assert {f"{a} agreed paid", f"{c} agreed paid", f"{b} dissented", "deliver 1"} <= set(words)


def test_equal_bytes_need_no_sketch() -> None:
    net = Net("a b")
    a, b = asked(net.submit(compare="close"))
    net.answer(a, "1")
    assert "deliver 1" in net.answer(b, "1")


def three_of_two(here: bool) -> tuple[Net, str, str, str]:
    """Two owners commit to the same bytes, a third to others."""
    net = Net("a b c")
    a, b, c = asked(net.submit(owners=3, compare="close"))
    net.answer(a, "1", here=here)
    net.answer(b, "1", here=here)
    net.answer(c, "1a", here=here)
    return net, a, b, c


def test_bytes_at_the_gateway_are_sketched_once_for_all_who_committed_to_them() -> None:
    net, _, _, c = three_of_two(here=True)
    (first,) = net.asked_for_sketches - {c}
    net.sketch(first, sketch_of("1"))
    assert "deliver 1" in net.sketch(c, sketch_of("1a"))


def test_a_false_sketch_of_bytes_that_another_has_too_harms_nobody_but_its_maker() -> None:
    net, a, b, c = three_of_two(here=False)
    assert net.asked_for_sketches == {a, b, c}
    net.sketch(a, sketch_of("2"))
    net.sketch(b, sketch_of("1"))
    words = net.sketch(c, sketch_of("1a"))
    assert [w.split()[0] for w in words] == ["fetch"]
    served = net.serve(words[0].removeprefix("fetch "))
    assert not [w for w in served if w.startswith("strike")]
    assert {f"{b} agreed paid", f"{c} agreed paid"} <= set(served)


@pytest.mark.parametrize(
    ("compare", "kind"), [("exact", "matmul"), ("auto", "add"), ("auto", "argmax")]
)
def test_where_only_equal_bytes_agree_no_sketch_is_asked(compare: str, kind: str) -> None:
    net = Net("a b c")
    a, b = asked(net.submit(compare=compare, kind=kind))
    net.answer(a, "1")
    assert len(asked(net.answer(b, "1a"))) == 1


def test_who_withholds_its_sketch_is_struck_and_another_is_asked() -> None:
    net, a, b = two_that_differ(who="a b c")
    words = net.sketch(b, None)
    (c,) = {"a", "b", "c"} - {a, b}
    assert words == [f"{b} value-withheld", f"strike {b} value-withheld", f"ask {c}"]
    assert net.sketch(a, sketch_of("1")) == []  # of the round that was given up
    assert "deliver 1" in net.answer(c, "1")


def test_a_holder_that_leaves_is_not_struck() -> None:
    net = Net("a b c")
    a, b = asked(net.submit(compare="close"))
    net.answer(a, "1", here=False)
    net.answer(b, "1a", here=False)
    words = net.leave(b)
    (c,) = {"a", "b", "c"} - {a, b}
    assert words == [f"{b} provider-left", f"ask {c}"]


def test_a_sketch_of_an_earlier_round_changes_nothing() -> None:
    net, a, b = two_that_differ(who="a b c")
    net.sketch(a, sketch_of("1"))
    (c,) = asked(net.sketch(b, sketch_of("2")))
    net.answer(c, "1b")
    assert net.sketch(b, sketch_of("1"), number=1) == []
    net.sketch(a, sketch_of("1", 2))
    net.sketch(b, sketch_of("2", 2))
    assert f"strike {b} dissented" in net.sketch(c, sketch_of("1b", 2))


def test_sketches_of_two_seeds_are_never_compared() -> None:
    net, a, b = two_that_differ(who="a b c")
    net.sketch(a, sketch_of("1", 1))
    # Of another seed, as a provider might send that ignores the one it was given.
    assert set(asked(net.sketch(b, sketch_of("1a", 9)))) == {"a", "b", "c"} - {a, b}


def one_late(what: str) -> tuple[Net, str]:
    """Accept what two owners say while a third, who is late, says ``what`` after that."""
    net = Net("a b c")
    first, late = asked(net.submit(compare="close"))
    net.answer(first, "1")
    (third,) = asked(net.tick(601))
    assert "deliver 1" in net.answer(third, "1")
    (words,) = net.answer(late, what)
    assert late in words
    assert "t" not in net.forgotten
    return net, late


def test_a_late_answer_that_is_close_is_paid() -> None:
    net, late = one_late("1a")
    (winner,) = net.asked_for_sketches - {late}
    assert net.sketch(winner, sketch_of("1")) == []
    assert net.sketch(late, sketch_of("1a")) == [f"{late} agreed-late paid"]
    assert net.forgotten == {"t"}


def test_a_late_answer_that_is_wrong_is_struck() -> None:
    net, late = one_late("2")
    (winner,) = net.asked_for_sketches - {late}
    net.sketch(winner, sketch_of("1"))
    words = net.sketch(late, sketch_of("2"))
    assert words == [f"{late} dissented", f"strike {late} dissented"]


def test_a_late_answer_without_a_sketch_to_compare_it_with_is_not_held_against_anybody() -> None:
    net, late = one_late("1a")
    (winner,) = net.asked_for_sketches - {late}
    assert net.sketch(winner, None) == [f"{late} recalled"]
    assert net.forgotten == {"t"}


def test_a_cancelled_task_waits_for_no_sketch() -> None:
    net, a, b = two_that_differ()
    words = net.cancel()
    assert {f"{a} cancelled", f"{b} cancelled"} <= set(words)
    assert net.sketch(a, sketch_of("1")) == []
    assert net.forgotten == {"t"}


def test_a_trusted_worker_overrules_by_sketch_while_a_value_is_fetched() -> None:
    net = Net("a b T")
    first, second = asked(net.submit(compare="close"))
    net.answer(first, "2", here=False)
    net.tick(601)
    assert asked(net.tick(2.0)) == ["T"]
    (fetch,) = net.answer(second, "2", here=False)
    assert fetch.startswith("fetch")
    (words,) = net.answer("T", "1")
    for liar in net.asked_for_sketches - {"T"}:
        net.sketch(liar, sketch_of("2"))
    words = net.sketch("T", sketch_of("1"))
    assert {"deliver 1", "T trusted", "strike a dissented", "strike b dissented"} <= set(words)


def test_a_trusted_worker_that_is_close_overrules_nothing() -> None:
    net = Net("a b T")
    first, second = asked(net.submit(compare="close"))
    net.answer(first, "1", here=False)
    net.tick(601)
    assert asked(net.tick(2.0)) == ["T"]
    (fetch,) = net.answer(second, "1", here=False)
    net.answer("T", "1a")
    for other in net.asked_for_sketches - {"T"}:
        net.sketch(other, sketch_of("1"))
    assert net.sketch("T", sketch_of("1a")) == []
    assert "deliver 1" in net.serve(fetch.removeprefix("fetch "))


def test_every_lease_id_is_a_number_that_says_nothing() -> None:
    net = Net("a b c")
    net.submit("t", owners=3)
    ids = [lease.partition("/") for lease in net.leases["t"].values()]
    assert all(life == "life" and len(number) == 32 for life, _, number in ids)
    assert len({number for _, _, number in ids}) == 3
