"""What `clipdepth bench pareto` found: typed, written as JSON, read again."""

from pathlib import Path
from typing import Literal

from clipdepth.bundle.record import Record, decode_record
from clipdepth.engines.precisions import titled
from clipdepth.errors import BundleError
from clipdepth_bench.measure.accuracy import Accuracy
from clipdepth_bench.measure.environment import Environment
from clipdepth_bench.pareto.front import pareto_front
from clipdepth_bench.report.record import Method, ReportError, Row, Size

SCHEMA = 1
Measure = Literal["rel", "delta1"]


class Point(Record, frozen=True):
    """An engine of a bundle."""

    bundle: str
    row: Row
    accuracy: Accuracy | None
    """None where it was not timed, or not measured before an interruption."""

    @property
    def key(self) -> str:
        """Such as 'edge openvino int8'."""
        return f"{self.bundle.removesuffix('.bundle')} {self.row.key}"

    @property
    def title(self) -> str:
        """What people read, as `Row.title`."""
        return titled(self.key, self.row.precision, self.row.executed)


class Measured(Record, frozen=True):
    """A bundle that took part."""

    input: Size
    picture: str
    """What of a picture its model sees: 'whole', or the paper's crop."""
    parameters: int
    graphs: dict[str, str]
    """sha256 of each precision's file."""


class ParetoReport(Record, frozen=True):
    """The whole of pareto.json."""

    schema: int
    data: str
    frames: int
    """Test frames that were given, whether or not their depth is known."""
    crop: str
    bundles: dict[str, Measured]
    environment: Environment
    method: Method
    interrupted: bool
    notes: list[str]
    points: list[Point]

    @property
    def measured(self) -> list[tuple[Point, float, Accuracy]]:
        """The points that have both p50, milliseconds, and accuracy."""
        return [
            (point, point.row.latency_ms.p50, point.accuracy)
            for point in self.points
            if point.row.latency_ms and point.accuracy
        ]

    def front(self, measure: Measure) -> list[Point]:
        """Those that no other one beats in p50 and `measure`, the fastest first.

        Accuracies that are the same to four decimals count as equal: fp32 and fp16 differ less than frames do.
        """
        found = self.measured
        sign = 1 if measure == "rel" else -1
        costs = [(p50, sign * round(float(getattr(accuracy.metrics, measure)), 4)) for _, p50, accuracy in found]
        return [found[index][0] for index in pareto_front(costs)]


def read_pareto(path: Path) -> ParetoReport:
    """Read pareto.json; raises ReportError naming the file, the field and the remedy."""
    try:
        return decode_record(path.read_bytes(), ParetoReport, SCHEMA, str(path), "run 'clipdepth bench pareto' again")
    except OSError as error:
        raise ReportError(f"{path} cannot be read ({error.strerror}); check the path") from None
    except BundleError as error:
        raise ReportError(str(error)) from None
