"""A report as plots: how long a frame takes, and how many times as fast as the reference that is."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clipdepth.pipeline.latency import Latency
from clipdepth_bench.measure.samples import Ratio, ratios_by_round
from clipdepth_bench.report.figures import ACCENT, INK, QUIET, house_style, log_axis, name_row, once_each, row_figure
from clipdepth_bench.report.numbers import decimal_number
from clipdepth_bench.report.record import Report, Row

_MARGIN = 1.15
"""By how much a logarithmic axis goes beyond what it shows."""


def timed_rows(report: Report) -> list[tuple[Row, Latency]]:
    """What was timed, the fastest first: what failed or is absent has no time to draw."""
    timed = [(row, row.latency_ms) for row in report.rows if row.latency_ms and row.status in ("passed", "unchecked")]
    return sorted(timed, key=lambda pair: pair[1].p50)


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
            _draw_latency(axes, index, row, latency, report.method.reference)
        axes.set_xlabel("ms a frame, log scale")
        figure.legend(*once_each(axes), ncols=4, loc="outside lower left")
    return figure


def _draw_latency(axes: Axes, index: int, row: Row, latency: Latency, reference: str) -> None:
    colour = INK if row.key == reference else ACCENT
    y = [-index]
    axes.plot([latency.p50, latency.max], y * 2, color=QUIET, linewidth=1, zorder=1)
    axes.plot(_interval(row, latency), y * 2, color=colour, linewidth=7, alpha=0.35, solid_capstyle="butt")
    axes.plot([latency.p50], y, "o", color=colour, markersize=6, label="p50, 95% interval")
    axes.plot([latency.p90], y, "|", color=colour, markersize=9, label="p90")
    axes.plot([latency.p99], y, "d", color=colour, markersize=4, label="p99")
    axes.plot([latency.max], y, "x", color=colour, markersize=4, label="max")
    note = "" if row.status == "passed" else ", unchecked"
    name_row(axes, index, f"{row.title}, {decimal_number(latency.p50).text} ms{note}")


def _interval(row: Row, latency: Latency) -> tuple[float, float]:
    return row.p50_interval_ms or (latency.p50, latency.p50)


def compared_rows(report: Report) -> list[tuple[Row, Ratio]]:
    """What was timed beside the reference, that of the largest ratio first."""
    rows = [(row, row.speedup) for row, _ in timed_rows(report) if row.speedup and row.key != report.method.reference]
    return sorted(rows, key=lambda pair: -pair[1].p50)


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
            _draw_speedup(axes, index, row, speedup, ratios)
        axes.set_xlabel(f"times as fast as {report.method.reference}, log scale")
    return figure


def _draw_speedup(axes: Axes, index: int, row: Row, speedup: Ratio, ratios: list[float]) -> None:
    axes.plot([speedup.p10, speedup.p90], [-index] * 2, color=ACCENT, linewidth=7, alpha=0.35, solid_capstyle="butt")
    axes.plot(ratios, [-index] * len(ratios), "|", color=QUIET, markersize=6, markeredgewidth=0.8)
    axes.plot([speedup.p50], [-index], "o", color=ACCENT, markersize=6)
    name_row(axes, index, f"{row.title}, {str(speedup).replace(' ', '× ', 1)}")
