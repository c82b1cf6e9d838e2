"""A scaling run for a terminal."""

from statistics import median

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clipdepth_bench.scaling.record import Measured, Scaling


def print_scaling(scaling: Scaling, console: Console) -> None:
    """Print a row for each point."""
    table = Table(
        title=escape(f"{scaling.bundle}, {scaling.engine}"),
        title_justify="left",
        caption="p50: ms a call, with cameras from capture to depth; median of rounds (smallest to largest); "
        "sizes and batches have random weights",
    )
    for heading in ("axis", "value", "precision"):
        table.add_column(heading)
    for heading in ("p50", "frames/s", "host MB", "GPU MB"):
        table.add_column(heading, justify="right")
    for measured in scaling.measured:
        table.add_row(*_cells(measured))
    console.print(table)
    if scaling.interrupted:
        console.print("interrupted: the same command goes on")


def _cells(measured: Measured) -> list[str]:
    point, samples = measured.point, measured.samples
    place = [point.axis, point.label, point.precision]
    if not samples:
        return [*place, escape(measured.problem or "")]
    p50 = [sample.latency_ms.p50 for sample in samples]
    device = [sample.device_mb for sample in samples if sample.device_mb is not None]
    return [
        *place,
        f"{median(p50):.1f} ({min(p50):.1f} to {max(p50):.1f})",
        f"{median(sample.fps for sample in samples):.1f}",
        f"{median(sample.host_mb for sample in samples):.0f}",
        f"{median(device):.0f}" if device else "",
    ]
