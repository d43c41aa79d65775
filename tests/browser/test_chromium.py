"""Chromium itself, and what its fixtures promise."""

from __future__ import annotations

import pytest


def test_a_page_renders_and_runs_scripts(new_page):
    page = new_page()
    page.set_content("<p id=found></p><script>found.textContent = 6 * 7</script>")
    assert page.text_content("#found") == "42"


@pytest.mark.parametrize("dark", [False, True])
def test_pages_are_told_whether_to_be_dark(new_page, dark):
    page = new_page(dark=dark)
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") is dark


def test_complaints_of_a_page_are_seen(new_page, console_errors):
    page = new_page()
    page.evaluate("console.error('it hurts')")
    with page.expect_event("pageerror"):
        page.evaluate("setTimeout(() => { throw new Error('it breaks') })")
    assert console_errors == ["console: it hurts", "uncaught: it breaks"]
    console_errors.clear()


def test_screenshots_lie_where_git_does_not_look(artefacts):
    root = artefacts.parents[1]
    assert f"{artefacts.relative_to(root)}/" in (root / ".gitignore").read_text().splitlines()
