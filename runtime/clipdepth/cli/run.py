"""`clipdepth run`: stream frames through a bundle, keep the depth, say how long it took."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from rich.console import Console

from clipdepth.bundle.box import find_folder
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.kind import MEANINGS, METRIC, REMEDY, DepthKind
from clipdepth.camera.corrections import Corrections
from clipdepth.cli.choice_report import print_choice
from clipdepth.cli.interruption import Ending, exit_status, interruptions_noted, sigterm_interrupts
from clipdepth.cli.json_report import console_beside, write_report
from clipdepth.cli.live_at import announce
from clipdepth.cli.logs import in_json, log_event
from clipdepth.cli.min_confidence import MIN_CONFIDENCE
from clipdepth.cli.models import licences_line
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.cli.run_options import RunOptions, parse_options
from clipdepth.cli.run_progress import RunProgress, run_progress
from clipdepth.cli.run_report import RunReport, SourceReport, print_report
from clipdepth.engines import ENGINES, usable_cores
from clipdepth.errors import ClipdepthError, SourceError
from clipdepth.files.foreign import shown
from clipdepth.files.hwaccel import find_decoder
from clipdepth.model import DepthModel, load
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.pipeline.smoothing import Smoother
from clipdepth.sinks import open_foxglove, open_rerun_viewer, open_sink
from clipdepth.sources import Source, SourceOptions
from clipdepth.sources.late import open_late
from clipdepth.web.viewer import Setup, open_viewer

if TYPE_CHECKING:
    from clipdepth.sinks.rerun_live import RerunViewer
    from clipdepth.sinks.ros.foxglove import Foxglove
    from clipdepth.sinks.window import Window
    from clipdepth.web.viewer.viewer import Viewer

PROGRESS_S = 0.1
"""How often the progress bar moves, and how soon Ctrl-C is seen, seconds."""


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, or 130 after Ctrl-C and 143 after SIGTERM. Raises what failed after its report."""
    options = parse_options(argv)
    outputs = [path for paths in _outputs(options) for path in paths]
    read = [find_folder(options.bundle), *options.source, options.calibration]
    refuse_overwriting(read, [*outputs, options.json])
    with sigterm_interrupts():
        report, failure, status = _run(options, open_bundle(options.bundle))
    log_event("ended", **asdict(report))
    print_report(report, console_beside(options.json, quiet=in_json()))
    if options.json:
        write_report(options.json, asdict(report))
    if failure:
        raise failure
    return status


def _run(options: RunOptions, bundle: Bundle) -> tuple[RunReport, BaseException | None, int]:
    """What was found, what failed, and the exit status where nothing did."""
    threads = options.threads or usable_cores()
    with ExitStack() as stack:
        # Files and outputs first: what is wrong with them is told before engines are tried. Cameras open after that:
        # what they gave in the meantime would wait in their drivers, and be taken for new.
        decoder = find_decoder(options.hwaccel) if options.hwaccel else None
        asked = SourceOptions(options.mode, options.reconnect, decoder, options.topic, options.measured)
        sources = [stack.enter_context(open_late(spec, asked)) for spec in options.source]
        kind = Corrections(bundle.manifest, options.camera).kind
        span = options.span(kind)
        feeds = _feeds(sources, bundle, options, span)
        window = _window(options, span)
        model = stack.enter_context(_load(bundle, options, threads))
        engine, precision = model.engine, model.precision
        ending = stack.enter_context(interruptions_noted())
        setup = Setup(engine.name, engine.device, precision, *span, kind, bundle.manifest.confidence)
        viewer = _viewer(options, setup)
        foxglove = _foxglove(options, kind, feeds)
        shown = [_shown(feed, viewer, window, foxglove, _rerun(options, kind, feed)) for feed in feeds]
        pipeline = Pipeline(engine, bundle.manifest.inputs, shown, options.frames)
        if window:
            window.on_close(pipeline.stop)
            stack.enter_context(window)
        if foxglove:
            stack.enter_context(foxglove)
            _stderr().print(f"Foxglove: {foxglove.url}", highlight=False, markup=False, soft_wrap=True)
        if viewer:
            stack.enter_context(viewer)
            viewer.watch(pipeline)
            announce(viewer, _stderr(), token_was_given=options.secret is not None)
        _print_terms(bundle, kind)
        start = perf_counter()
        log_event("streaming", sources=[source.name for source in sources], **asdict(setup))
        with run_progress(_stderr(), sources, options.frames) as progress:
            status = _stream_all(pipeline, progress, ending)
        seconds = perf_counter() - start
    report = RunReport(
        bundle=bundle.as_named(options.bundle),
        source=", ".join(source.name for source in sources),
        sources=[SourceReport.of(branch) for branch in pipeline.branches],
        outputs=_written(feeds, pipeline),
        frames=pipeline.processed,
        seconds=seconds,
        interrupted=status != 0,
        engine=engine.name,
        device=engine.device,
        precision=precision,
        threads=threads,
        latency_ms=pipeline.times.summary(),
        agreement=bundle.stated(precision, ENGINES[engine.name].placement).verification,
        looser_limits=bundle.manifest.looser_limits(precision),
        kind=kind,
        licences={of.part: of.licence for of in bundle.manifest.licences},
    )
    return report, _failure(pipeline), status


