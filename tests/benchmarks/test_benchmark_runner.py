"""The benchmark runner, on tiny benchmarks of its own."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))

import run as runner  # noqa: E402  a script's folder, not a package
from common import Goal, median_ratio, parse_options, rounds  # noqa: E402

GOOD = """
import json, sys
GOALS = {"speed": ">= 2", "cost": "<= 10"}
print("warming up")
figures = {"speed": SPEED, "cost": 10, "quick": int("--quick" in sys.argv)}
print(json.dumps({"benchmark": "NAME", "figures": figures, "machine": {"cores": 2}}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "helper.py").write_text("X = 1\nprint('a helper has no GOALS and never runs')\n")
    return tmp_path


def put(folder: Path, name: str, source: str) -> Path:
    path = folder / f"{name}.py"
    path.write_text(source.replace("NAME", name))
    return path


def good(folder: Path, name: str = "good", speed: float = 2.5) -> Path:
    return put(folder, name, GOOD.replace("SPEED", repr(speed)))


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run it as people do, wide enough that no row is folded."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / "run.py"), "--folder", str(folder), *arguments],
        capture_output=True,
        text=True,
        env={"COLUMNS": "200", "PATH": ""},
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


# ---------------------------------------------------------------------- goals


@pytest.mark.parametrize(
    ("goal", "figure", "met"),
    [
        (">= 0.8", 0.8, True),
        (">= 0.8", 0.81, True),
        (">= 0.8", 0.799, False),
        ("<= 2.1", 2.1, True),
        ("<= 2.1", 2.0, True),
        ("<= 2.1", 2.101, False),
        (">= 0", math.nan, False),
        ("<= 0", math.nan, False),
        (">= 1", math.inf, True),
    ],
)
def test_a_goal_is_a_bound_that_counts_as_reached(goal: str, figure: float, met: bool) -> None:
    assert Goal.parse(goal).met_by(figure) is met


def test_a_goal_reads_as_it_was_written() -> None:
    assert str(Goal.parse("<= 2.1")) == "<= 2.1"


@pytest.mark.parametrize("text", ["", "0.8", "> 0.8", ">= ", ">= fast", "== 1"])
def test_what_is_no_goal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="goal"):
        Goal.parse(text)


def test_one_disturbed_round_moves_no_ratio() -> None:
    assert median_ratio([(1.0, 2.0), (0.01, 2.0), (2.0, 4.0)]) == 0.5


def test_a_busy_machine_gets_a_round_to_warm_up_and_one_that_counts() -> None:
    assert list(rounds(5, budget_s=-1.0)) == [0, 1]
    assert list(rounds(5, budget_s=3600.0)) == [0, 1, 2, 3, 4, 5]


def test_quick_is_an_option_of_every_benchmark() -> None:
    assert parse_options("", ["--quick"]).quick
    assert not parse_options("", []).quick


# ---------------------------------------------------------------------- last line


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "no JSON"),
        ("done", "no JSON"),
        ('{"benchmark": "x", "figures"', "no JSON"),
        ("[1, 2]", "needs benchmark"),
        ('{"figures": {"a": 1}, "machine": {}}', "needs benchmark"),
        ('{"benchmark": "x", "machine": {}}', "needs benchmark"),
        ('{"benchmark": "x", "figures": {"a": 1}}', "needs benchmark"),
        ('{"benchmark": "x", "figures": [1], "machine": {}}', "needs benchmark"),
        ('{"benchmark": "y", "figures": {"a": 1}, "machine": {}}', "'y', not of 'x'"),
        ('{"benchmark": "x", "figures": {"a": "1"}, "machine": {}}', "numbers"),
        ('{"benchmark": "x", "figures": {"a": null}, "machine": {}}', "numbers"),
        ('{"benchmark": "x", "figures": {"a": true}, "machine": {}}', "numbers"),
    ],
)
def test_a_malformed_last_line_says_what_is_wrong(line: str, says: str) -> None:
    with pytest.raises(runner.ReportError, match=says):
        runner.parse_report(line, "x")


