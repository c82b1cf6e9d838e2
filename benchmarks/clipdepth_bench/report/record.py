"""What a benchmark found: typed, written as JSON, read again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from clipdepth.bundle.agreement import Agreement, looser_limits
from clipdepth.bundle.record import Record, decode_record, encode_record
from clipdepth.engines.precisions import Precisions, titled
from clipdepth.errors import BundleError, ClipdepthError
from clipdepth.files.atomic import atomic_file
from clipdepth.pipeline.latency import Latency
from clipdepth_bench.contender import Contender, gated_as
from clipdepth_bench.measure.environment import Environment
from clipdepth_bench.measure.interval import median_interval
from clipdepth_bench.measure.samples import Ratio, Samples, ratio_to
from clipdepth_bench.measure.timing import Limits, Stop
from clipdepth_bench.roofline.record import Roofline

SCHEMA = 2

Status = Literal["passed", "failed", "unchecked", "absent"]
"""Of the accuracy gate: unchecked are random weights, absent is what could not be loaded."""


class ReportError(ClipdepthError, ValueError):
    """A benchmark's report is missing, damaged or of another schema."""


class Streaming(Record, frozen=True):
    """A contender in the real pipeline, fed with frames of `height` × `width` pixels."""

    height: int
    width: int
    capture_to_depth_ms: Latency
    """From a frame's capture by a camera of `camera_fps` to its depth at its own size."""
    camera_fps: float
    fps: float
    """Frames a second when they come as fast as they are taken."""
    energy_j: dict[str, float]
    """Joules a frame at that speed, by meter; each names what it covers. Empty where the device reports none."""


class Memory(Record, frozen=True):
    """Of a process of its own that loads one contender and runs the golden frames."""

    host_mb: float
    """Its peak resident set: Python and all libraries included. Megabytes of 10^6 bytes, as all here."""
    device_mb: float | None
    """By how much the GPU's used memory grew; None without an NVIDIA GPU."""


class Row(Record, frozen=True):
    """One contender. Times are None where it was not timed: absent, or its depth differs from PyTorch's."""

    name: str
    precision: str
    device: str
    status: Status
    verdict: str
    """For people: passed, FAILED, or why it was not checked or not timed."""
    agreement: Agreement | None
    latency_ms: Latency | None
    """A frame from the host's memory to it, so with transfers. p50 is the median of `round_medians_ms`."""
    without_transfers_ms: Latency | None
    """The same frames without transfers, where the device tells them apart."""
    timed_by: str | None
    p50_interval_ms: tuple[float, float] | None
    """95% interval of that p50, by the same medians; None for fewer than six rounds."""
    stopped: Stop | None
    """'precise' where that interval was narrow enough in the end, else why timing ended before it was."""
    round_medians_ms: list[float | None]
    """Null where it sat out a round."""
    speedup: Ratio | None
    """Against PyTorch eager in the same run; None where that is not there."""
    streaming: Streaming | None
    memory: Memory | None
    model_mb: float | None
    """The graph's file, or PyTorch's weights."""
    executed: Precisions | None = None
    """What the engine ran; None where it was not read."""
    peer: bool = False
    """Whether it is another model, which people would use instead."""
    chosen: str = ""
    """How its form was chosen among others, in a sentence."""

    @property
    def key(self) -> str:
        """Such as 'openvino int8'."""
        return f"{self.name} {self.precision}".strip()

    @property
    def title(self) -> str:
        """What people read: the key, and '(0% in int8)' where int8 is not what its engine runs."""
        return titled(self.key, self.precision, self.executed)

    @property
    def medians_ms(self) -> list[float]:
        """Of the rounds it took part in."""
        return [median for median in self.round_medians_ms if median is not None]


class Method(Record, frozen=True):
    """How it was timed."""

    rounds: int
    seconds: float
    """The limit, and not what was used."""
    within: float
    """What half the interval of a median may be, as a share of it, for it to be precise."""
    reference: str
    """The key of the row that `speedup` is against."""


