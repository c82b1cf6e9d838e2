"""Two reports, whose rows are known to differ or not."""

from io import StringIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
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
from clipdepth_bench.compare.reference import Pair, pair_reports
from clipdepth_bench.report.record import Network, Report, ReportError

EAGER = "PyTorch eager fp32"
NAMES = ("before.json", "after.json")


def rounds(milliseconds: float, spread: float, seed: int = 0, count: int = 30) -> list[float]:
    noise = np.random.default_rng(seed).normal(0, spread, count)
    return [float(value) for value in milliseconds * (1 + noise)]


def held(medians: list[float], eager: list[float] | None = None) -> Report:
    """A report of one engine beside eager, which takes 40 ms in every round unless said."""
    return report_of(timed_row(EAGER, eager or [40.0] * len(medians)), timed_row("warp fp32", medians))


def pair(before: list[float], after: list[float]) -> Pair:
    return pair_reports(held(before), held(after), None, NAMES)


def drifting(milliseconds: float, drift: float, seed: int) -> Report:
    """A run in which the machine becomes up to `drift` times as slow, for all that take turns."""
    machine = np.linspace(1, drift, 40)
    eager, warp = (
        [float(v) for v in machine * rounds(ms, 0.01, seed + i, 40)] for i, ms in enumerate((40, milliseconds))
    )
    return held(warp, eager)


@pytest.mark.parametrize("steady", [0, 1])
def test_a_machine_that_drifts_by_two_in_one_run_makes_nothing_slower(steady: int) -> None:
    runs = [drifting(10, 1, 1), drifting(10, 2, 5)]
    (change,) = compare_reports(pair_reports(runs[steady], runs[1 - steady], None, NAMES))
    assert change.ratio == pytest.approx(1, rel=0.01)
    assert change.verdict.startswith("no difference")
    assert not change.is_slower_by(0.05)


def test_a_row_that_is_a_fifth_slower_is_so_on_a_machine_that_became_twice_as_fast() -> None:
    slow = drifting(12, 1, 5)
    halved = [replace(row, round_medians_ms=[0.5 * ms for ms in row.medians_ms]) for row in slow.rows]
    (change,) = compare_reports(pair_reports(drifting(10, 2, 1), replace(slow, rows=halved), None, NAMES))
    assert change.ratio == pytest.approx(1.2, rel=0.01)
    assert change.verdict == "slower"
    assert change.is_slower_by(0.1)


def test_shares_are_of_rounds_that_both_took_part_in() -> None:
    sat_out = timed_row("warp fp32", [1.0], round_medians_ms=[10.0, None, 30.0])
    before = report_of(timed_row(EAGER, [20.0, 1.0, 60.0]), sat_out)
    (change,) = compare_reports(pair_reports(before, held([10.0] * 3), None, NAMES))
    assert (change.before, change.after, change.ratio) == (0.5, 0.25, 0.5)


@given(st.lists(st.floats(1, 100), min_size=6, max_size=30), st.lists(st.floats(1, 100), min_size=6, max_size=30))
def test_the_ratio_lies_within_its_interval(before: list[float], after: list[float]) -> None:
    (change,) = compare_reports(pair(before, after))
    assert change.interval is not None
    assert change.interval[0] <= change.ratio * (1 + 1e-9)
    assert change.ratio <= change.interval[1] * (1 + 1e-9)


def test_without_a_reference_that_both_have_nothing_is_compared() -> None:
    lone = report_of(timed_row("warp fp32", [1.0]), timed_row("warp int8", [1.0]))
    with pytest.raises(ReportError) as raised:
        pair_reports(held([10.0]), lone, None, NAMES)
    assert str(raised.value) == (
        "after.json has no time of PyTorch eager fp32, by which all others are divided; "
        "name one that is the same in both by --reference: warp fp32"
    )
    with pytest.raises(ReportError, match=r"^before.json .* --run, or with --peers"):
        pair_reports(report_of(absent_row("PyTorch eager", "", "no run")), held([10.0]), None, NAMES)
    assert pair_reports(held([10.0]), lone, "warp fp32", NAMES).reference == "warp fp32"


