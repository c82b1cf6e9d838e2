"""A whole benchmark: load, time in turn, stream, weigh, report."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from rich.console import Console
from rich.progress import Progress

from clipdepth.bundle.folder import Bundle
from clipdepth.cli.progress import LongProgress
from clipdepth_bench.bench.memory import measure_memory
from clipdepth_bench.bench.streaming import measure_streaming
from clipdepth_bench.contender import Contender, Setup, first_line, load_all
from clipdepth_bench.measure.energy import Meter, find_meters
from clipdepth_bench.measure.environment import Environment, environment
from clipdepth_bench.measure.timing import Limits, Timing, interleave
from clipdepth_bench.registry import list_entries
from clipdepth_bench.report.record import SCHEMA, Method, Network, Report, Row, Size, make_rows

Step = Callable[[Contender, Row], Row]
"""Adds to a row what it measures of its contender."""

_STREAM_SHARE, _STREAM_SECONDS, _STREAM_FRAMES = 0.05, 3.0, 5
"""A contender streams, twice, for that share of the time limit, that long at most, or for so many of its frames."""


@dataclass(frozen=True)
class Parts:
    """What is measured besides the engines' time."""

    streaming: bool = True
    memory: bool = True
    roofline: bool = False


def run_bench(setup: Setup, limits: Limits, parts: Parts, console: Console) -> Report:
    """Measure all contenders; progress goes to `console`. Ctrl-C during the measurements ends them, not the report."""
    # Before the timing, so that the load is that of others.
    machine = environment(setup.threads)
    with LongProgress(*Progress.get_default_columns(), console=console, transient=True) as progress:
        contenders = _load(setup, progress)
        try:
            timing = _time(setup, contenders, limits, progress)
            report = _report(setup.bundle, contenders, timing, limits, machine)
            if report.interrupted:
                return report
            return _add_parts(report, contenders, setup, limits, parts, progress)
        finally:
            for contender in contenders:
                contender.close()


def _load(setup: Setup, progress: Progress) -> list[Contender]:
    task = progress.add_task("loading", total=None)
    told = dataclasses.replace(setup, tell=lambda text: progress.update(task, description=f"loading {text}"))
    entries = list_entries(told)
    progress.update(task, total=len(entries))

    def loading(key: str) -> None:
        progress.update(task, description=f"loading {key}", advance=1)

    return load_all(entries, loading)


def _time(setup: Setup, contenders: Sequence[Contender], limits: Limits, progress: Progress) -> Timing:
    task = progress.add_task("timing", total=limits.seconds)
    measures = [watch for contender in contenders if (watch := contender.stopwatch)]
    frames = setup.bundle.golden().frames
    return interleave(measures, frames, limits, lambda seconds: progress.update(task, completed=seconds))


def _report(
    bundle: Bundle, contenders: Sequence[Contender], timing: Timing, limits: Limits, machine: Environment
) -> Report:
    manifest = bundle.manifest
    timed = [contender.key for contender in contenders if contender.stopwatch]
    samples = dict(zip(timed, timing.samples, strict=True))
    reference = contenders[0].key
    return Report(
        schema=SCHEMA,
        bundle=bundle.name,
        input=Size(manifest.input.height, manifest.input.width),
        graphs={graph.label: manifest.files[graph.file].sha256 for graph in manifest.graphs},
        environment=machine,
        method=Method(timing.rounds, limits.seconds, limits.within, reference),
        interrupted=timing.stopped == "interrupted",
        notes=[],
        rows=make_rows(contenders, samples, reference, timing.stopped, limits),
        network=Network(manifest.model.parameters, manifest.model.flops),
    )


def _add_parts(
    report: Report, contenders: Sequence[Contender], setup: Setup, limits: Limits, parts: Parts, progress: Progress
) -> Report:
    steps: dict[str, Step] = {"precisions": _read_precisions}
    if parts.streaming:
        meters, problems = find_meters()
        if not meters:
            report = replace(report, notes=[*report.notes, f"no energy: {'; '.join(problems)}"])
        steps["streaming"] = _streaming_step(setup, limits, meters)
    if parts.memory:
        steps["memory"] = _memory_step(setup)
    report = _take_steps(report, contenders, steps, progress)
    return _add_roofline(report, setup, progress) if parts.roofline and not report.interrupted else report


def _take_steps(
    report: Report, contenders: Sequence[Contender], steps: Mapping[str, Step], progress: Progress
) -> Report:
    """The report with what each step adds to each row that was timed; what fails is a note."""
    rows, notes = {row.key: row for row in report.rows}, list(report.notes)
    timed = [contender for contender in contenders if rows[contender.key].latency_ms]
    interrupted = False
    try:
        for name, step in steps.items():
            for contender in progress.track(timed, description=name):
                try:
                    rows[contender.key] = step(contender, rows[contender.key])
                except Exception as error:  # a library's own; it takes nothing from the other rows
                    notes.append(f"no {name} of {contender.key}: {first_line(error)}")
    except KeyboardInterrupt:
        interrupted = True
    return replace(report, interrupted=interrupted, notes=notes, rows=list(rows.values()))


def _add_roofline(report: Report, setup: Setup, progress: Progress) -> Report:
    from clipdepth_bench.roofline.measure import Timed, measure_roofline

    timed = [Timed(row.name, row.precision, row.latency_ms.p50) for row in report.rows if row.latency_ms]
    task = progress.add_task("roofline", total=None)
    try:
        roofline = measure_roofline(
            setup.bundle, setup.threads, timed, lambda step: progress.update(task, description=step)
        )
    except KeyboardInterrupt:
        return replace(report, interrupted=True)
    return replace(report, roofline=roofline)


def _read_precisions(contender: Contender, row: Row) -> Row:
    """After the timing, since ONNX Runtime holds the graph twice for as long as it takes."""
    return replace(row, executed=contender.executed()) if contender.executed else row


def _streaming_step(setup: Setup, limits: Limits, meters: Sequence[Meter]) -> Step:
    frames = setup.bundle.golden().frames

    def stream(contender: Contender, row: Row) -> Row:
        assert row.latency_ms
        seconds = stream_seconds(limits, row.latency_ms.p50)
        return replace(row, streaming=measure_streaming(contender.engine, frames, seconds, meters))

    return stream


def _memory_step(setup: Setup) -> Step:
    return lambda contender, row: replace(row, memory=measure_memory(setup, contender.key))


def stream_seconds(limits: Limits, p50_ms: float) -> float:
    """How long a contender whose frame takes `p50_ms` streams."""
    return max(min(_STREAM_SHARE * limits.seconds, _STREAM_SECONDS), _STREAM_FRAMES * p50_ms / 1000)