class Size(Record, frozen=True):
    """A picture's, in pixels."""

    height: int
    width: int


class Network(Record, frozen=True):
    """What PyTorch's time depends on besides the input's size: its network, whatever weights it has."""

    parameters: int
    flops: int
    """A frame's, 2 per multiply-add."""


class Report(Record, frozen=True):
    """The whole of `clipdepth bench --json`; what a later part adds is a field with a default."""

    schema: int
    bundle: str
    input: Size
    graphs: dict[str, str]
    """sha256 of each precision's file."""
    environment: Environment
    method: Method
    interrupted: bool
    notes: list[str]
    """What could not be measured, and why."""
    rows: list[Row]
    roofline: Roofline | None = None
    """None where it was not asked for."""
    network: Network | None = None
    """None in reports of earlier versions."""

    def row(self, key: str) -> Row | None:
        """The row of that key."""
        return next((row for row in self.rows if row.key == key), None)

    def title(self, key: str) -> str:
        """The title of the row of that key."""
        row = self.row(key)
        return key if row is None else row.title


def make_rows(
    contenders: Sequence[Contender],
    samples: dict[str, Samples],
    reference: str,
    stopped: Stop,
    limits: Limits,
) -> list[Row]:
    """A row for each contender; `samples` are by `Contender.key`, those of `reference` are what others are held to."""
    others = samples.get(reference)
    return [_row(contender, samples.get(contender.key), others, stopped, limits) for contender in contenders]


def _row(
    contender: Contender, samples: Samples | None, reference: Samples | None, stopped: Stop, limits: Limits
) -> Row:
    timed = samples if samples is not None and samples.all and not contender.failed else None
    return Row(
        name=contender.name,
        precision=contender.precision,
        device=contender.device,
        status=_status(contender),
        verdict=_verdict(contender),
        agreement=contender.agreement,
        latency_ms=timed.latency if timed else None,
        without_transfers_ms=timed.without_transfers if timed else None,
        timed_by=contender.timed_by if timed else None,
        p50_interval_ms=_interval_ms(timed) if timed else None,
        stopped=("precise" if timed.is_precise(limits.within) else stopped) if timed else None,
        round_medians_ms=[_ms(median) for median in timed.medians] if timed else [],
        speedup=ratio_to(reference, timed) if timed and reference else None,
        streaming=None,
        memory=None,
        model_mb=None if contender.model_bytes is None else contender.model_bytes / 1e6,
        peer=contender.peer,
        chosen=contender.chosen,
    )


def _interval_ms(samples: Samples) -> tuple[float, float] | None:
    interval = median_interval([median for median in samples.medians if median is not None])
    return None if interval is None else (interval[0] * 1000, interval[1] * 1000)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _status(contender: Contender) -> Status:
    if contender.infer is None:
        return "absent"
    if contender.agreement is None:
        return "unchecked"
    return "passed" if contender.agreement.passed else "failed"


def _verdict(contender: Contender) -> str:
    if contender.agreement is None:
        return contender.note
    if not contender.agreement.passed:
        return "FAILED: depth differs from PyTorch's"
    looser = looser_limits(gated_as(contender.precision), contender.agreement.tolerance)
    return f"passed by {looser}" if looser else "passed"


def write_report(path: Path, report: Report) -> None:
    """Write it as indented JSON, atomically."""
    with atomic_file(path) as partial:
        partial.write_bytes(encode_record(report))


def read_report(path: Path) -> Report:
    """Read what `write_report` wrote; raises ReportError naming the file, the field and the remedy."""
    try:
        return decode_record(path.read_bytes(), Report, SCHEMA, str(path), "run 'clipdepth bench' again")
    except OSError as error:
        raise ReportError(f"{path} cannot be read ({error.strerror}); check the path") from None
    except BundleError as error:
        raise ReportError(str(error)) from None
