"""A benchmark's report as a document: what it says, whatever it is written in."""

from datetime import datetime, timezone
from functools import partial

from msgspec.structs import replace

from clipdepth.bundle.agreement import Agreement
from clipdepth.bundle.record import Record
from clipdepth_bench.measure.environment import Environment
from clipdepth_bench.measure.samples import ratio_text
from clipdepth_bench.report.columns import Column, row_table, time_columns
from clipdepth_bench.report.document import Cell, Document, Line, Picture, Section, Table, text_line
from clipdepth_bench.report.figures import svg_of
from clipdepth_bench.report.numbers import decimal, points, scientific, word
from clipdepth_bench.report.order import in_order
from clipdepth_bench.report.plots import compared_rows, latency_plot, speedup_plot
from clipdepth_bench.report.ran import ran_section
from clipdepth_bench.report.record import Report, Row
from clipdepth_bench.report.roofline import roofline_section


def bench_document(report: Report) -> Document:
    """The whole report, ratios first."""
    size = report.input
    sections = [
        _speed(report),
        _peers(report),
        ran_section(report),
        _pipeline(report),
        roofline_section(report),
        _agreement(report),
        _absent(report),
        *machine_sections(report),
    ]
    return Document(
        title=f"clipdepth bench: {report.bundle}, {size.height}×{size.width}",
        lead=tuple(_lead(report)),
        sections=tuple(section for section in sections if section),
    )


def _lead(report: Report) -> list[str]:
    lead = [_fastest(report)]
    failed = [row.key for row in report.rows if row.status == "failed"]
    if failed:
        lead.append(f"FAILED, so not timed: {', '.join(failed)}.")
    if report.interrupted:
        lead.append("It was interrupted: this is what was measured until then.")
    lead.append(machine_sentences(report.environment))
    return [sentence for sentence in lead if sentence]


def machine_sentences(environment: Environment) -> str:
    """Where and when it was measured, and what times of another run are worth."""
    time = datetime.fromisoformat(environment.time).astimezone(timezone.utc)
    return (
        f"{environment.cpu}, {environment.threads} threads, {time:%Y-%m-%d %H:%M} UTC. All took turns in one run. "
        "Times of another run may differ by far: compare ratios."
    )


def _fastest(report: Report) -> str:
    """Which row that passed has the largest ratio, and which the spread does not tell from it."""
    ratios = [(row, speedup) for row, speedup in compared_rows(report) if row.status == "passed"]
    if not ratios:
        return ""
    (row, best), *others = ratios
    close = [other.title for other, speedup in others if speedup.p90 >= best.p10]
    return (
        f"{row.title} agrees with PyTorch and is {ratio_text(best.p50)} times as fast as {report.method.reference} "
        f"(median of rounds, p10 to p90 {ratio_text(best.p10)} to {ratio_text(best.p90)}), the most of all here"
        + (f"; within that spread: {', '.join(close)}." if close else ".")
    )


def _speed(report: Report) -> Section:
    plots = {
        "speedup": (speedup_plot(report), "How many times as fast: each round's ratio, and their median."),
        "latency": (latency_plot(report), "How long a frame takes: from the median to the slowest."),
    }
    pictures = [Picture(name, caption, svg_of(plot)) for name, (plot, caption) in plots.items() if plot]
    rows = [_without_false_times(row) for row in in_order(report) if row.status != "absent"]
    caption = (
        f"ms a frame, from the host's memory to it. {report.method.rounds} rounds in {report.method.seconds:g} s at "
        f"most; precise: the median's 95% interval is within {report.method.within:.0%} of it, else why timing ended."
    )
    table = row_table(rows, time_columns(report.rows, report.method.reference), caption)
    return Section("Speed", tuple(pictures), (table,))


def _peers(report: Report) -> Section | None:
    lines = tuple(text_line(row.name, row.chosen) for row in in_order(report) if row.chosen)
    table = Table(("model", "form that was timed, and the others"), lines, numbers=False)
    return Section("Other models in their best form", tables=(table,)) if lines else None