def test_a_last_line_gives_figures_and_machine() -> None:
    line = '{"benchmark": "x", "figures": {"a": 1, "b": 0.5}, "machine": {"cores": 2}}'
    assert runner.parse_report(line, "x") == ({"a": 1.0, "b": 0.5}, {"cores": 2})


# ---------------------------------------------------------------------- discovery


def test_goals_are_read_without_running_the_benchmark(folder: Path) -> None:
    put(folder, "loud", 'GOALS = {"a": ">= 1"}\nraise SystemExit("ran")\n')
    (found,) = runner.find_benchmarks(folder)
    assert (found.name, found.goals) == ("loud", {"a": Goal(">=", 1.0)})


@pytest.mark.parametrize("goals", ["dict(a=1)", '{"a": 1}', '{"a": "fast"}', '[">= 1"]'])
def test_goals_of_another_form_are_refused(folder: Path, goals: str) -> None:
    path = put(folder, "odd", f"GOALS = {goals}\n")
    with pytest.raises(ValueError, match="GOALS"):
        runner.read_goals(path)


def test_the_real_benchmarks_have_goals() -> None:
    goals = {benchmark.name: benchmark.goals for benchmark in runner.find_benchmarks(FOLDER)}
    assert goals["overhead"] == {
        "noop_rate_ratio_q1": Goal(">=", 0.8),
        "efficiency_100ms_q1": Goal(">=", 0.95),
        "work_ratio_q2": Goal("<=", 2.1),
    }
    assert not {"run", "common"} & set(goals)


# ---------------------------------------------------------------------- exit status and table


def test_all_goals_reached_exits_0(folder: Path) -> None:
    good(folder)
    status, output = run(folder)
    assert status == 0, output
    assert "2.5" in output
    assert ">= 2" in output
    assert "short" not in output


def test_a_figure_that_falls_short_exits_1(folder: Path) -> None:
    good(folder, speed=1.5)
    good(folder, "other")
    status, output = run(folder)
    assert status == 1
    assert output.count("short") == 1


def test_a_figure_with_a_goal_that_is_missing_falls_short(folder: Path) -> None:
    source = GOOD.replace('"cost": 10, ', "").replace("SPEED", "3")
    put(folder, "owing", source)
    status, output = run(folder)
    assert status == 1
    assert "missing" in output


def test_a_benchmark_that_fails_exits_1_and_shows_its_error(folder: Path) -> None:
    good(folder)
    path = good(folder, "broken")
    path.write_text(path.read_text() + "raise RuntimeError('out of cheese')\n")
    status, output = run(folder)
    assert status == 1
    assert "out of cheese" in output
    assert "2.5" in output, "the others are run and shown all the same"


def test_a_benchmark_without_its_last_line_exits_1(folder: Path) -> None:
    path = good(folder)
    path.write_text(path.read_text() + "print('bye')\n")
    status, output = run(folder)
    assert status == 1
    assert "no JSON object: 'bye'" in output


def test_only_the_named_ones_run_and_quick_reaches_them(folder: Path) -> None:
    good(folder)
    good(folder, "bad", speed=0.0)
    file = folder / "outcomes.json"
    status, output = run(folder, "good", "--quick", "--json", str(file))
    assert status == 0, output
    (outcome,) = json.loads(file.read_text())
    assert outcome["benchmark"] == "good"
    assert outcome["ok"] is True
    assert outcome["figures"] == {"speed": 2.5, "cost": 10.0, "quick": 1.0}
    assert outcome["machine"] == {"cores": 2}


def test_an_unknown_name_is_refused_with_those_there_are(folder: Path) -> None:
    good(folder)
    status, output = run(folder, "godo")
    assert status == 2
    assert "godo" in output
    assert "good" in output
