"""A report as plots: how long a frame takes, and how many times as fast as the reference that is."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from clipdepth.pipeline.latency import Latency
from clipdepth_bench.measure.samples import Ratio, ratios_by_round
from clipdepth_bench.report.figures import INK, QUIET, SERIES, house_style, log_axis, name_row, row_figure
from clipdepth_bench.report.numbers import decimal_number
from clipdepth_bench.report.order import timed_rows
from clipdepth_bench.report.record import Report, Row

_MARGIN = 1.15
"""By how much a logarithmic axis goes beyond what it shows."""
_OURS, _PEERS = SERIES[:2]
_BAR: dict[str, Any] = {"linewidth": 7, "alpha": 0.35, "solid_capstyle": "butt"}
_ROUND: dict[str, Any] = {"marker": "|", "linestyle": "", "markersize": 6, "markeredgewidth": 0.8}
_MARKS: dict[str, dict[str, Any]] = {
    "p50": {"marker": "o", "linestyle": "", "markersize": 6},
    "p90": {"marker": "|", "linestyle": "", "markersize": 9},
    "p99": {"marker": "d", "linestyle": "", "markersize": 4},
    "max": {"marker": "x", "linestyle": "", "markersize": 4},
}
"""How a latency's percentiles are drawn."""


def latency_plot(report: Report) -> Figure | None:
    """A line a row from p50 to the slowest frame, with p50's 95% interval; None where nothing was timed."""
    timed = timed_rows(report)
    if not timed:
        return None
    with house_style():
        figure, axes = row_figure(len(timed))
        low = min(min(_interval(row, latency)[0], latency.p50) for row, latency in timed)
        high = max(max(_interval(row, latency)[1], latency.max) for row, latency in timed)
        log_axis(axes, low / _MARGIN, high * _MARGIN)
        for index, (row, latency) in enumerate(timed):
            _draw_latency(axes, index, row, latency, _colour(report, row))
        axes.set_xlabel("ms a frame, log scale")
        key = [_BAR | {"label": "p50's 95% interval"}, *(_mark(name) for name in _MARKS)]
        _draw_key(figure, report, [row for row, _ in timed], key)
    return figure


def _draw_latency(axes: Axes, index: int, row: Row, latency: Latency, colour: str) -> None:
    y = [-index]
    axes.plot([latency.p50, latency.max], y * 2, color=QUIET, linewidth=1, zorder=1)
    axes.plot(_interval(row, latency), y * 2, color=colour, **_BAR)
    for name, style in _MARKS.items():
        axes.plot([getattr(latency, name)], y, color=colour, **style)
    name_row(axes, index, f"{row.title}, {decimal_number(latency.p50).text} ms")


def _mark(name: str) -> dict[str, Any]:
    return _MARKS[name] | {"label": "slowest" if name == "max" else name}


def _colour(report: Report, row: Row) -> str:
    return INK if row.key == report.method.reference else _PEERS if row.peer else _OURS


def _draw_key(figure: Figure, report: Report, rows: Sequence[Row], marks: Sequence[dict[str, Any]]) -> None:
    """Above the first row: what the marks are and, where there are peers, whose colour is whose."""
    handles = [Line2D([], [], color=QUIET, **mark) for mark in marks]
    if any(row.peer for row in rows):
        whose = {report.bundle.removesuffix(".bundle"): _OURS, "other models": _PEERS}
        handles += [Line2D([], [], color=colour, linewidth=7, label=name) for name, colour in whose.items()]
    figure.legend(handles=handles, ncols=3, loc="outside upper left")


def _interval(row: Row, latency: Latency) -> tuple[float, float]:
    return row.p50_interval_ms or (latency.p50, latency.p50)


def compared_rows(report: Report) -> list[tuple[Row, Ratio]]:
    """What was timed beside the reference, that of the largest ratio first."""
    return [(row, row.speedup) for row, _ in timed_rows(report) if row.speedup and row.key != report.method.reference]


def speedup_plot(report: Report) -> Figure | None:
    """A dot a round and row: the reference's median of that round over the row's; None without a reference."""
    rows, reference = compared_rows(report), report.row(report.method.reference)
    if not rows or reference is None:
        return None
    with house_style():
        figure, axes = row_figure(len(rows))
        rounds = [ratios_by_round(reference.round_medians_ms, row.round_medians_ms) for row, _ in rows]
        seen = [1.0, *(ratio for ratios in rounds for ratio in ratios)]
        log_axis(axes, min(seen) / _MARGIN, max(seen) * _MARGIN)
        axes.axvline(1, color=INK, linewidth=1)
        for index, ((row, speedup), ratios) in enumerate(zip(rows, rounds, strict=True)):
            _draw_speedup(axes, index, row, speedup, ratios, _colour(report, row))
        axes.set_xlabel(f"times as fast as {report.method.reference}, log scale")
        key = [_ROUND | {"label": "a round"}, _MARKS["p50"] | {"label": "median"}, _BAR | {"label": "p10 to p90"}]
        _draw_key(figure, report, [row for row, _ in rows], key)
    return figure


def _draw_speedup(axes: Axes, index: int, row: Row, speedup: Ratio, ratios: list[float], colour: str) -> None:
    axes.plot([speedup.p10, speedup.p90], [-index] * 2, color=colour, **_BAR)
    axes.plot(ratios, [-index] * len(ratios), color=QUIET, **_ROUND)
    axes.plot([speedup.p50], [-index], color=colour, **_MARKS["p50"])
    name_row(axes, index, f"{row.title}, {str(speedup).replace(' ', '× ', 1)}")
