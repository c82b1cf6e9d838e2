"""A whole contest: load, time in turn, measure accuracy, report."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from rich.console import Console
from rich.progress import Progress

from clipdepth.bundle.folder import Bundle
from clipdepth.cli.progress import LongProgress
from clipdepth.engines.precisions import Precisions
from clipdepth_bench.contender import first_line
from clipdepth_bench.measure.accuracy import Accuracy
from clipdepth_bench.measure.environment import Environment, environment
from clipdepth_bench.measure.samples import Samples
from clipdepth_bench.measure.timing import Limits, Timing
from clipdepth_bench.pareto.contest import Examination, Field, Name, load_field, name_of
from clipdepth_bench.pareto.report import SCHEMA, Measured, ParetoReport, Point
from clipdepth_bench.report.record import Method, Size, make_rows


@dataclass(frozen=True)
class Contest:
    """Who takes part, and on what."""

    bundles: Sequence[Bundle]
    engines: Sequence[str]
    """Names of the table; all where empty."""
    threads: int
    data: str
    examination: Examination
    device: int | None = None
    """The GPU's number, for engines on GPUs."""


def run_contest(contest: Contest, limits: Limits, console: Console) -> ParetoReport:
    """Time and measure; progress goes to `console`. Ctrl-C during either ends them, not the report."""
    machine = environment(contest.threads)
    with LongProgress(*Progress.get_default_columns(), console=console, transient=True) as progress:
        task = progress.add_task("loading", total=None)

        def loading(key: str) -> None:
            progress.update(task, description=f"loading {key}")

        with load_field(contest.bundles, contest.engines, contest.threads, loading, contest.device) as field:
            progress.update(task, description="timing", total=limits.seconds)
            timing, samples = field.time(limits, lambda seconds: progress.update(task, completed=seconds))
            report = _report(contest, field, timing, samples, limits, machine)
            return report if report.interrupted else _examined(report, contest.examination, field, progress)


def _report(
    contest: Contest, field: Field, timing: Timing, samples: dict[Name, Samples], limits: Limits, machine: Environment
) -> ParetoReport:
    points = _points(contest, field, timing, samples, limits)
    return ParetoReport(
        schema=SCHEMA,
        data=contest.data,
        frames=len(contest.examination.which),
        crop=contest.examination.crop,
        bundles={bundle.name: _measured(contest, bundle) for bundle in contest.bundles},
        environment=machine,
        method=Method(timing.rounds, limits.seconds, limits.within, points[0].key),
        interrupted=timing.stopped == "interrupted",
        notes=[],
        points=points,
    )


def _points(
    contest: Contest, field: Field, timing: Timing, samples: dict[Name, Samples], limits: Limits
) -> list[Point]:
    """The reference's, then each bundle's, without accuracy yet."""
    first, reference = contest.bundles[0], field.reference
    referred = {reference.key: samples[name]} if (name := name_of(first, reference)) in samples else {}
    points = []
    for bundle in contest.bundles:
        contenders = [contender for owner, contender in field.engines if owner is bundle]
        own = {key: found for (owner, key), found in samples.items() if owner == bundle.name}
        entrants = [reference, *contenders] if bundle is first else contenders
        rows = make_rows(entrants, {**own, **referred}, reference.key, timing.stopped, limits)
        points += [Point(bundle.name, row, None) for row in rows]
    return points


def _measured(contest: Contest, bundle: Bundle) -> Measured:
    manifest = bundle.manifest
    return Measured(
        input=Size(manifest.input.height, manifest.input.width),
        picture=contest.examination.sees[bundle.name].picture,
        parameters=manifest.model.parameters,
        graphs={graph.label: manifest.files[graph.file].sha256 for graph in manifest.graphs},
    )


def _examined(report: ParetoReport, examination: Examination, field: Field, progress: Progress) -> ParetoReport:
    """The report with the accuracy of all that were timed; what fails is a note."""
    marks: dict[Name, Accuracy] = {}
    ran: dict[Name, Precisions] = {}
    notes: list[str] = []
    interrupted = False
    try:
        for bundle, contender in field.engines:
            if contender.stopwatch:
                name, what = name_of(bundle, contender), "accuracy"
                try:
                    marks[name] = examination.mark(bundle, contender, progress)
                    what = "precisions"
                    if contender.executed:
                        ran[name] = contender.executed()
                except Exception as error:  # a library's own; it takes nothing from the other rows
                    notes.append(f"no {what} of {bundle.name} {contender.key}: {first_line(error)}")
    except KeyboardInterrupt:
        interrupted = True
    points = []
    for point in report.points:
        name = (point.bundle, point.row.key)
        points.append(replace(point, row=replace(point.row, executed=ran.get(name)), accuracy=marks.get(name)))
    return replace(report, points=points, notes=notes, interrupted=interrupted)
