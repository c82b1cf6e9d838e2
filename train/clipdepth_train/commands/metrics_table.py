"""Depth metrics as a table for people."""

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from clipdepth.files.foreign import shown

HEADINGS = {
    "rel": "rel ↓",
    "rmse": "rmse m ↓",
    "rmse_log": "rmse_log ↓",
    "log10": "log10 ↓",
    "delta1": "δ1 ↑",
    "delta2": "δ2 ↑",
    "delta3": "δ3 ↑",
}


def metrics_table(rows: Mapping[str, Mapping[str, float]], title: str | None = None) -> Table:
    """A row for each model, its metrics by name."""
    table = Table(title=escape(shown(title)) if title else None, title_justify="left")
    table.add_column("model", overflow="fold")
    for heading in HEADINGS.values():
        table.add_column(heading, justify="right")
    for name, metrics in rows.items():
        table.add_row(escape(shown(name)), *(f"{metrics[key]:.3f}" for key in HEADINGS))
    return table
