"""What the live view shows of a snapshot: all of it, none of it, and nothing that runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from shown_page import Page

from eco_dask.dashboard.model import Job, Snapshot, Strike
from eco_dask.display.figures import JOBS_MAX
from eco_dask.display.show import monitor_html, monitor_text
from eco_dask.testing.snapshots import AT_S, HOSTILE_NAMES, crowded, empty, full, hostile

EVERY = {"empty": empty(), "full": full(), "hostile": hostile(), "crowded": crowded(1000)}


def value_at(plain: Any, path: str) -> Any:
    """What a snapshot has at a figure's path."""
    first, *rest = path.split(".")
    if first == "jobs":
        (found,) = [job for job in plain["jobs"] if job["id"] == rest[0]]
        rest = rest[1:]
    else:
        found = plain[first]
    for key in rest:
        found = found[key]
    return found


@pytest.mark.parametrize("snapshot", EVERY.values(), ids=EVERY)
def test_every_figure_is_the_snapshots_and_unknown_is_never_zero(snapshot: Snapshot) -> None:
    plain = snapshot.to_plain()
    page = Page(monitor_html(plain))
    assert len(page.values) >= 20
    for path, shown in page.values.items():
        value = value_at(plain, path)
        assert shown == ("" if value is None else str(value)), path
        assert (page.texts[path].strip() == "-") == (value is None), path


@pytest.mark.parametrize("snapshot", EVERY.values(), ids=EVERY)
def test_the_text_says_what_the_page_says(snapshot: Snapshot) -> None:
    plain = snapshot.to_plain()
    text = monitor_text(plain)
    for path, shown in Page(monitor_html(plain)).texts.items():
        if not path.startswith("jobs.") and shown != "-":
            assert shown in text, path
    assert all(line.isprintable() for line in text.splitlines())


def test_names_of_strangers_are_text_on_the_page() -> None:
    page = Page(monitor_html(hostile().to_plain()))
    for name in HOSTILE_NAMES[:3]:
        assert name in page.text
    assert page.links == []


def test_a_name_with_lines_of_its_own_stays_on_one() -> None:
    job = Job("job-1", "calm\n  points  999 points spent", "running")
    text = monitor_text(Snapshot(AT_S, jobs=(job,)).to_plain())
    assert "calm points 999" in text
    assert len(text.splitlines()) == len(
        monitor_text(Snapshot(AT_S, jobs=(replace(job, name="x"),)).to_plain()).splitlines()
    )


def test_an_empty_network_says_what_to_do() -> None:
    for shown in (Page(monitor_html(empty().to_plain())).text, monitor_text(empty().to_plain())):
        assert "eco-dask invite --owner" in shown
        assert "Unknown: no run has reported its energy yet." in shown
    assert "with eco_dask.job(" in Page(monitor_html(empty().to_plain())).text


def test_running_jobs_come_first_and_the_rest_is_counted() -> None:
    over = tuple(Job(f"job-{n}", f"old {n}", "done", started_at_s=AT_S + n) for n in range(20))
    running = Job("job-r", "now", "running", started_at_s=AT_S - 99, tasks=4, done=1)
    plain = Snapshot(AT_S, jobs=(*over, running)).to_plain()
    page = Page(monitor_html(plain))
    assert page.text.index("now") < page.text.index("old 19") < page.text.index("old 18")
    assert f"and {21 - JOBS_MAX} more jobs" in page.text
    assert "job-0.spent_mpt" not in str(page.values)
    assert "[##........] 1 of 4 tasks" in monitor_text(plain)


def test_a_loss_against_the_baseline_is_shown_as_one() -> None:
    snapshot = full()
    assert snapshot.energy.baseline is not None
    baseline = replace(snapshot.energy.baseline, saved_uj=-3_600_000_000)
    energy = replace(snapshot.energy, baseline=baseline)
    assert "1 Wh lost against conservative" in monitor_text(
        replace(snapshot, energy=energy).to_plain()
    )


@pytest.mark.parametrize("plain", [{}, {"jobs": None, "network": 7}, {"jobs": [None, {}]}])
def test_what_a_scheduler_leaves_out_is_unknown(plain: dict[str, Any]) -> None:
    page = Page(monitor_html(plain))
    assert set(page.values.values()) == {""}
    assert "eco_dask at -" in monitor_text(plain)


def test_strikes_of_one_provider_are_one_line_with_their_number() -> None:
    strikes = tuple(Strike(AT_S + n, "p-1", "mallory", "dissented") for n in range(5))
    others = tuple(Strike(AT_S - n, f"p-{n}", f"owner-{n}", "expired") for n in range(2, 8))
    verification = replace(full().verification, strikes=(*others, *strikes))
    text = monitor_text(replace(full(), verification=verification).to_plain())
    assert "caught: mallory (p-1), 5 x dissented, last at " in text
    assert text.index("mallory (p-1)") < text.index("owner-2")
    assert "and 4 more were caught" in text


def test_energy_says_by_which_means_it_is_known() -> None:
    assert "modelled at worst (class C), by load-model, rapl" in monitor_text(full().to_plain())
