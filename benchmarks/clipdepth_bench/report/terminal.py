"""A report for a terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clipdepth.bundle.agreement import Agreement
from clipdepth.cli.json_report import console_beside
from clipdepth.engines.precisions import some
from clipdepth.files.foreign import shown
from clipdepth.pipeline.latency import Latency
from clipdepth_bench.report.order import in_order
from clipdepth_bench.report.record import Report, Row
from clipdepth_bench.roofline.table import print_roofline

_TIME_CAPTION = (
    "ms a frame, from the host's memory to it; ±: half the median's 95% interval, * where it was not narrow enough; "
    "×eager: median of rounds (p10 to p90)"
)


_WIDTH = 180
"""Wide enough that no row is broken, also where the output is no terminal."""


def wide_console(beside: Path | None = None) -> Console:
    """Where reports are printed, `beside` the JSON of one."""
    return console_beside(beside, width=max(Console().width, _WIDTH))


def print_report(report: Report, console: Console) -> None:
    """Print the engines' times, what is not here and why, and what was measured besides."""
    console.print(time_table(report))
    for row in report.rows:
        if row.status == "absent":
            console.print(f"{row.key}: {row.verdict}", markup=False, highlight=False, soft_wrap=True)
        elif row.executed is not None and row.executed.strayed:
            strayed = f"{row.key}: quantised, and not run in int8: {some(row.executed.strayed)}"
            console.print(shown(strayed), markup=False, highlight=False, soft_wrap=True)
        elif row.chosen:
            console.print(shown(f"{row.key}: {row.chosen}"), markup=False, highlight=False, soft_wrap=True)
    if any(row.streaming or row.memory for row in report.rows):
        console.print(device_table(report))
    if report.roofline:
        print_roofline(report.roofline, console, report.title)
    for note in report.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    if report.interrupted:
        console.print("interrupted: this is what was measured until then")


def time_table(report: Report) -> Table:
    """How long a frame takes each contender, and the verdict on its depth."""
    machine, size = report.environment, report.input
    title = f"{report.bundle}, {size.height}×{size.width}, {machine.cpu}, {machine.threads} threads"
    table = Table(title=escape(title), title_justify="left", caption=_TIME_CAPTION)
    _add_columns(table, ("engine", "device"), ("p50", "±", "p90", "p99", "max", "n", "×eager", "Δ depth"))
    told = any(row.executed is not None for row in report.rows)
    _add_columns(table, (*(["arithmetic"] if told else []), "verdict"), ())
    for row in in_order(report):
        if row.status != "absent":
            engine, device, verdict = (escape(text) for text in (row.title, row.device, row.verdict))
            arithmetic = [str(row.executed) if row.executed and row.executed.layers else ""] if told else []
            table.add_row(engine, device, *_times(row), _difference(row.agreement), *arithmetic, verdict)
    return table


def device_table(report: Report) -> Table:
    """What each contender that was timed does in the real pipeline, and what it takes."""
    streaming = next((row.streaming for row in report.rows if row.streaming), None)
    camera = f" of {streaming.width}×{streaming.height}, {streaming.camera_fps:g} a second" if streaming else ""
    meters = list(streaming.energy_j) if streaming else []
    table = Table(
        title="in the pipeline, and memory",
        title_justify="left",
        caption=f"capture to depth: ms, of a camera's frames{camera}; frames/s: when they come as fast as they are "
        "taken; MB: peak of a process of its own, Python included",
    )
    headings = ("capture to depth p50", "p99", "frames/s", "host MB", "GPU MB", "model MB")
    _add_columns(table, ("engine",), (*headings, *(f"J a frame, {name}" for name in meters)))
    for row in in_order(report):
        if row.latency_ms:
            table.add_row(escape(row.title), *_pipeline(row, meters))
    return table


def _add_columns(table: Table, left: Sequence[str], right: Sequence[str]) -> None:
    for heading in left:
        table.add_column(heading)
    for heading in right:
        table.add_column(heading, justify="right")


def _times(row: Row) -> list[str]:
    if row.latency_ms is None:
        return [""] * 7
    latency = row.latency_ms
    tail = [_ms(value) for value in (latency.p90, latency.p99, latency.max)]
    speed = "" if row.speedup is None else str(row.speedup)
    return [_ms(latency.p50), _half_interval(row, latency), *tail, str(latency.n), speed]


def _half_interval(row: Row, latency: Latency) -> str:
    mark = "" if row.stopped == "precise" else "*"
    if row.p50_interval_ms is None:
        return mark
    low, high = row.p50_interval_ms
    return f"{(high - low) / 2 / latency.p50:.1%}{mark}"


def _pipeline(row: Row, meters: Sequence[str]) -> list[str]:
    streaming, memory = row.streaming, row.memory
    flow = [""] * 3
    if streaming:
        depth = streaming.capture_to_depth_ms
        flow = [_ms(depth.p50), _ms(depth.p99), f"{streaming.fps:.1f}"]
    sizes = (memory and memory.host_mb, memory and memory.device_mb, row.model_mb)
    energy = [f"{streaming.energy_j[name]:.3g}" if streaming else "" for name in meters]
    return [*flow, *("" if size is None else f"{size:.1f}" for size in sizes), *energy]


def _ms(value: float) -> str:
    return f"{value:.1f}" if value >= 1 else f"{value:.3f}"


def _difference(agreement: Agreement | None) -> str:
    if agreement is None:
        return ""
    return f"{agreement.mean:.1e}" if agreement.finite else "NaN"
