"""A contest as a document, for Markdown, HTML and the terminal."""

from collections.abc import Sequence
from functools import partial

from clipdepth_bench.pareto.plot import pareto_plot
from clipdepth_bench.pareto.report import Measure, ParetoReport, Point
from clipdepth_bench.report.columns import Column, record_table
from clipdepth_bench.report.document import Cell, Document, Line, Number, Picture, Section, Table, text_line
from clipdepth_bench.report.figures import svg_of
from clipdepth_bench.report.numbers import NOTHING, count, ratio, span, word
from clipdepth_bench.report.sections import environment_lines, graph_lines, machine_sentences


def pareto_document(report: ParetoReport) -> Document:
    """The whole contest."""
    figure = pareto_plot(report)
    caption = "Dashed: the front that no other engine beats in both. Colour: the bundle; shape: the precision."
    pictures = (Picture("pareto", caption, svg_of(figure)),) if figure else ()
    machine = Table(("what", "value"), tuple(_machine(report)), numbers=False)
    sections = [
        Section("Accuracy against latency", pictures, (points_table(report),)),
        Section("Not here", tables=(_absent(report),)),
        Section("Notes", items=tuple(report.notes)),
        Section("Machine and files", tables=(machine,)),
    ]
    kept = [section for section in sections if section.items or any(table.lines for table in section.tables)]
    return Document("clipdepth bench pareto", tuple(_lead(report)), tuple(kept))


def _lead(report: ParetoReport) -> list[str]:
    front = ", ".join(point.title for point in report.front("rel"))
    lead = [f"No other engine here beats these in both rel and p50: {front}."] if front else []
    if report.interrupted:
        lead.append("It was interrupted: this is what was measured until then.")
    lead.append(f"{report.frames} test frames of {report.data}, crop: {report.crop}.")
    lead.append(machine_sentences(report.environment))
    return lead


def points_table(report: ParetoReport, short: bool = False) -> Table:
    """A line for each engine that is here, with its number in the plot; `short` leaves out some details."""
    points = [point for point in report.points if point.row.status != "absent"]
    numbers = {point.key: number for number, (point, _, _) in enumerate(report.measured, 1)}
    details = [
        Column("95% interval", "row.p50_interval_ms", span),
        Column("n", "row.latency_ms.n", count),
        Column("ended by", "row.stopped", word),
        Column("frames", "accuracy.frames", count),
    ]
    columns = [
        Column("engine", "title", word),
        Column("no.", "key", lambda key: count(numbers.get(key))),
        Column(f"× {report.method.reference} (p10 to p90)", "row.speedup", ratio),
        Column("p50 ms", "row.latency_ms.p50"),
        Column("rel ↓", "accuracy.metrics.rel", _share),
        Column("δ1 ↑", "accuracy.metrics.delta1", _share),
        Column("rmse m ↓", "accuracy.metrics.rmse", _share),
        Column("on the front of", "key", partial(_fronts, _front_keys(report))),
        Column("verdict", "row.verdict", word),
        *(() if short else details),
    ]
    return record_table([(point, point.row) for point in points], columns, "")


def _front_keys(report: ParetoReport) -> dict[str, list[str]]:
    names: dict[str, Measure] = {"rel": "rel", "δ1": "delta1"}
    return {name: [point.key for point in report.front(measure)] for name, measure in names.items()}


def _fronts(keys: dict[str, list[str]], key: str) -> Cell:
    return (", ".join(name for name, front in keys.items() if key in front),)


def _share(value: float | None) -> Cell:
    return NOTHING if value is None else (Number(value, f"{value:.4f}"),)


def _absent(report: ParetoReport) -> Table:
    absent: Sequence[Point] = [point for point in report.points if point.row.status == "absent"]
    return Table(("engine", "why"), tuple(text_line(point.key, point.row.verdict) for point in absent), numbers=False)


def _machine(report: ParetoReport) -> list[Line]:
    lines = [*environment_lines(report.environment)]
    for name, bundle in report.bundles.items():
        size = f"{bundle.input.height}×{bundle.input.width}, {bundle.picture} picture, {bundle.parameters:,} parameters"
        lines += [text_line(name, size), *graph_lines(bundle.graphs, name)]
    return lines
