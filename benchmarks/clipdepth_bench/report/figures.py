"""The look of plots: few colours, thin axes, text that stays text."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

INK, QUIET, GRID, PAPER = "#1c1d1f", "#65676b", "#d6d7da", "#fefefe"
SERIES = ("#0b6ea8", "#c2571a", "#3a7d34", "#8a4fa3", "#a3801a", "#b03060")
"""One colour a bundle; of a report's plots the first is ours and the second the peers'.

HTML replaces all of these by those of the reader's scheme, so no two are the same.
"""
COLOURS = {
    "ink": INK,
    "quiet": QUIET,
    "line": GRID,
    "card": PAPER,
    **{f"series{index}": colour for index, colour in enumerate(SERIES)},
}
"""By the name of the page's variable."""
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "clipdepth",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": GRID,
    "axes.facecolor": PAPER,
    "figure.facecolor": PAPER,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}


@contextmanager
def house_style() -> Iterator[None]:
    """Figures are drawn, and written, within."""
    with mpl.rc_context(_STYLE):
        yield


def svg_of(figure: Figure) -> str:
    """The figure as an SVG file, the same for the same figure."""
    stream = StringIO()
    with house_style():
        figure.savefig(stream, format="svg", metadata=_NO_METADATA)
    return stream.getvalue()


def log_axis(axes: Axes, low: float, high: float) -> None:
    """A logarithmic x axis from `low` to `high`, with ticks in plain numbers also where it is less than a decade."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    steps = (1.0, 2.0, 5.0) if high / low > 6 else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
    axes.xaxis.set_major_locator(LogLocator(10, steps if high / low < 300 else (1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="x")


def row_figure(rows: int) -> tuple[Figure, Axes]:
    """A figure for `rows` horizontal rows, the first on top, each with its name above it."""
    figure = Figure(figsize=(4.4, 0.9 + 0.46 * rows), layout="constrained")
    axes = figure.add_subplot()
    axes.set_ylim(-rows + 0.45, 0.75)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    return figure, axes


def name_row(axes: Axes, index: int, text: str) -> None:
    """Write `text` above row `index`."""
    ground = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.5}
    axes.text(0.0, -index + 0.22, text, transform=axes.get_yaxis_transform(), va="bottom", bbox=ground)
