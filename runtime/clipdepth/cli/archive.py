"""`clipdepth archive`: depth of whole archives of video, on one machine or a cluster."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from json import dumps
from time import monotonic
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from clipdepth.bundle.box import find_folder, portable
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.kind import require_metric
from clipdepth.bundle.stored_file import stored_file
from clipdepth.camera.corrections import Corrections
from clipdepth.cli.archive_options import ArchiveOptions, parse_options
from clipdepth.cli.interruption import exit_status, sigterm_interrupts
from clipdepth.cli.logs import in_json, log_event
from clipdepth.cli.min_confidence import MIN_CONFIDENCE
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.cli.progress import LongProgress, bytes_for_people
from clipdepth.cluster.archive.job import Job
from clipdepth.cluster.archive.left import complete, units
from clipdepth.cluster.archive.report import ArchiveReport, print_report
from clipdepth.cluster.archive.run import Tally
from clipdepth.cluster.archive.settings import Settings, read_settings, write_settings
from clipdepth.cluster.archive.sources import Item, find_items
from clipdepth.cluster.archive.uri import open_uri
from clipdepth.cluster.connection import LOCAL, Resources, StorePeak, connect
from clipdepth.cluster.sent_bundle import bundle_sha256, send
from clipdepth.cluster.sent_model import cause, settle

REPORT = "report.json"
LOG_S = 30.0
"""How often progress is logged in JSON, seconds."""


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, 1 where a source failed, or 130 after Ctrl-C and 143 after SIGTERM."""
    options = parse_options(argv)
    refuse_overwriting([find_folder(options.bundle), *options.source, options.calibration], [options.out])
    bundle = open_bundle(options.bundle)
    corrections = Corrections(bundle.manifest, options.camera)
    require_metric(corrections.kind, str(options.out), options.bundle)
    out = open_uri(options.out)
    settings = _settings(options, bundle)
    before = read_settings(out)
    if before:
        settings = settings.after(before, out)
    items = find_items(options.source, out)
    threads = options.resources.threads
    job = Job(out.uri, portable(bundle.path), settings, threads, bundle.manifest.inputs, corrections, options.device)
    console = Console(stderr=True, quiet=in_json())
    done = complete(items, job) if before else None
    if done is None:
        report, status = _make(items, job, bundle, options.resources, console)
    else:
        report, status = _run(items, job, options.resources, done, console)
    (out / REPORT).write((dumps(asdict(report), indent=2) + "\n").encode())
    log_event("ended", **asdict(report))
    print_report(report, Console(quiet=in_json()))
    return status


def _make(
    items: Sequence[Item], job: Job, bundle: Bundle, wanted: Resources, console: Console
) -> tuple[ArchiveReport, int]:
    """Start Ray or join it, choose and verify the engine there, and do what is left."""
    with console.status("starting Ray"):
        import ray

        from clipdepth.cluster.archive.pipeline import results
    try:
        with ExitStack() as stack:
            with console.status("starting Ray"):
                resources = stack.enter_context(connect(wanted))
            # Ray sets a handler of its own for SIGTERM when it starts.
            stack.enter_context(sigterm_interrupts())
            sent = send(bundle) if resources.address != LOCAL else None
            with console.status("verifying the bundle on a worker"):
                job = job.settled(settle(job.model(sent), resources))
            write_settings(job.folder, job.settings)
            found, _ = units(items, job)
            made = results(found, job, resources, sent) if found else ()
            with StorePeak() as peak:
                report, status = _run(items, job, resources, made, console)
            report.store_peak_bytes = peak.bytes
            return report, status
    except ray.exceptions.RayTaskError as error:
        raise cause(error) from None


def _settings(options: ArchiveOptions, bundle: Bundle) -> Settings:
    camera = {name: value for name, value in asdict(options.camera).items() if value is not None}
    if options.calibration:
        camera["calibration"] = stored_file(options.calibration).sha256
    return Settings(
        bundle=bundle_sha256(bundle),
        engine=options.engine,
        precision=options.precision or "",
        format=options.format,
        stride=options.stride,
        start=options.start,
        end=options.end,
        camera=camera,
        min_confidence=bundle.manifest.least_confidence(options.min_confidence, MIN_CONFIDENCE),
    )


def _run(
    items: Sequence[Item], job: Job, resources: Resources, results: Iterable[Any], console: Console
) -> tuple[ArchiveReport, int]:
    found, done = units(items, job)
    report = ArchiveReport(
        out=str(job.folder),
        bundle=job.bundle,
        settings=job.settings,
        ray=resources.address,
        sources=len(items),
        done_before=done,
        store_limit_bytes=resources.store,
    )
    status = 0
    with _progress(sum(item.size for unit in found for item in unit), console) as bar:
        try:
            Tally(job, report, bar).run(results)
        except KeyboardInterrupt as interruption:
            report.interrupted = True
            status = exit_status(interruption)
    return report, status or (1 if report.failed else 0)


class Bar:
    """The progress bar; in JSON, a line of log every so often."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._start = monotonic()
        self._logged = self._start

    def update(self, *, frames: int, done: float, failed: int) -> None:
        """See `Watcher`."""
        rate = frames / max(monotonic() - self._start, 1e-3)
        text = f"{frames} frames, {rate:.1f}/s" + (f", {failed} failed" if failed else "")
        self._progress.update(self._progress.task_ids[0], completed=done, description=text)
        if monotonic() - self._logged > LOG_S:
            self._logged = monotonic()
            log_event("progress", frames=frames, rate=rate, bytes=done, failed=failed)


@contextmanager
def _progress(total: int, console: Console) -> Iterator[Bar]:
    """A bar on stderr: frames, frames a second, failures, the share of the sources' bytes done and the time left."""
    columns = [TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()]
    with LongProgress(
        *columns, console=console, transient=True, disable=in_json(), amount=bytes_for_people
    ) as progress:
        progress.add_task("planning", total=total)
        yield Bar(progress)
