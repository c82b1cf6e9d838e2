"""What a run found, for people."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from clipdepth.bundle.agreement import Agreement
from clipdepth.bundle.kind import DepthKind
from clipdepth.files.foreign import shown
from clipdepth.pipeline.branch import Branch, State
from clipdepth.pipeline.comparison import Comparison
from clipdepth.pipeline.confidence import Confidence
from clipdepth.pipeline.focal import FocalLength, describe_focal
from clipdepth.pipeline.latency import Latency


@dataclass(frozen=True)
class FailureReport:
    """What ended a source's branch before its time."""

    at: str
    """UTC, by ISO 8601."""
    why: str


@dataclass(frozen=True)
class SourceReport:
    """What became of one source's frames, see `clipdepth.pipeline.counts.Counts`."""

    name: str
    captured: int
    processed: int
    dropped: dict[str, int]
    losses: int
    """See `clipdepth.sources.Source.losses`."""
    state: State
    """How it was at the end: 'lost' where it was away and still sought."""
    failed: FailureReport | None
    novel: int | None
    """How many of those processed are unlike what the model learned from; None where the model does not say it."""
    focal: list[FocalLength]
    """With what its frames were filmed, and where that was known from; the most frequent first."""
    confidence: Confidence | None
    """How sure the model was; None where it does not say it."""
    measured: Comparison | None
    """How far depth is from what the source's own sensor measured; None where it has none."""

    @classmethod
    def of(cls, branch: Branch) -> "SourceReport":
        """What became of the frames of a branch, which must have ended."""
        counts, source, failure = branch.counts, branch.source, branch.failure
        dropped, focal = dict(counts.dropped), counts.focal.counted()
        failed = FailureReport(f"{failure.at:%Y-%m-%dT%H:%M:%SZ}", str(failure.error)) if failure else None
        found = counts.captured, counts.processed, dropped, source.losses, branch.state, failed, counts.novel, focal
        return cls(source.name, *found, counts.confidence.summary(), counts.comparison.summary())

    def __str__(self) -> str:
        dropped = ", ".join(f"{frames} before {stage}" for stage, frames in self.dropped.items()) or "none"
        losses = f"; lost {self.losses}" if self.losses else ""
        novel = f"; {self.novel} unlike what the model learned from" if self.novel else ""
        processed = f"{self.captured} captured, {self.processed} processed"
        return f"{self.name}: {processed}, dropped {dropped}{losses}{novel}{self._end}"

    @property
    def _end(self) -> str:
        if self.failed:
            return f"; failed at {self.failed.at}: {self.failed.why}"
        return {"lost": ", and away at the end", "waiting": "; never there"}.get(self.state, "")


@dataclass(frozen=True)
class RunReport:
    """What ran, where and how fast; `clipdepth run --json` writes these fields."""

    bundle: str
    source: str
    """The names of all sources; passwords are left out."""
    sources: list[SourceReport]
    outputs: list[str]
    """Those that are whole, as far as they go."""
    frames: int
    seconds: float
    """From the first frame asked for to the last depth kept: reading and writing included."""
    interrupted: bool
    engine: str
    device: str
    """What the engine really ran on."""
    precision: str
    threads: int
    latency_ms: dict[str, Latency]
    """Stage by stage, see `clipdepth.pipeline.counts.StageTimes`; the newest 4096 frames."""
    agreement: Agreement
    """With PyTorch, as the bundle's manifest records it."""
    looser_limits: str | None
    """What that was held to, where it is less than clipdepth asks for."""
    kind: DepthKind
    """What the depth that was kept and shown is: 'metric' for any model after `clipdepth calibrate`."""
    licences: dict[str, str]
    """What each part of the bundle may be used for."""


def print_report(report: RunReport, console: Console) -> None:
    """Print the report and a latency table."""
    rate = report.frames / report.seconds
    threads = f"{report.threads} thread{'s' if report.threads > 1 else ''}"
    facts = {
        "source": "\n         ".join(shown(str(source)) for source in report.sources),
        "frames": f"{report.frames} in {report.seconds:.1f} s, {rate:.1f} a second with reading and writing"
        + (" (interrupted)" if report.interrupted else ""),
        "camera": "\n         ".join(_cameras(report.sources)),
        "engine": f"{report.engine} on {report.device}, {report.precision}, {threads}",
        "depth": str(report.agreement) + (f", by {report.looser_limits}" if report.looser_limits else ""),
        **_sure(report.sources),
        **_measured(report.sources),
        "written": ", ".join(map(shown, report.outputs)) or "nothing; give --output to keep the depth",
    }
    for name, fact in facts.items():
        console.print(f"{name:<9}{fact}", markup=False, highlight=False, soft_wrap=True)
    console.print(_latency_table(report.latency_ms))


def _cameras(sources: Sequence[SourceReport]) -> list[str]:
    """The focal lengths of each source."""
    return [_name(source, sources) + describe_focal(source.focal) for source in sources]


def _sure(sources: Sequence[SourceReport]) -> dict[str, str]:
    """How sure the model was of each source, where it says so."""
    lines = [_name(source, sources) + _confidence(source.confidence) for source in sources if source.confidence]
    return {"sure": "\n         ".join(lines)} if lines else {}


def _confidence(found: Confidence) -> str:
    left_out = f"; {found.left_out:.0%} of the pixels were left out" if found.left_out else ""
    return f"depth is within 10% of the truth with a probability of {found.mean:.2f} on average{left_out}"


def _measured(sources: Sequence[SourceReport]) -> dict[str, str]:
    """How far depth is from each source's own sensor, where it has one."""
    lines = [_name(source, sources) + _comparison(source.measured) for source in sources if source.measured]
    return {"sensor": "\n         ".join(lines)} if lines else {}


def _comparison(found: Comparison) -> str:
    return (
        f"AbsRel {found.rel:.3f}, δ1 {found.delta1:.3f}, ours is {found.median_ratio:.3f} times its depth (median), "
        f"over {found.share:.0%} of the pixels of {found.frames} frames; it has errors of its own"
    )


def _name(source: SourceReport, sources: Sequence[SourceReport]) -> str:
    """What begins a source's line: its name, where there are several."""
    return f"{shown(source.name)}: " if len(sources) > 1 else ""


def _latency_table(latency: dict[str, Latency]) -> Table:
    table = Table("ms a frame", box=None, pad_edge=False, header_style="bold")
    for heading in ("p50", "p90", "p99", "max", "n"):
        table.add_column(heading, justify="right")
    for stage, of in latency.items():
        times = (f"{value:.2f}" for value in (of.p50, of.p90, of.p99, of.max))
        table.add_row(stage, *times, str(of.n))
    return table
