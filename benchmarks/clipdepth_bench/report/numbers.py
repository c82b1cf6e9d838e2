"""Numbers as a page shows them: three digits or so, and the value itself."""

from clipdepth_bench.measure.samples import Ratio, ratio_text
from clipdepth_bench.report.document import Cell, Number

NOTHING: Cell = ("–",)


def decimal(value: float | None) -> Cell:
    """Three significant digits, but no digit before the point is lost; a dash for None."""
    return NOTHING if value is None else (decimal_number(value),)


def decimal_number(value: float) -> Number:
    """See `decimal`."""
    size = abs(value)
    places = 0 if size >= 1000 else 1 if size >= 10 else 2 if size >= 1 else 3
    return Number(value, f"{value:.{places}f}")


def count(value: float | None) -> Cell:
    """A whole number; a dash for None."""
    return NOTHING if value is None else (Number(value, f"{value:.0f}"),)


def scientific(value: float | None) -> Cell:
    """Two digits and a power of ten; a dash for None."""
    return NOTHING if value is None else (Number(value, f"{value:.1e}"),)


def points(value: float | None) -> Cell:
    """A change of a share in percentage points, with its sign, + for zero; a dash for None."""
    return NOTHING if value is None else (Number(value, f"{round(100 * value, 2) + 0.0:+.2f}"),)


def word(text: str | None) -> Cell:
    """Plain text; a dash for None."""
    return NOTHING if text is None else (text,)


def span(bounds: tuple[float, float] | None) -> Cell:
    """'low to high'; a dash for None."""
    return NOTHING if bounds is None else (decimal_number(bounds[0]), " to ", decimal_number(bounds[1]))


def ratio(value: Ratio | None) -> Cell:
    """As `Ratio` says it; a dash for None."""
    if value is None:
        return NOTHING
    p50, p10, p90 = (Number(part, ratio_text(part)) for part in (value.p50, value.p10, value.p90))
    return p50, " (", p10, " to ", p90, ")"
