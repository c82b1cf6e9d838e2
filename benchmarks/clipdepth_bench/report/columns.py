"""Tables of a report's rows: each column names a field and how it is shown."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from clipdepth_bench.measure.duration import CLOCK
from clipdepth_bench.report.document import Cell, Line, Table
from clipdepth_bench.report.numbers import count, decimal, ratio, span, word
from clipdepth_bench.report.record import Row


@dataclass(frozen=True)
class Column:
    """A heading, where what stands below it is in a record, and how it is shown."""

    heading: str
    field: str
    """Such as 'latency_ms.p50'."""
    show: Callable[[Any], Cell] = decimal

    def cell(self, record: object) -> Cell:
        """What stands below the heading for `record`."""
        found: Any = record
        for name in self.field.split("."):
            found = None if found is None else getattr(found, name)
        return self.show(found)


def time_columns(rows: Iterable[Row], reference: str) -> list[Column]:
    """The columns of time; what times them, and transfers, where it is not the host's clock for all `rows`."""
    columns = [
        Column("engine", "title", word),
        Column(f"× {reference} (p10 to p90)", "speedup", ratio),
        Column("p50", "latency_ms.p50"),
        Column("95% interval", "p50_interval_ms", span),
        Column("verdict", "verdict", word),
        *(Column(name, f"latency_ms.{name}") for name in ("p90", "p99", "max", "mean")),
        Column("n", "latency_ms.n", count),
        Column("ended by", "stopped", word),
    ]
    if any(row.timed_by not in (None, CLOCK) for row in rows):
        columns.append(Column("p50 without transfers", "without_transfers_ms.p50"))
        columns.append(Column("timed by", "timed_by", word))
    return columns


def row_table(rows: Iterable[Row], columns: list[Column], caption: str) -> Table:
    """A line for each row."""
    return record_table([(row, row) for row in rows], columns, caption)


def record_table(pairs: Iterable[tuple[object, Row]], columns: list[Column], caption: str) -> Table:
    """A line for each record, set off where its row failed; a column that would hold dashes alone is left out."""
    lines = tuple(
        Line(tuple(column.cell(record) for column in columns), row.status == "failed") for record, row in pairs
    )
    return Table(tuple(column.heading for column in columns), lines, caption).without_empty_columns()
