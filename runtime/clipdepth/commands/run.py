"""`clipdepth run`: stream frames through a bundle, keep the depth, say how long it took."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from clipdepth.arguments import ArgumentParser, depth_span, positive_int
from clipdepth.atomic import write_json
from clipdepth.bundle import Bundle, open_bundle
from clipdepth.commands.run_report import RunReport, print_report
from clipdepth.engines import ENGINES, Engine, load_engine, usable_cores
from clipdepth.manifest import InputSize
from clipdepth.sinks import Sink, open_sink
from clipdepth.sources import Source, open_source
from clipdepth.stream import StageTimes, stream


@dataclass(frozen=True)
class RunOptions:
    """The arguments of `clipdepth run`; its help says what each is."""

    bundle: Path
    source: str
    output: list[Path]
    frames: int | None
    engine: str
    precision: str
    threads: int | None
    range: tuple[float, float]
    json: Path | None


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, or 130 after Ctrl-C."""
    options = RunOptions(**vars(_parser().parse_args(argv)))
    report = _run(options, open_bundle(options.bundle))
    print_report(report, Console())
    if options.json:
        write_json(options.json, asdict(report))
    return 130 if report.interrupted else 0


def _run(options: RunOptions, bundle: Bundle) -> RunReport:
    threads = options.threads or usable_cores()
    times = StageTimes()
    with ExitStack() as stack:
        engine = load_engine(bundle, options.engine, options.precision, threads)
        stack.enter_context(closing(engine))
        source = stack.enter_context(open_source(options.source))
        sinks = [open_sink(path, source.fps, *options.range) for path in options.output]
        for sink in sinks:
            stack.enter_context(sink)
        start = perf_counter()
        interrupted = _stream_all(engine, bundle.manifest.input, source, sinks, options.frames, times)
        seconds = perf_counter() - start
    return RunReport(
        bundle=str(options.bundle),
        source=source.name,
        outputs=[str(sink.path) for sink in sinks],
        frames=len(times.total),
        seconds=seconds,
        interrupted=interrupted,
        engine=engine.name,
        device=engine.device,
        precision=options.precision,
        threads=threads,
        latency_ms=times.summary(),
        agreement=bundle.manifest.graphs[options.precision].verification,
    )


def _stream_all(
    engine: Engine, size: InputSize, source: Source, sinks: list[Sink], limit: int | None, times: StageTimes
) -> bool:
    """Send every frame through; return whether Ctrl-C ended it, so that the sinks are closed as usual."""
    lengths = [length for length in (source.frame_count, limit) if length is not None]
    try:
        with _progress(min(lengths, default=None)) as progress:
            task = progress.task_ids[0]
            for captured, depth in stream(engine, size, islice(source, limit), times):
                for sink in sinks:
                    sink.write(captured, depth)
                progress.advance(task)
    except KeyboardInterrupt:
        if not times.total:
            raise
        return True
    return False


class _RateColumn(ProgressColumn):
    """Frames a second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f} frames/s")


@contextmanager
def _progress(total: int | None) -> Iterator[Progress]:
    """A bar on stderr: frames, frames a second, and the time that remains where the length is known."""
    columns = [
        TextColumn("streaming"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
    ]
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task("streaming", total=total)
        yield progress


def _parser() -> argparse.ArgumentParser:
    parser = ArgumentParser("clipdepth run", "Stream frames through a bundle and keep the depth, in metres.")
    add = parser.add_argument
    add("bundle", type=Path, metavar="BUNDLE", help="the folder that 'clipdepth export' made")
    add(
        "--source",
        required=True,
        metavar="SPEC",
        help="a video, a folder of images, an image, or 'rooms[:SEED]': drawn rooms, without end",
    )
    add(
        "--output",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="x.mp4: frame and depth side by side; a folder: depth as 16-bit PNG files in millimetres "
        "(may be given more than once)",
    )
    add("--frames", type=positive_int, metavar="N", help="stop after N frames (to the end, or to Ctrl-C)")
    add("--engine", default="onnxruntime", metavar="NAME", help=f"one of {', '.join(ENGINES)} (default: %(default)s)")
    add("--precision", default="fp32", metavar="P", help="which of the bundle's graphs (default: %(default)s)")
    add("--threads", type=positive_int, metavar="N", help="threads of the engine (default: all usable cores)")
    add(
        "--range",
        type=depth_span,
        default=(0.3, 6.0),
        metavar="NEAR,FAR",
        help="the video's colours go from NEAR (red) to FAR (blue), metres (default: 0.3,6)",
    )
    add("--json", type=Path, metavar="FILE", help="write the report there too")
    return parser
