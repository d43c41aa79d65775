"""What pages show, as plain columns: full, empty, hostile, crowded; true to the snapshot."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco_dask.dashboard.model import Energy, Snapshot
from eco_dask.dashboard.pages.columns import ROWS_MAX, changed, columns, left_out, length
from eco_dask.dashboard.pages.formats import UNKNOWN, chance, label, points, span, unique
from eco_dask.dashboard.pages.history import POINTS_MAX, History
from eco_dask.dashboard.pages.parts import Tiles, as_array, empty_html, notice_html, tiles_html
from eco_dask.dashboard.pages.provider import provider_data
from eco_dask.dashboard.pages.site import PAGES, PROVIDER
from eco_dask.ledger.receipts import Receipt, ReceiptReason
from eco_dask.testing import snapshots

SAMPLES = {
    "empty": snapshots.empty(),
    "full": snapshots.full(),
    "hostile": snapshots.hostile(),
    "crowded": snapshots.crowded(1000),
}
COMMON = [page for page in PAGES if page is not PROVIDER]


def data_of(page, snapshot: Snapshot, owner: str = "ada"):
    history = History()
    history.add(snapshot)
    if page is PROVIDER:
        return provider_data(snapshot, history, owner, [receipt()])
    return page.data(snapshot, history)


def receipt(**changes) -> Receipt:
    given = Receipt(
        "lease-1", "ballot-1", "job-1", "sum", "p-1", "ada", ReceiptReason.EXPIRED,
        None, None, None, 0, snapshots.AT_S, b"",
    )  # fmt: skip
    return replace(given, **changes)


def tile(data, name: str) -> str:
    return dict(zip(data["tiles"]["label"], data["tiles"]["value"], strict=True))[name]


# ---------------------------------------------------------------------- all pages


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_part_has_its_columns_all_of_one_length(page, sample):
    data = data_of(page, SAMPLES[sample])
    assert {part.card.key for part in page.parts()} == set(data)
    for found in data.values():
        assert len({len(column) for column in found.values()}) == 1


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_columns_are_plain_bounded_and_finite(page, sample):
    for found in data_of(page, SAMPLES[sample]).values():
        assert length(found) <= max(ROWS_MAX, POINTS_MAX)
        json.dumps(found, allow_nan=False)
        for value in (value for column in found.values() for value in column):
            if isinstance(value, str):
                assert len(value) <= 300
                assert value == "" or value.isprintable()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_figures_need_only_columns_that_the_page_has(page):
    data = data_of(page, SAMPLES["full"])
    for part in page.parts():
        assert set(part.source.data) <= set(data[part.card.key])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_axes_get_every_label_once(page):
    twins = tuple(replace(job, name="the same") for job in SAMPLES["full"].jobs)
    for found in data_of(page, replace(SAMPLES["full"], jobs=twins)).values():
        labels = found.get("label", ())
        assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_shown_again_sends_nothing(page):
    data = data_of(page, SAMPLES["crowded"])
    for part in page.parts():
        _ = part.root
        assert part.show(data[part.card.key]) is True
        assert part.show(data_of(page, SAMPLES["crowded"])[part.card.key]) is False


# ---------------------------------------------------------------------- the same numbers


def test_network_and_points_are_those_of_the_snapshot():
    full = SAMPLES["full"]
    network, pay = data_of(COMMON[0], full), data_of(COMMON[2], full)
    assert tile(network, "Providers") == str(full.network.providers_connected)
    assert sum(network["states"]["providers"]) == full.network.providers_known
    assert [round(1000 * p) for p in pay["owners"]["posted"]] == [
        one.posted_mpt for one in sorted(full.owners, key=lambda one: one.name)
    ]
    assert tile(pay, "Paid") == points(full.points.posted_mpt)
    assert dict(zip(pay["zeros"]["reason"], pay["zeros"]["attempts"], strict=True)) == dict(
        full.points.zero_reasons
    )


def test_energy_of_jobs_is_that_of_the_snapshot():
    full = SAMPLES["full"]
    table = data_of(COMMON[3], full)["table"]
    for wh, job in zip(table["reserved_wh"], full.jobs, strict=True):
        known = job.energy.reserved_uj
        assert wh is None if known is None else math.isclose(wh * 3.6e9, known)


def test_what_is_unknown_is_a_dash_and_never_zero():
    data = data_of(COMMON[3], replace(SAMPLES["full"], energy=Energy(unknown="no meter anywhere")))
    assert tile(data, "Energy") == tile(data, "CO2e") == tile(data, "Power") == UNKNOWN
    assert "no meter anywhere" in data["tiles"]["hint"]
    assert data["uses"]["wh"] == data["baseline"]["low"] == []


def test_a_loss_against_the_baseline_is_shown_as_one():
    full = SAMPLES["full"]
    worse = replace(full.energy.baseline, saved_uj=-3_600_000_000, saved_low_uj=-7_200_000_000)
    tiles = data_of(COMMON[3], replace(full, energy=replace(full.energy, baseline=worse)))["tiles"]
    row = tiles["label"].index("Against the baseline")
    assert tiles["value"][row] == "-1 Wh"
    assert tiles["hint"][row].startswith("lost")
    assert tiles["alarming"][row] is True


def test_running_jobs_come_first_and_have_a_time_left():
    jobs = data_of(COMMON[4], SAMPLES["full"])["jobs"]
    assert jobs["state"][0] == "running"
    assert jobs["left"][0] == "3 min 0 s" or jobs["left"][0] == "3 min"
    assert jobs["took"][0] == "2 min 0 s" or jobs["took"][0] == "2 min"


def test_an_owners_page_holds_nothing_of_others():
    text = json.dumps(data_of(PROVIDER, SAMPLES["full"], "ada"))
    others = [p.id[:8] for p in SAMPLES["full"].providers if p.owner != "ada"]
    assert not [word for word in ("bob", "mallory", *others) if word in text]
    assert "No answer came before the deadline" in text


def test_an_owner_without_machines_has_a_page():
    data = data_of(PROVIDER, SAMPLES["full"], "newcomer")
    assert tile(data, "Paid") == "0.000"
    assert length(data["machines"]) == 0


# ---------------------------------------------------------------------- text of strangers


@pytest.mark.parametrize(
    "name",
    ["$$\\href{javascript:alert(1)}{x}$$", r"\(\href{javascript:1}{x}\)", r"\[x\]", "$" * 9],
)
def test_no_name_is_a_formula(name):
    shown = label(name)
    assert not [mark for mark in ("$$", r"\(", r"\[") if mark in shown]


@given(st.text(max_size=300), st.integers(1, 60))
def test_labels_are_short_and_printable(text, chars_max):
    shown = label(text, chars_max)
    assert len(shown) <= chars_max
    assert "\n" not in shown
    assert "\x1b" not in shown


@given(st.lists(st.sampled_from(["a", "a (2)", "a (2) (2)", "b"]), max_size=12))
def test_unique_labels_keep_their_number_and_order(labels):
    found = unique(labels)
    assert len(set(found)) == len(found) == len(labels)
    assert all(new.startswith(old) for old, new in zip(labels, found, strict=True))


def test_markup_in_tiles_and_notices_is_text():
    found = {"label": ["<b>"], "value": ["<i>"], "hint": ["<u>"], "alarming": [True]}
    for html in (tiles_html(found), notice_html("<b><i><u>"), empty_html("<b> `<i>` <u>")):
        assert not [mark for mark in ("<b>", "<i>", "<u>") if mark in html]
    assert "&lt;b&gt;" in tiles_html(found)


# ---------------------------------------------------------------------- columns and formats


def test_tables_end_at_their_bound_and_count_the_others():
    found = columns(("n",), ((n,) for n in range(ROWS_MAX + 5)))
    assert (length(found), left_out(found)) == (ROWS_MAX, 5)
    whole = columns(("n",), ((n,) for n in range(ROWS_MAX)))
    assert (length(whole), left_out(whole)) == (ROWS_MAX, 0)
    assert columns(("n", "m"), []) == {"n": [], "m": []}


def test_only_changed_columns_are_sent_unless_rows_come_or_go():
    shown = {"a": [1, 2], "b": [3, 4]}
    assert changed(shown, {"a": [1, 2], "b": [3, 5]}) == {"b": [3, 5]}
    assert changed(shown, {"a": [1], "b": [3]}) == {"a": [1], "b": [3]}
    assert changed(shown, {"a": [1, 2], "b": [3, 4]}) == {}


def test_numbers_travel_as_bytes_and_unknown_ones_as_nan():
    assert as_array([1, None, 2.5]).dtype == float
    assert math.isnan(as_array([None, None])[0])
    assert as_array([True, False]) == [True, False]
    assert as_array(["a", "b"]) == ["a", "b"]


def test_history_ends_at_its_bound_and_takes_each_instant_once():
    history, full = History(), SAMPLES["full"]
    for second in range(POINTS_MAX + 10):
        history.add(replace(full, at_s=full.at_s + second))
        history.add(replace(full, at_s=full.at_s + second))
    found = history.pick("slots")
    assert len(found["at_ms"]) == len(found["slots"]) == POINTS_MAX
    assert found["at_ms"][-1] == (full.at_s + POINTS_MAX + 9) * 1000


def test_lines_begin_with_what_the_books_remember():
    history, full = History(), SAMPLES["full"]
    history.fill({"slots": [(10.0, 4), (25.0, 8)], "posted_mpt": [(25.0, 1500)]})
    history.add(full)
    found = history.pick("slots", "posted_points", "watts_A")
    assert found["at_ms"] == [10_000, 25_000, full.at_s * 1000]
    assert found["slots"][:2] == [4, 8]
    assert found["posted_points"][:2] == [None, 1.5]
    assert found["watts_A"][:2] == [None, None]
    history.fill({"slots": [(1.0, 1)]})
    assert history.pick("slots") == {"at_ms": found["at_ms"], "slots": found["slots"]}


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [(None, UNKNOWN), (0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3700, "1 h 1 min"),
     (90_000, "1 d 1 h"), (-5, "0 s")],
)  # fmt: skip
def test_durations(duration_s, text):
    assert span(duration_s) == text


def test_probabilities_keep_their_order_of_magnitude():
    assert (chance(8.5e-5), chance(None)) == ("8.5e-05", UNKNOWN)


def test_tiles_are_a_part_like_any_other():
    part = next(p for p in COMMON[0].parts() if isinstance(p, Tiles))
    _ = part.root
    assert part.show(data_of(COMMON[0], SAMPLES["hostile"])["tiles"]) is True
