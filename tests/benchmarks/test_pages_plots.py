"""What a report's plots show, read from their SVG and their axes."""

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from benchmarks.fakes import absent_row, report_of, timed_row
from benchmarks.pages import EAGER, HOSTILE, failed_row, full_report, full_row
from clipdepth_bench.measure.samples import Ratio, ratios_by_round
from clipdepth_bench.report.document import text_of
from clipdepth_bench.report.figures import COLOURS, SERIES, svg_of
from clipdepth_bench.report.order import in_order, timed_rows
from clipdepth_bench.report.plots import latency_plot, speedup_plot
from clipdepth_bench.report.record import Report, Row
from clipdepth_bench.report.sections import bench_document


def drawn(figure: Figure | None) -> Axes:
    assert figure is not None
    (axes,) = figure.axes
    return axes


def texts(figure: Figure | None) -> list[str]:
    assert figure is not None
    root = ElementTree.fromstring(svg_of(figure))
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def xs(axes: Axes) -> set[float]:
    return {float(x) for line in axes.lines for x in np.atleast_1d(line.get_xdata())}


def test_what_failed_or_is_absent_is_not_drawn() -> None:
    report = full_report()
    assert [row.key for row, _ in timed_rows(report)] == ["openvino int8", "PyTorch eager fp32"]
    for plot in (latency_plot(report), speedup_plot(report)):
        shown = " ".join(texts(plot))
        assert "openvino int8" in shown
        assert "onnxruntime" not in shown
        assert "tensorrt" not in shown
        assert not xs(drawn(plot)) & {0.5, 240.0, 230.0, 250.0}


def test_a_rows_percentiles_and_interval_are_where_they_belong() -> None:
    axes = drawn(latency_plot(report_of(EAGER, full_row())))
    latency, interval = full_row().latency_ms, full_row().p50_interval_ms
    assert latency
    assert interval
    assert {latency.p50, latency.p90, latency.p99, latency.max, *interval} <= xs(axes)
    assert axes.get_xscale() == "log"
    low, high = axes.get_xlim()
    assert low < min(xs(axes))
    assert max(xs(axes)) < high


def test_ratios_of_rounds_that_both_took_part_in() -> None:
    row = timed_row("x fp32", [50.0], speedup=Ratio(2.0, 2.0, 2.0), round_medians_ms=[50.0, None, 30.0])
    assert ratios_by_round(EAGER.round_medians_ms, row.round_medians_ms) == pytest.approx([2.0, 4.0])
    assert {2.0, 4.0} <= xs(drawn(speedup_plot(report_of(EAGER, row))))


def test_the_largest_ratio_is_on_top() -> None:
    rows = [
        timed_row("slow fp32", [50.0] * 3, speedup=Ratio(2.0, 1.9, 2.1)),
        timed_row("fast fp32", [60.0] * 3, speedup=Ratio(3.0, 2.9, 3.1)),
    ]
    named = [text for text in texts(speedup_plot(report_of(EAGER, *rows))) if "×" in text]
    assert named == ["fast fp32, 3.00× (2.90 to 3.10)", "slow fp32, 2.00× (1.90 to 2.10)"]


def without_reference() -> Report:
    return report_of(absent_row("PyTorch eager", "fp32", "no torch"), timed_row("x fp32", [1.0, 2.0]))


def test_without_a_reference_there_are_no_ratios_and_without_times_no_plot() -> None:
    assert speedup_plot(without_reference()) is None
    assert latency_plot(without_reference()) is not None
    assert latency_plot(report_of(failed_row())) is None


def peer_row(key: str, medians_ms: list[float], **changes: Any) -> Row:
    return timed_row(key, medians_ms, status="unchecked", verdict="random weights: time only", peer=True, **changes)


def coloured(axes: Axes, x: float) -> set[str]:
    """The colours of the marks at `x`."""
    return {to_hex(line.get_color()) for line in axes.lines if x in np.atleast_1d(line.get_xdata())}


def test_peers_have_a_colour_of_their_own_that_the_key_names() -> None:
    ours = timed_row("openvino int8", [10.0] * 3, speedup=Ratio(10.0, 9.9, 10.1))
    peer = peer_row("Other 64×64 eager", [25.0] * 3, speedup=Ratio(4.0, 3.9, 4.1))
    report = report_of(EAGER, ours, peer, bundle="mine.bundle")
    for plot, of_ours, of_peer in ((latency_plot(report), 10.0, 25.0), (speedup_plot(report), 10.0, 4.0)):
        axes = drawn(plot)
        assert coloured(axes, of_ours) & set(SERIES) == {SERIES[0]}
        assert coloured(axes, of_peer) & set(SERIES) == {SERIES[1]}
        assert {"mine", "other models"} <= set(texts(plot))
    assert "other models" not in texts(latency_plot(report_of(EAGER, ours)))


def test_the_key_names_every_mark() -> None:
    report = report_of(EAGER, full_row())
    assert {"p50's 95% interval", "p50", "p90", "p99", "slowest"} <= set(texts(latency_plot(report)))
    assert {"a round", "median", "p10 to p90"} <= set(texts(speedup_plot(report)))


def test_plots_and_tables_have_one_order() -> None:
    slow = timed_row("slow fp32", [90.0] * 3, speedup=Ratio(1.5, 1.4, 1.6))
    fast = timed_row("fast fp32", [95.0] * 3, speedup=Ratio(2.0, 1.9, 2.1))
    report = report_of(EAGER, failed_row(), slow, absent_row("tensorrt", "", "no GPU"), fast)
    names = ["fast fp32", "slow fp32", "PyTorch eager fp32"]
    assert [row.key for row in in_order(report)][:3] == names
    assert {row.key for row in in_order(report)} == {row.key for row in report.rows}
    drawn_names = [text.partition(",")[0] for text in texts(latency_plot(report)) if re.search(r", [\d.]+ ms", text)]
    assert drawn_names == names
    table = bench_document(report).sections[0].tables[0]
    assert [text_of(line.cells[0]) for line in table.lines] == [*names, failed_row().key]


def test_names_are_text_and_not_mathematics() -> None:
    name = f"{HOSTILE}$x$"
    assert any(name in text for text in texts(latency_plot(report_of(timed_row(f"{name} fp32", [5.0])))))


def test_colours_can_be_told_apart_by_the_page() -> None:
    assert len(set(COLOURS.values())) == len(COLOURS)
    figure = latency_plot(full_report())
    assert figure
    colours = set(re.findall(r"#[0-9a-f]{6}\b", svg_of(figure)))
    assert colours <= set(COLOURS.values())


def test_the_same_report_gives_the_same_file() -> None:
    first, second = latency_plot(full_report()), latency_plot(full_report())
    assert first
    assert second
    assert svg_of(first) == svg_of(second)
