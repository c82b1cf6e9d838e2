"""What a run over an archive found, for people and for programs."""

from dataclasses import dataclass, field

from rich.console import Console

from clipdepth.camera.camera import UNKNOWN_REMEDY
from clipdepth.camera.pinhole import Origin
from clipdepth.cluster.archive.results import Failed
from clipdepth.cluster.archive.settings import Settings
from clipdepth.files.foreign import shown
from clipdepth.pipeline.focal import TEXTS


@dataclass
class WorkerReport:
    """What one actor did."""

    frames: int = 0
    inference_seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Frames a second of inference."""
        return self.frames / self.inference_seconds if self.inference_seconds else 0.0


@dataclass
class ArchiveReport:
    """What was done; `OUT/report.json` has these fields."""

    out: str
    bundle: str
    """What means it on every machine: a model's name, 'hf:OWNER/NAME@COMMIT' or a path."""
    settings: Settings
    ray: str
    sources: int
    """Videos and images that were found."""
    done_before: int = 0
    """Of them, how many an earlier run had finished."""
    made: int = 0
    """Of them, how many this run finished."""
    failed: list[Failed] = field(default_factory=list)
    frames: int = 0
    """Whose depth this run made."""
    origins: dict[Origin, int] = field(default_factory=dict)
    """Of them, how many have a focal length that was told, read from their file, or assumed."""
    seconds: float = 0.0
    seconds_to_first: float = 0.0
    """Of them, until the first chunk had depth: the workers start."""
    interrupted: bool = False
    stage_seconds: dict[str, float] = field(
        default_factory=lambda: {"decoding": 0.0, "inference": 0.0, "encoding": 0.0, "joining": 0.0}
    )
    """Of all processes together."""
    workers: dict[str, WorkerReport] = field(default_factory=dict)
    """By the actor's id; one that was replaced and the one in its place are two."""
    store_limit_bytes: int = 0
    store_peak_bytes: int = 0
    """The most of Ray's object store that was in use."""

    @property
    def outside_inference(self) -> float:
        """The share of all stages' time that is not inference."""
        total = sum(self.stage_seconds.values())
        return 1 - self.stage_seconds["inference"] / total if total else 0.0


def print_report(report: ArchiveReport, console: Console) -> None:
    """Print what was done, and each source that failed with its reason."""
    rate = report.frames / report.seconds if report.seconds else 0.0
    rates = ", ".join(f"{worker.rate:.1f}" for worker in report.workers.values())
    facts = {
        "sources": f"{report.sources}: {report.made} made, {report.done_before} done before, "
        f"{len(report.failed)} failed",
        "frames": f"{report.frames} in {report.seconds:.1f} s, {rate:.1f} a second"
        + (" (interrupted; the same command continues)" if report.interrupted else ""),
        "engine": f"{report.settings.engine}, {report.settings.precision}",
    }
    if report.frames:
        facts["camera"] = ", ".join(f"{TEXTS[origin]} for {frames} frames" for origin, frames in report.origins.items())
        facts["camera"] += f"; {UNKNOWN_REMEDY}" if "assumed" in report.origins else ""
        facts["workers"] = f"{len(report.workers)}, at {rates} frames a second of inference"
        facts["time"] = f"{report.outside_inference:.0%} outside inference ({_stages(report)})"
        peak, limit = report.store_peak_bytes / 1e6, report.store_limit_bytes / 1e6
        facts["store"] = f"{peak:.0f} MB of Ray's object store at most, of {limit:.0f}"
    facts["written"] = report.out
    for name, fact in facts.items():
        console.print(shown(f"{name:<9}{fact}"), markup=False, highlight=False, soft_wrap=True)
    for failed in report.failed:
        console.print(shown(f"failed   {failed.reason}"), markup=False, highlight=False, soft_wrap=True)


def _stages(report: ArchiveReport) -> str:
    total = sum(report.stage_seconds.values())
    return ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in report.stage_seconds.items())
