"""What a scaling run found: typed, written as JSON after every sample, read again to go on."""

from pathlib import Path
from typing import Literal, get_args

import msgspec

from clipdepth.bundle.record import Positive, Record, decode_record, encode_record
from clipdepth.errors import BundleError, ClipdepthError
from clipdepth.files.atomic import atomic_file
from clipdepth.pipeline.latency import Latency
from clipdepth_bench.measure.environment import Environment

SCHEMA = 1
FILE = "scaling.json"

Axis = Literal["size", "batch", "threads", "cameras"]
AXES: tuple[Axis, ...] = get_args(Axis)


class ScalingError(ClipdepthError, ValueError):
    """A scaling file is damaged, of another schema, or of another bundle or machine."""


class Point(Record, frozen=True):
    """One place on an axis. All besides the axis stays as it is at 1."""

    axis: Axis
    precision: str
    height: Positive
    width: Positive
    batch: Positive = 1
    threads: Positive = 1
    cameras: int = 0
    """0 where the engine is called as it is, without the pipeline."""

    @property
    def value(self) -> int:
        """On its axis; a size is its number of pixels."""
        return {
            "size": self.height * self.width,
            "batch": self.batch,
            "threads": self.threads,
            "cameras": self.cameras,
        }[self.axis]

    @property
    def label(self) -> str:
        """The value for people."""
        return f"{self.height}×{self.width}" if self.axis == "size" else str(self.value)

    def __str__(self) -> str:
        return f"{self.precision}, {self.axis} {self.label}"


class Sample(Record, frozen=True):
    """What one process measured of a point."""

    latency_ms: Latency
    """Of a call of the engine; with cameras, from capture to depth."""
    fps: float
    """Frames a second, of all cameras together."""
    host_mb: float
    """Its peak resident set, Python included; 10^6 bytes."""
    device_mb: float | None
    """By how much the GPU's used memory grew; None without an NVIDIA GPU."""


class Measured(Record, frozen=True):
    """A point and its samples, one a round; or why there are none."""

    point: Point
    samples: list[Sample]
    problem: str | None = None


class Scaling(Record, frozen=True):
    """The whole of `scaling.json`."""

    schema: int
    bundle: str
    bundle_sha256: str
    """Of its manifest."""
    engine: str
    seconds: float
    """How long each sample was taken."""
    camera_fps: float
    environment: Environment
    interrupted: bool
    measured: list[Measured]
    """In the order of their first measurement."""
    device: int | None = None
    """The GPU's number, where one was named."""

    def samples(self, point: Point) -> list[Sample]:
        """Those of `point`."""
        return next((found.samples for found in self.measured if found.point == point), [])

    def plus(self, point: Point, sample: Sample | str) -> "Scaling":
        """With one more sample of `point`, or with the problem that it has."""
        known = next((found for found in self.measured if found.point == point), Measured(point, []))
        if isinstance(sample, str):
            new = msgspec.structs.replace(known, problem=sample)
        else:
            new = Measured(point, [*known.samples, sample])
        measured = [new if found.point == point else found for found in self.measured]
        return msgspec.structs.replace(self, measured=measured if new in measured else [*measured, new])


def write_scaling(folder: Path, scaling: Scaling) -> None:
    """Write `scaling.json` into `folder`, atomically."""
    with atomic_file(folder / FILE) as partial:
        partial.write_bytes(encode_record(scaling))


def read_scaling(folder: Path) -> Scaling | None:
    """Read it; None where there is none. Raises ScalingError naming the file, the field and the remedy."""
    path = folder / FILE
    try:
        return decode_record(path.read_bytes(), Scaling, SCHEMA, str(path), "choose another --out")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ScalingError(f"{path} cannot be read ({error.strerror}); choose another --out") from None
    except BundleError as error:
        raise ScalingError(str(error)) from None