def _load(bundle: Bundle, options: RunOptions, threads: int) -> DepthModel:
    """Load the model, and say what was chosen or what its depth was held to."""
    console, device = _stderr(), options.device
    with console.status("loading"):
        model = load(bundle, engine=options.engine, precision=options.precision, threads=threads, device=device)
    if model.choice:
        print_choice(model.choice, console)
    elif looser := bundle.manifest.looser_limits(model.precision):
        console.print(
            f"{model.precision} agrees with PyTorch by {looser}", highlight=False, markup=False, soft_wrap=True
        )
    return model


def _print_terms(bundle: Bundle, kind: DepthKind) -> None:
    """Say once what the model may be used for, and where its depth is not in metres."""
    lines = [f"licences: {shown(licences_line(bundle.manifest.licences))}"]
    if kind != METRIC:
        lines.append(f"{shown(bundle.manifest.name)} answers {MEANINGS[kind]}; for metres {REMEDY}")
    for line in lines:
        _stderr().print(line, highlight=False, markup=False, soft_wrap=True)


def _viewer(options: RunOptions, setup: Setup) -> "Viewer | None":
    if not options.serve:
        return None
    token = options.token_for(options.serve)
    return open_viewer(options.serve, token, setup, metrics=options.metrics, allowed=options.allowed)


def _window(options: RunOptions, span: tuple[float, float]) -> "Window | None":
    if not options.show:
        return None
    from clipdepth.sinks.window import open_window

    return open_window(*span)


def _foxglove(options: RunOptions, kind: DepthKind, feeds: list[Feed]) -> "Foxglove | None":
    if not options.foxglove:
        return None
    at, has_camera = options.foxglove, all(_has_camera(feed) for feed in feeds)
    return open_foxglove(at.host, at.port, kind=kind, has_camera=has_camera, points=options.points, cameras=len(feeds))


def _rerun(options: RunOptions, kind: DepthKind, feed: Feed) -> "RerunViewer | None":
    return open_rerun_viewer(options.rerun, kind=kind, has_camera=_has_camera(feed)) if options.rerun else None


def _has_camera(feed: Feed) -> bool:
    return feed.corrections is not None and feed.corrections.has_camera


def _shown(feed: Feed, *screens: "Viewer | Window | Foxglove | RerunViewer | None") -> Feed:
    sinks = [screen.sink(feed.source.name) for screen in screens if screen]
    return replace(feed, sinks=[*feed.sinks, *sinks])


def _feeds(sources: list[Source], bundle: Bundle, options: RunOptions, span: tuple[float, float]) -> list[Feed]:
    """Each source with sinks of its own."""
    feeds, manifest = [], bundle.manifest
    least = manifest.least_confidence(options.min_confidence, MIN_CONFIDENCE)
    for source, paths in zip(sources, _outputs(options), strict=True):
        corrections = Corrections(manifest, options.camera)
        form = partial(
            open_sink,
            timed=source.timed,
            kind=corrections.kind,
            has_camera=corrections.has_camera,
            confident=manifest.confidence,
            points=options.points,
        )
        sinks = [form(path, *span) for path in paths]
        feeds.append(Feed(source, sinks, corrections, Smoother() if options.smooth else None, least))
    return feeds


def _written(feeds: list[Feed], pipeline: Pipeline) -> list[str]:
    """The names of the outputs that did not fail."""
    outputs = [sink for feed in feeds for sink in feed.sinks]
    writers = [writer for branch in pipeline.branches for writer in branch.sinks]
    return [writer.sink.name for writer in writers if writer.is_whole and writer.sink in outputs]


def _outputs(options: RunOptions) -> list[list[Path]]:
    """The outputs of each source; with several sources each path gets the source's number, from 1."""
    count = len(options.source)
    numbers = [f"-{number}" if count > 1 else "" for number in range(1, count + 1)]
    return [[_numbered(path, number) for path in options.output] for number in numbers]


def _numbered(path: Path, number: str) -> Path:
    return path.with_name(f"{path.stem}{number}{path.suffix}") if number else path


def _stderr() -> Console:
    return Console(stderr=True, quiet=in_json())


def _stream_all(pipeline: Pipeline, progress: RunProgress, ending: Ending) -> int:
    """Run the pipeline to its end; return the exit status, which is not 0 where Ctrl-C or SIGTERM was that.

    Failures of branches that gave depth are left to the report.
    """
    try:
        with pipeline:
            while not (ending.interruption or pipeline.wait(PROGRESS_S)):
                progress.show(pipeline.processed)
    except (ClipdepthError, OSError) as error:
        if not pipeline.processed or error not in [failure.error for failure in pipeline.failures]:
            raise
    if not ending.interruption:
        return 0
    if not pipeline.processed:
        raise ending.interruption
    return exit_status(ending.interruption)


def _failure(pipeline: Pipeline) -> BaseException | None:
    """What the command ends with where a source, or an output of it, failed."""
    count, error = len(pipeline.failures), pipeline.error
    if count < 2:
        return error
    return SourceError(f"{count} of {len(pipeline.branches)} sources or their outputs failed; the first: {error}")