def test_a_reference_of_another_network_is_refused_and_a_peer_proposed() -> None:
    peer = timed_row("MSA (RN50) 416×544 eager fp32", [1000.0])
    network = Network(100, 1000)
    before = replace(held([10.0]), network=network)
    before = replace(before, rows=[*before.rows, peer])
    other = replace(before, graphs={"fp32": "cd" * 32}, network=Network(100, 2000))
    with pytest.raises(ReportError) as raised:
        pair_reports(before, other, None, NAMES)
    assert str(raised.value).startswith("PyTorch eager fp32 in after.json is of another model or graph than in before")
    assert str(raised.value).endswith("by --reference: warp fp32, MSA (RN50) 416×544 eager fp32")
    assert pair_reports(before, other, peer.key, NAMES).reference == peer.key
    retrained = replace(other, network=network)
    assert pair_reports(before, retrained, None, NAMES).reference == EAGER
    old = [replace(report, network=None) for report in (before, other)]
    with pytest.raises(ReportError, match="of another model"):
        pair_reports(old[0], old[1], None, NAMES)


def test_an_engine_is_a_reference_while_its_graph_is_the_same() -> None:
    rows = [timed_row("openvino fp32", [5.0]), timed_row("openvino int8", [1.0])]
    before = report_of(*rows, graphs={"fp32": "ab" * 32, "int8": "ab" * 32})
    after = replace(before, graphs={"fp32": "ab" * 32, "int8": "cd" * 32})
    assert pair_reports(before, after, "openvino fp32", NAMES).reference == "openvino fp32"
    with pytest.raises(ReportError, match="another model or graph"):
        pair_reports(before, after, "openvino int8", NAMES)


def test_a_damaged_report_is_a_line() -> None:
    damaged = report_of(timed_row(EAGER, [1.0]), timed_row("warp fp32", [1.0, 2.0]))
    with pytest.raises(ReportError, match="other numbers of rounds"):
        compare_reports(pair_reports(damaged, damaged, None, NAMES))


@pytest.mark.parametrize(
    ("after", "verdict"),
    [(11.0, "slower"), (9.0, "faster"), (10.02, "no difference at 95%"), (9.98, "no difference at 95%")],
)
def test_a_difference_is_told_from_chance(after: float, verdict: str) -> None:
    (change,) = compare_reports(pair(rounds(10, 0.02, 1), rounds(after, 0.02, 2)))
    assert change.verdict == verdict
    assert change.ratio == pytest.approx(after / 10, rel=0.02)
    assert change.interval is not None
    assert change.interval[0] < change.ratio < change.interval[1]
    assert change.interval[1] - change.interval[0] < 0.05


def test_few_rounds_tell_nothing_but_are_no_excuse() -> None:
    (change,) = compare_reports(pair([10.0] * 3, [12.0] * 3))
    assert (change.interval, change.verdict) == (None, "too few rounds to tell")
    assert change.is_slower_by(0.1)
    assert not change.is_slower_by(0.3)


def test_slower_by_a_share_is_above_it_and_no_chance() -> None:
    (certain,) = compare_reports(pair(rounds(10, 0.01, 1), rounds(11.5, 0.01, 2)))
    assert certain.is_slower_by(0.1)
    assert not certain.is_slower_by(0.2)
    (noise,) = compare_reports(pair(rounds(10, 0.6, 1, 8), rounds(12, 0.6, 5, 8)))
    assert noise.verdict.startswith("no difference")
    assert not noise.is_slower_by(-0.9)


def test_rows_of_one_report_alone_are_not_compared_but_named_as_lost() -> None:
    before = report_of(*held([1.0]).rows, timed_row("warp int8", [1.0]), timed_row("old fp32", [1.0]))
    after = report_of(*held([1.0]).rows, absent_row("warp", "int8", "no warp"), timed_row("new x", [1.0]))
    assert [change.key for change in compare_reports(pair_reports(before, after, None, NAMES))] == ["warp fp32"]
    assert lost_rows(before, after) == [
        "warp int8 was timed before, and now: no warp",
        "old fp32 was timed before, and now: is not there",
    ]


def test_what_differs_around_is_named_and_the_time_is_not() -> None:
    before, after = held([1.0]), held([1.0])
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
def test_another_machine_is_named(change: dict[str, object]) -> None:
    before, after = held([1.0]), held([1.0])
    after = replace(after, environment=replace(ENVIRONMENT, **change))
    assert not is_same_machine(before, after)
    stream = StringIO()
    print_comparison(pair_reports(before, after, None, NAMES), Console(file=stream, width=150))
    assert "another machine or other threads" in stream.getvalue()


def test_the_comparison_is_printed() -> None:
    stream = StringIO()
    print_comparison(pair([10.0] * 8, [12.5] * 8), Console(file=stream, width=150))
    (line,) = [line for line in stream.getvalue().splitlines() if "warp fp32" in line]
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert cells == ["warp fp32", "0.25", "0.312", "1.250", "1.250 to 1.250", "slower"]
    assert "another machine" not in stream.getvalue()
