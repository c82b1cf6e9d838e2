"""A whole run: the results of its stages, the joins, and the tally of what came of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol

from clipdepth.cluster.archive.job import Job
from clipdepth.cluster.archive.join import join
from clipdepth.cluster.archive.report import ArchiveReport, WorkerReport
from clipdepth.cluster.archive.results import Complete, Failed, Joinable, Joined, Part
from clipdepth.cluster.archive.sources import Item


class Watcher(Protocol):
    """What is told how far the run is."""

    def update(self, *, frames: int, done: float, failed: int) -> None:
        """So many frames have depth, so many bytes of the sources are done, so many sources failed."""


@dataclass
class Tally:
    """Puts together what came of the sources, and joins each video when its last part is there."""

    job: Job
    report: ArchiveReport
    watcher: Watcher
    done_bytes: float = 0.0
    _missing: dict[Item, int] = field(default_factory=dict)
    _failed: set[str] = field(default_factory=set)
    _joining: list[Any] = field(default_factory=list)
    _start: float = 0.0

    def run(self, results: Iterable[Any]) -> None:
        """Take results as they come; a Ctrl-C leaves the parts that are there, and the tally up to then."""
        self._start = perf_counter()
        try:
            for result in results:
                self._add(result)
                self._collect(block=False)
            self._collect(block=True)
            # Parts of a video that could not be read to its end wait for the next run.
            if not self._missing:
                self.job.work.remove()
        finally:
            self.report.seconds = perf_counter() - self._start

    def _add(self, result: Part | Failed | Complete | Joinable | Joined) -> None:
        match result:
            case Part():
                self._add_part(result)
            case Failed():
                self._fail(result)
                self.done_bytes += result.size
            case Complete():
                self.report.done_before += 1
                self.done_bytes += result.item.size
                self._tell_lost(result.item, result.lost)
            case Joinable():
                self.done_bytes += result.item.size
                self._join(result.item)
            case Joined():
                self.report.made += 1
                self.report.stage_seconds["joining"] += result.seconds
                self._tell_lost(result.item, result.lost)
        self.watcher.update(frames=self.report.frames, done=self.done_bytes, failed=len(self.report.failed))

    def _add_part(self, part: Part) -> None:
        report = self.report
        report.seconds_to_first = report.seconds_to_first or perf_counter() - self._start
        report.frames += part.frames
        for origin, frames in part.origins.items():
            report.origins[origin] = report.origins.get(origin, 0) + frames
        for stage, seconds in vars(part.seconds).items():
            report.stage_seconds[stage] += seconds
        worker = report.workers.setdefault(part.worker, WorkerReport())
        worker.frames += part.frames
        worker.inference_seconds += part.seconds.inference
        self.done_bytes += part.size
        for failed in part.failed:
            self._fail(failed)
        if part.video is None:
            report.made += part.frames
            return
        left = self._missing.get(part.video, part.pending) - 1
        self._missing[part.video] = left
        if not left:
            del self._missing[part.video]
            self._join(part.video)

    def _fail(self, failed: Failed) -> None:
        # Several spans of a video may fail, each for itself.
        if failed.source not in self._failed:
            self._failed.add(failed.source)
            self.report.failed.append(failed)

    def _tell_lost(self, item: Item, lost: int) -> None:
        if lost:
            reason = f"{item.source}: {lost} frames could not be decoded, all others have depth; copy it again"
            self._fail(Failed(item.source, reason))

    def _join(self, item: Item) -> None:
        import ray

        # No CPU is asked for, since joining copies bytes, and what it frees should not wait for new work.
        self._joining.append(ray.remote(join).options(num_cpus=0).remote(item, self.job))

    def _collect(self, *, block: bool) -> None:
        while self._joining:
            import ray

            ended, self._joining = ray.wait(self._joining, timeout=None if block else 0)
            if not ended:
                return
            for result in ray.get(ended):
                self._add(result)
