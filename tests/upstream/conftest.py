"""Shows, at the end, what became of each suite of Dask's own."""

from __future__ import annotations

from upstream_suites import LINE


def pytest_terminal_summary(terminalreporter):
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.getreports(kind)]
    lines = [text for r in reports for name, text in r.user_properties if name == LINE]
    if lines:
        terminalreporter.section("Dask's own tests on a network of three providers, quorum 2")
    for line in lines:
        terminalreporter.line(line)
