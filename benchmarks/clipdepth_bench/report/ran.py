"""What engines ran: a report's rows by the precision of their arithmetic."""

from clipdepth.engines.precisions import Precisions, some
from clipdepth_bench.report.document import Cell, Line, Number, Section, Table
from clipdepth_bench.report.numbers import NOTHING, count
from clipdepth_bench.report.order import in_order
from clipdepth_bench.report.record import Report

_HEADING = ("engine", "int8", "half", "float", "in int8", "quantised, and not run in int8")
_CAPTION = (
    "Convolutions and matrix products that ran in each precision, read from the engine. An int8 row of which less than "
    "90% ran in int8 says so in its name."
)


def ran_section(report: Report) -> Section | None:
    """How much of each engine's arithmetic ran in which precision; None where none was read."""
    rows = [(row, row.executed) for row in in_order(report) if row.executed is not None]
    lines = tuple(Line(((row.title,), *_cells(found)), row.status == "failed") for row, found in rows)
    return Section("What ran", tables=(Table(_HEADING, lines, _CAPTION).without_empty_columns(),)) if rows else None


def _cells(found: Precisions) -> list[Cell]:
    share = found.share("int8")
    if share is None:
        return [NOTHING] * 3 + [("not told",), NOTHING]
    layers = found.layers
    half = layers.get("fp16", 0) + layers.get("bf16", 0)
    counts = [count(number) for number in (layers.get("int8", 0), half, layers.get("fp32", 0))]
    return [*counts, (Number(share, f"{int(100 * share)}%"),), (some(found.strayed),) if found.strayed else NOTHING]