def _without_false_times(row: Row) -> Row:
    """What failed has none, whatever a file says."""
    return row if row.status != "failed" else replace(row, latency_ms=None, p50_interval_ms=None, speedup=None)


def _pipeline(report: Report) -> Section | None:
    rows = [row for row in in_order(report) if row.status != "failed" and (row.streaming or row.memory or row.model_mb)]
    if not rows:
        return None
    first = next((row.streaming for row in rows if row.streaming), None)
    columns = [Column("engine", "title", word), *_stream_columns(list(first.energy_j) if first else [])]
    camera = f" of {first.width}×{first.height}, {first.camera_fps:g} a second" if first else ""
    caption = (
        f"Capture to depth: ms, of a camera's frames{camera}. Frames a second: as fast as they are taken. "
        "MB of 10⁶ bytes; memory is the peak of a process of its own, Python and libraries included."
    )
    return Section("In the pipeline, and memory", tables=(row_table(rows, columns, caption),))


def _stream_columns(meters: list[str]) -> list[Column]:
    return [
        Column("frames a second", "streaming.fps"),
        Column("capture to depth p50", "streaming.capture_to_depth_ms.p50"),
        Column("p99", "streaming.capture_to_depth_ms.p99"),
        Column("host MB", "memory.host_mb"),
        Column("GPU MB", "memory.device_mb"),
        Column("model MB", "model_mb"),
        *(Column(f"J a frame, {meter}", "streaming.energy_j", partial(_energy, meter)) for meter in meters),
    ]


def _energy(meter: str, joules: dict[str, float] | None) -> Cell:
    return decimal(joules.get(meter) if joules else None)


def _agreement(report: Report) -> Section | None:
    rows = [row for row in in_order(report) if row.agreement is not None]
    columns = [
        Column("engine", "title", word),
        Column("runs on", "device", word),
        *(Column(name, "agreement", partial(_difference, name)) for name in ("mean", "p99", "largest")),
        Column("allowed mean", "agreement.tolerance.mean", scientific),
        Column("rel changes by", "agreement.rel_change", points),
        Column("δ1 changes by", "agreement.delta1_change", points),
    ]
    caption = "|d - r| / r of the golden frames, r being PyTorch fp32's depth. Changes in percentage points."
    return Section("Depth against PyTorch's", tables=(row_table(rows, columns, caption),)) if rows else None


def _difference(name: str, agreement: Agreement) -> Cell:
    return scientific(getattr(agreement, name)) if agreement.finite else ("NaN",)


def _absent(report: Report) -> Section | None:
    lines = tuple(text_line(row.key, row.verdict) for row in report.rows if row.status == "absent")
    return Section("Not here", tables=(Table(("engine", "why"), lines, numbers=False),)) if lines else None


def machine_sections(report: Report) -> list[Section]:
    """What could not be measured, and what the times depend on."""
    machine = (*environment_lines(report.environment), *graph_lines(report.graphs, report.bundle))
    notes = [Section("Notes", items=tuple(report.notes))] if report.notes else []
    return [*notes, Section("Machine and files", tables=(Table(("what", "value"), machine, numbers=False),))]


def environment_lines(environment: Record) -> tuple[Line, ...]:
    """A line for each field that says something."""
    fields = {name: getattr(environment, name) for name in environment.__struct_fields__}
    return tuple(text_line(name.replace("_", " "), _plain(value)) for name, value in fields.items() if _says(value))


def graph_lines(graphs: dict[str, str], bundle: str) -> tuple[Line, ...]:
    """A line for each graph's sha256."""
    return tuple(text_line(f"{bundle}, sha256 of {name}", sha256) for name, sha256 in graphs.items())


def _says(value: object) -> bool:
    return value is not None and value not in ([], {})


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_plain(part) for part in value)
    if isinstance(value, Record):
        return _plain({name: part for name in value.__struct_fields__ if _says(part := getattr(value, name))})
    return str(value)
