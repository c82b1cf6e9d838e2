"""Measuring all points, round by round, so that a drifting machine drifts for all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace
from rich.console import Console
from rich.progress import Progress

from clipdepth.cli.progress import LongProgress
from clipdepth.errors import ClipdepthError
from clipdepth_bench.contender import first_line
from clipdepth_bench.scaling.child import Task, measure
from clipdepth_bench.scaling.graphs import Graphs
from clipdepth_bench.scaling.record import Point, Sample, Scaling, ScalingError, read_scaling, write_scaling


@dataclass(frozen=True)
class Run:
    """What stays the same for all points, and where results go."""

    start: Scaling
    """With nothing measured yet."""
    points: Sequence[Point]
    rounds: int
    graphs: Graphs
    out: Path


def run_scaling(run: Run, console: Console, measure: Callable[[Task], Sample] = measure) -> Scaling:
    """Measure what `run.out` does not hold yet; it holds every sample at once, so that Ctrl-C loses none.

    Raises ScalingError where it holds the results of another bundle, engine or machine. A point that cannot be measured
    has a problem instead, and is tried again by the next run.
    """
    scaling = _resume(run)
    try:
        with LongProgress(*Progress.get_default_columns(), console=console, transient=True) as progress:
            task = progress.add_task("", total=run.rounds * len(run.points))
            for number in range(run.rounds):
                for point in run.points:
                    progress.update(task, description=str(point))
                    if len(scaling.samples(point)) <= number:
                        scaling = scaling.plus(point, _try(run, point, measure))
                        write_scaling(run.out, scaling)
                    progress.advance(task)
    except KeyboardInterrupt:
        scaling = replace(scaling, interrupted=True)
    write_scaling(run.out, scaling)
    return scaling


def _resume(run: Run) -> Scaling:
    found = read_scaling(run.out)
    if found is None:
        return run.start
    for name in ("bundle_sha256", "engine", "device", "seconds", "camera_fps"):
        _require_same(name, getattr(found, name), getattr(run.start, name), run.out)
    for name in ("cpu", "gpus", "libraries"):
        old, new = (getattr(scaling.environment, name) for scaling in (found, run.start))
        # A GPU's clock is never the same.
        old, new = ([gpu.name for gpu in gpus] for gpus in (old, new)) if name == "gpus" else (old, new)
        _require_same(name, old, new, run.out)
    return replace(run.start, measured=found.measured)


def _require_same(name: str, old: object, new: object, out: Path) -> None:
    if old != new:
        raise ScalingError(f"{out} holds results of another {name} ({old}, now {new}); choose another --out")


def _try(run: Run, point: Point, measure: Callable[[Task], Sample]) -> Sample | str:
    start = run.start
    try:
        bundle = str(run.graphs.path(point))
        return measure(
            Task(
                bundle,
                start.engine,
                point.precision,
                point.threads,
                point.batch,
                point.cameras,
                start.camera_fps,
                start.seconds,
                start.device,
            )
        )
    except ClipdepthError as error:
        return first_line(error)
