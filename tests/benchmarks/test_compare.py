"""Two reports, whose rows are known to differ or not."""

from io import StringIO

import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console

from benchmarks.fakes import ENVIRONMENT, absent_row, report_of, timed_row
from clipdepth_bench.compare.compare import (
    compare_reports,
    environment_differences,
    is_same_machine,
    lost_rows,
    print_comparison,
)
from clipdepth_bench.report.record import Report


def rounds(milliseconds: float, spread: float, seed: int = 0, count: int = 30) -> list[float]:
    noise = np.random.default_rng(seed).normal(0, spread, count)
    return [float(value) for value in milliseconds * (1 + noise)]


def pair(before: list[float], after: list[float]) -> tuple[Report, Report]:
    return report_of(timed_row("warp fp32", before)), report_of(timed_row("warp fp32", after))


@pytest.mark.parametrize(
    ("after", "verdict"),
    [(11.0, "slower"), (9.0, "faster"), (10.02, "no difference at 95%"), (9.98, "no difference at 95%")],
)
def test_a_difference_is_told_from_chance(after: float, verdict: str) -> None:
    (change,) = compare_reports(*pair(rounds(10, 0.02, 1), rounds(after, 0.02, 2)))
    assert change.verdict == verdict
    assert change.ratio == pytest.approx(after / 10, rel=0.02)
    assert change.interval is not None
    assert change.interval[0] < change.ratio < change.interval[1]
    assert change.interval[1] - change.interval[0] < 0.05


def test_few_rounds_tell_nothing_but_are_no_excuse() -> None:
    (change,) = compare_reports(*pair([10.0] * 3, [12.0] * 3))
    assert (change.interval, change.verdict) == (None, "too few rounds to tell")
    assert change.is_slower_by(0.1)
    assert not change.is_slower_by(0.3)


def test_slower_by_a_share_is_above_it_and_no_chance() -> None:
    (certain,) = compare_reports(*pair(rounds(10, 0.01, 1), rounds(11.5, 0.01, 2)))
    assert certain.is_slower_by(0.1)
    assert not certain.is_slower_by(0.2)
    (noise,) = compare_reports(*pair(rounds(10, 0.6, 1, 8), rounds(12, 0.6, 5, 8)))
    assert noise.verdict.startswith("no difference")
    assert not noise.is_slower_by(-0.9)


def test_rows_of_one_report_alone_are_not_compared_but_named_as_lost() -> None:
    before = report_of(timed_row("warp fp32", [1.0]), timed_row("warp int8", [1.0]), timed_row("old fp32", [1.0]))
    after = report_of(timed_row("warp fp32", [1.0]), absent_row("warp", "int8", "no warp"), timed_row("new x", [1.0]))
    assert [change.key for change in compare_reports(before, after)] == ["warp fp32"]
    assert lost_rows(before, after) == [
        "warp int8 was timed before, and now: no warp",
        "old fp32 was timed before, and now: is not there",
    ]


def test_what_differs_around_is_named_and_the_time_is_not() -> None:
    before, after = pair([1.0], [1.0])
    environment = replace(ENVIRONMENT, time="later", load_average=2.0, libraries={"numpy": "3", "torch": "2"})
    after = replace(after, environment=environment, graphs={"fp32": "cd" * 32})
    assert environment_differences(before, before) == []
    assert environment_differences(before, after) == [
        "libraries numpy: 2 → 3",
        f"graph fp32: {'ab' * 6} → {'cd' * 6}",
        "libraries torch: None → 2",
    ]
    assert is_same_machine(before, after)


@pytest.mark.parametrize("change", [{"cpu": "another"}, {"threads": 1}, {"usable_cores": 8}])
def test_times_of_another_machine_do_not_compare(change: dict[str, object]) -> None:
    before, after = pair([1.0], [1.0])
    after = replace(after, environment=replace(ENVIRONMENT, **change))
    assert not is_same_machine(before, after)
    stream = StringIO()
    print_comparison(before, after, Console(file=stream, width=150))
    assert "these times do not compare" in stream.getvalue()


def test_the_comparison_is_printed() -> None:
    stream = StringIO()
    print_comparison(*pair([10.0] * 8, [12.5] * 8), Console(file=stream, width=150))
    (line,) = [line for line in stream.getvalue().splitlines() if "warp fp32" in line]
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert cells == ["warp fp32", "10.00", "12.50", "1.250", "1.250 to 1.250", "slower"]
    assert "do not compare" not in stream.getvalue()
