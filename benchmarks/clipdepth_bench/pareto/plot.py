"""Accuracy against latency, a numbered point an engine, with the front that no other one beats."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from clipdepth_bench.pareto.report import Measure, ParetoReport, Point
from clipdepth_bench.report.figures import INK, QUIET, SERIES, house_style, log_axis

NAMES: dict[Measure, str] = {"rel": "rel ↓", "delta1": "δ1 ↑"}
_MARKERS = {"fp32": "o", "fp16": "s", "int8": "^"}
_SPOTS = [(x, y) for y in (9, -9, 19, -19, 29, -29) for x in (3, -3, 11, -11)]
"""Where a label may stand, in points from its point; the first that is free is taken."""
LEAST_SPAN = 0.05
"""Of the values in a plot, so that nothing looks far apart which is not."""
_SHORT = 36
"""Of longer names only one fits beside another in the key."""


@dataclass(frozen=True)
class Place:
    """A point in one of the plots; `number` is its line's in the table."""

    point: Point
    number: int
    p50: float
    value: float
    on_front: bool
    colour: str

    @property
    def name(self) -> str:
        """As in the key."""
        return f"{self.number} {self.point.title}"

    @property
    def marker(self) -> str:
        """By precision."""
        return _MARKERS.get(self.point.row.precision, "o")


def places(report: ParetoReport, measure: Measure) -> list[Place]:
    """All that were measured, in the report's order."""
    front = {point.key for point in report.front(measure)}
    names = list(report.bundles)
    return [
        Place(
            point=point,
            number=number,
            p50=p50,
            value=float(getattr(accuracy.metrics, measure)),
            on_front=point.key in front,
            colour=SERIES[names.index(point.bundle) % len(SERIES)],
        )
        for number, (point, p50, accuracy) in enumerate(report.measured, 1)
    ]


def pareto_plot(report: ParetoReport) -> Figure | None:
    """rel above δ1, each against p50, and a key to the numbers; None where nothing was measured."""
    if not report.measured:
        return None
    with house_style():
        drawn = {measure: places(report, measure) for measure in NAMES}
        names = drawn["rel"]
        columns = 2 if max(len(place.name) for place in names) <= _SHORT else 1
        figure = Figure(figsize=(5.0, 6.6 + 0.19 * -(-len(names) // columns)), layout="constrained")
        FigureCanvasAgg(figure)
        for index, (measure, found) in enumerate(drawn.items(), 1):
            _draw(figure.add_subplot(2, 1, index), found, NAMES[measure])
        figure.legend(handles=[_handle(place) for place in names], ncols=columns, loc="outside lower left")
        figure.draw_without_rendering()
        for axes, found in zip(figure.axes, drawn.values(), strict=True):
            _label(axes, sorted(found, key=lambda place: not place.on_front))
    return figure


def _draw(axes: Axes, drawn: Sequence[Place], name: str) -> None:
    log_axis(axes, min(place.p50 for place in drawn) / 1.4, max(place.p50 for place in drawn) * 1.4)
    for place in drawn:
        axes.plot(
            place.point.row.p50_interval_ms or [place.p50] * 2, [place.value] * 2, color=place.colour, linewidth=1
        )
        axes.plot([place.p50], [place.value], place.marker, color=place.colour, markersize=6)
    front = sorted((place.p50, place.value) for place in drawn if place.on_front)
    axes.step([x for x, _ in front], [y for _, y in front], where="post", color=QUIET, ls="--", linewidth=1, zorder=1)
    axes.margins(y=0.2)
    low, high = axes.get_ylim()
    spare = max(0.0, LEAST_SPAN * (low + high) / 2 - (high - low)) / 2
    axes.set_ylim(low - spare, high + spare)
    axes.grid(axis="y")
    axes.set_ylabel(name)
    axes.set_xlabel("p50, ms a frame, log scale; line: 95% interval")


def _handle(place: Place) -> Line2D:
    return Line2D([], [], color=place.colour, marker=place.marker, linestyle="", label=place.name)


def _label(axes: Axes, drawn: Sequence[Place]) -> None:
    """Number the points where there is room, and name those of the front."""
    inside = axes.get_window_extent()
    taken = [_around(axes, place) for place in drawn]
    for place in drawn:
        for text in _texts(axes, place):
            text.set_in_layout(False)
            box = _widened(text.get_window_extent())
            if _holds(inside, box) and not box.count_overlaps(taken):
                taken.append(box)
                break
            text.remove()


def _texts(axes: Axes, place: Place) -> Iterator[Annotation]:
    """What may be written, the best first; each is drawn."""
    for text in [place.name, str(place.number)] if place.on_front else [str(place.number)]:
        for x, y in _SPOTS:
            yield axes.annotate(
                text,
                (place.p50, place.value),
                (x, y),
                textcoords="offset points",
                ha="left" if x > 0 else "right",
                va="center",
                fontsize=8,
                color=INK if place.on_front else QUIET,
            )


def _around(axes: Axes, place: Place) -> Bbox:
    x, y = axes.transData.transform((place.p50, place.value))
    return Bbox.from_extents(x - 4, y - 4, x + 4, y + 4)


def _widened(box: Bbox) -> Bbox:
    """With room beside it, so that two numbers are not read as one."""
    return Bbox.from_extents(box.x0 - 3, box.y0, box.x1 + 3, box.y1)


def _holds(outer: Bbox, inner: Bbox) -> bool:
    return bool(outer.x0 <= inner.x0 and inner.x1 <= outer.x1 and outer.y0 <= inner.y0 and inner.y1 <= outer.y1)
