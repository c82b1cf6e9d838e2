"""The roofline's part of a report's page."""

from clipdepth_bench.report.document import Cell, Line, Section, Table, text_line
from clipdepth_bench.report.numbers import decimal
from clipdepth_bench.report.record import Report
from clipdepth_bench.roofline.record import Floor, Roofline, RooflineRow

_HEADING = ("engine", "part", "GFLOP", "MB", "compute", "memory", "floor", "took", "took / floor", "uncached")
_CAPTION = (
    "ms a frame. Compute: the operations at the rate of a large matrix product; memory: weights, frame and depth once, "
    "at the triad's rate; floor: the larger. Uncached: if every layer went through memory, which is no bound."
)


def roofline_section(report: Report) -> Section | None:
    """What the machine can do at best, and how far each engine is from it; None where it was not measured."""
    found = report.roofline
    if found is None:
        return None
    lines = [line for row in found.rows for line in _lines(report, row)]
    roof = Table(("device", "what", "by", "rate"), tuple(_roof_lines(found)), numbers=False)
    return Section("Roofline", tables=(roof, Table(_HEADING, tuple(lines), _CAPTION)), items=tuple(found.notes))


def _roof_lines(found: Roofline) -> list[Line]:
    products = [
        text_line(rate.device, f"{rate.precision} products of {rate.size}×{rate.size}", rate.library, _rate(rate.gops))
        for rate in found.rates
    ]
    return products + [
        text_line(triad.device, f"triad of {triad.array_mb:.0f} MB arrays", "PyTorch", f"{triad.gb_per_s:.3g} GB/s")
        for triad in found.bandwidths
    ]


def _rate(gops: float) -> str:
    return f"{gops:.4g} GOP/s"


def _lines(report: Report, row: RooflineRow) -> list[Line]:
    title = report.title(f"{row.name} {row.precision}")
    return [
        Line(((title,), ("whole",), *_cells(row.whole))),
        Line((("",), ("convolutions",), *_cells(row.convolutions))),
    ]


def _cells(floor: Floor) -> list[Cell]:
    work = floor.work
    costs = work.all_operations / 1e9, work.once_bytes / 1e6
    times = floor.compute_ms, floor.memory_ms, floor.floor_ms, floor.took_ms, floor.ratio, floor.uncached_ms
    return [decimal(value) for value in (*costs, *times)]
