"""A roofline for a terminal."""

from collections.abc import Callable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clipdepth_bench.roofline.record import Floor, Roofline

Title = Callable[[str], str]

_CAPTION = (
    "ms a frame; compute: operations at the rate of a large matrix product; memory: weights, frame and depth once, at "
    "the triad's rate; floor: the larger; uncached: if every layer went through memory, no bound; ×floor: took / floor"
)
_HEADINGS = ("GFLOP", "MB", "compute", "memory", "floor", "took", "×floor", "uncached")


def print_roofline(roofline: Roofline, console: Console, title: Title = str) -> None:
    """Print the machine's roof and how far each engine is from it; `title` names a row by its key."""
    console.print(rates_table(roofline))
    console.print(floors_table(roofline, title))
    for note in roofline.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def rates_table(roofline: Roofline) -> Table:
    """What was measured of the machine."""
    table = Table(title="roof: the best measured here", title_justify="left")
    for heading in ("device", "what", "by"):
        table.add_column(heading)
    table.add_column("rate", justify="right")
    for rate in roofline.rates:
        size = f"{rate.size}×{rate.size}"
        table.add_row(rate.device, f"{rate.precision} products of {size}", rate.library, f"{rate.gops:.4g} GOP/s")
    for found in roofline.bandwidths:
        table.add_row(found.device, f"triad of {found.array_mb:.0f} MB arrays", "PyTorch", f"{found.gb_per_s:.3g} GB/s")
    return table


def floors_table(roofline: Roofline, title: Title = str) -> Table:
    """The floors of whole graphs, and of their convolutions alone."""
    table = Table(title="roofline", title_justify="left", caption=_CAPTION)
    table.add_column("engine")
    table.add_column("part")
    for heading in _HEADINGS:
        table.add_column(heading, justify="right")
    for row in roofline.rows:
        key = escape(title(f"{row.name} {row.precision}"))
        table.add_row(key, "whole", *_cells(row.whole))
        table.add_row("", "convolutions", *_cells(row.convolutions))
    return table


def _cells(floor: Floor) -> list[str]:
    work = floor.work
    cost = f"{work.all_operations / 1e9:.2f}", f"{work.once_bytes / 1e6:.1f}"
    times = (floor.compute_ms, floor.memory_ms, floor.floor_ms, floor.took_ms)
    ratio = "" if floor.ratio is None else f"{floor.ratio:.2f}"
    return [*cost, *("" if time is None else f"{time:.3g}" for time in times), ratio, f"{floor.uncached_ms:.3g}"]
