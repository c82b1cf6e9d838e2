"""One source's way through the pipeline: its stages, and the slots between them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from threading import Condition
from time import monotonic_ns, perf_counter_ns
from typing import Literal

from clipdepth.bundle.answer import Answer
from clipdepth.bundle.confidence import NOVEL
from clipdepth.bundle.manifest import InputSize
from clipdepth.camera.corrections import Corrections
from clipdepth.frame import DepthFrame
from clipdepth.pipeline.counts import Counts, StageTimes
from clipdepth.pipeline.optics import Optics, Prepared
from clipdepth.pipeline.sink_writer import SinkWriter
from clipdepth.pipeline.slot import Slot, Stopped
from clipdepth.pipeline.smoothing import Smoother
from clipdepth.sinks import Sink
from clipdepth.sources import Captured, Source

State = Literal["waiting", "running", "lost", "ended", "failed"]
"""Of a branch: 'waiting' for a source that was not there yet, and 'lost' for one that is sought again."""
SINK_SLOTS = 2
"""How many frames may wait for a sink."""


@dataclass(frozen=True)
class Feed:
    """A source and the sinks that keep its depth."""

    source: Source
    sinks: Sequence[Sink] = ()
    corrections: Corrections | None = None
    """For a camera that is not the training camera."""
    smoother: Smoother | None = None
    """Steadies this source's depth over time."""
    min_confidence: float = 0.0
    """Depth of less confidence is left out, see `DepthFrame.min_confidence`."""


@dataclass(frozen=True)
class Failure:
    """What ended a branch before its source's end, and when."""

    error: BaseException
    at: datetime
    """UTC."""


@dataclass(frozen=True)
class Ready:
    """A frame that is prepared for the engine, with the seconds that took."""

    prepared: Prepared
    seconds: float


@dataclass(frozen=True)
class Inferred:
    """A frame and the graph's answer, (h, w) at the model's size, with the seconds that the graph took for all frames
    that it was given together."""

    ready: Ready
    answer: Answer
    engine: float


class Branch:
    """Capture, resize, (the engine, which branches share,) deliver; each method of that name is a thread's work.

    A live source keeps only its newest frame before each stage and each sink; any other waits, frame by frame.
    """

    def __init__(
        self, feed: Feed, sizes: Sequence[InputSize], limit: int | None, times: StageTimes, changed: Condition
    ) -> None:
        live = feed.source.live
        self.source = feed.source
        self.counts = Counts()
        self.failure: Failure | None = None
        self.prepared: Slot[Ready] = Slot(newest_only=live, changed=changed)
        self.inferred: Slot[Inferred] = Slot(changed=changed)
        self._captured: Slot[Captured] = Slot(newest_only=live)
        self._queues: list[tuple[str, Slot[DepthFrame]]] = []
        self._optics = Optics(sizes, feed.corrections, feed.smoother, feed.min_confidence)
        self._limit = limit
        self._taken = 0
        self._times = times
        self.sinks = [SinkWriter(sink, self.queue(sink.name)) for sink in feed.sinks]

    def queue(self, name: str, capacity: int = SINK_SLOTS) -> Slot[DepthFrame]:
        """A new slot that gets the branch's depth; `name` stands in the counters."""
        slot: Slot[DepthFrame] = Slot(capacity, newest_only=self.source.live)
        self._queues.append((name, slot))
        return slot

    def capture(self) -> None:
        """Read the source."""
        # A live source's limit is on frames processed, see `take`: some of those it gives are dropped.
        for captured in islice(self.source, None if self.source.live else self._limit):
            if not self.counts.captured:
                self._keep_newest_only(self.source.live)
            self.counts.captured += 1
            self._drop("resize", self._captured.put(captured))
        self.end()

    def resize(self) -> None:
        """Undistort frames and fit them into one of the model's sizes."""
        for captured in self._captured:
            start = perf_counter_ns()
            prepared = self._optics.prepare(captured)
            self._drop("engine", self.prepared.put(Ready(prepared, (perf_counter_ns() - start) / 1e9)))
        self.prepared.end()

    def take(self) -> Ready | None:
        """The frame that is prepared, for the engine's thread, which calls it when `is_ready`; None after `stop`."""
        try:
            ready = self.prepared.take()
        except Stopped:
            return None
        self._taken += 1
        if self._taken == self._limit:
            self.stop_input()
        return ready

    def give(self, inferred: Inferred) -> None:
        """Pass on what the engine made of a frame; after `stop` it is thrown away."""
        with suppress(Stopped):
            self.inferred.put(inferred)

    @property
    def state(self) -> State:
        """How it goes; what was lost or failed in the end stays so."""
        if self.failure:
            return "failed"
        if self.source.is_lost:
            return "lost" if self.counts.captured else "waiting"
        return "ended" if self.is_over else "running"

    @property
    def is_over(self) -> bool:
        """Whether the engine gets nothing more of it."""
        return self.failure is not None or self.prepared.is_over

    @property
    def is_ready(self) -> bool:
        """Whether a frame waits for the engine, and its depth would not have to wait for this branch."""
        return self.prepared.has_item and self.inferred.has_room

    def deliver(self) -> None:
        """Bring depth to this camera's metres, and pass it to every sink."""
        for inferred in self.inferred:
            start = perf_counter_ns()
            frame = self._optics.depth_frame(inferred.ready.prepared, inferred.answer, self.source.name)
            seconds = inferred.ready.seconds + (perf_counter_ns() - start) / 1e9
            self._times.add(seconds, inferred.engine, (monotonic_ns() - frame.captured_ns) / 1e9)
            self.counts.processed += 1
            self.counts.focal.add(frame.intrinsics)
            self.counts.confidence.add(frame)
            self.counts.comparison.add(frame)
            if frame.novelty is not None:
                self.counts.novel = (self.counts.novel or 0) + (frame.novelty > NOVEL)
            for name, queue in self._queues:
                self._drop(name, queue.put(frame))
        for _, queue in self._queues:
            queue.end()

    def fail(self, error: BaseException) -> bool:
        """Note what went wrong, and return whether it is the first thing that did."""
        is_first = self.failure is None
        self.failure = self.failure or Failure(error, datetime.now(timezone.utc))
        return is_first

    def end(self) -> None:
        """Say that no frame comes any more; those that have been read go on to the sinks."""
        self._captured.end()

    def stop_input(self) -> None:
        """Read no more; what the engine has begun goes on to the sinks."""
        self.source.close()
        self._captured.stop()
        self.prepared.stop()

    def stop(self) -> None:
        """Throw away what waits; every thread ends after what it does now."""
        self.stop_input()
        self.inferred.stop()
        for _, queue in self._queues:
            queue.stop()

    def _keep_newest_only(self, live: bool) -> None:
        # A source that is opened late has only now said whether it is live.
        self._captured.newest_only = self.prepared.newest_only = live
        for _, queue in self._queues:
            queue.newest_only = live

    def _drop(self, stage: str, frames: int) -> None:
        if frames:
            self.counts.dropped[stage] = self.counts.dropped.get(stage, 0) + frames
