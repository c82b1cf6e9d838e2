"""The threads of a pipeline: started together, stopped together."""

import atexit
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from threading import Condition, Event, Lock, Thread
from time import monotonic, perf_counter_ns

import numpy as np

from clipdepth.bundle.manifest import InputSize
from clipdepth.engines import Engine
from clipdepth.pipeline.branch import Branch, Failure, Feed, Inferred, Ready
from clipdepth.pipeline.counts import StageTimes
from clipdepth.pipeline.thread import start_thread

_LOG = logging.getLogger(__name__)

BLOCKED_READ_S = 0.5
"""How long a live source that blocks in a read is waited for when everything else has ended."""
LAST_FRAME_S = 10.0
"""How long any other source is, which works on its last frame: a thread that is in OpenCV when the interpreter ends
aborts the process."""


def _shape(of: tuple[Branch, Ready]) -> tuple[int, ...]:
    return of[1].prepared.picture.shape


class Pipeline:
    """Runs feeds through one engine from `__enter__` until all have ended or failed, the engine fails, or `__exit__`.

    Each source has three threads, which capture, resize and deliver; each sink has one, which writes. The engine takes
    the branches in turn, and those that are ready together, at one size, as one batch where the graph allows it. Files
    and iterables lose no frame: a slow sink slows the reading. Live sources keep only their newest frame: a slow stage
    or sink misses some. `limit` ends each branch after so many depths.

    Each branch fails alone: the others go on. After a source's failure what it had given still reaches the sinks.
    Only a sink that cannot be opened keeps all from starting.

    Leaving stops all threads and closes sources and sinks, whose files hold what they got until then. It raises
    `error`, unless another one is under way. The engine stays open.
    """

    def __init__(
        self, engine: Engine, sizes: Sequence[InputSize], feeds: Sequence[Feed], limit: int | None = None
    ) -> None:
        self.times = StageTimes()
        self._changed = Condition()
        self.branches = [Branch(feed, sizes, limit, self.times, self._changed) for feed in feeds]
        self._engine = engine
        self._max_batch = sizes[0].max_batch
        self._engine_error: BaseException | None = None
        self._lock = Lock()
        self._captures: list[Thread] = []
        self._workers: list[Thread] = []
        self._running = 0
        self._done = Event()

    @property
    def processed(self) -> int:
        """Depths made so far, of all sources."""
        return sum(branch.counts.processed for branch in self.branches)

    @property
    def failures(self) -> list[Failure]:
        """What ended branches before their sources' ends."""
        return [branch.failure for branch in self.branches if branch.failure]

    @property
    def error(self) -> BaseException | None:
        """The engine's error, or that of the first branch that failed."""
        failures = sorted(self.failures, key=lambda failure: failure.at)
        return self._engine_error or (failures[0].error if failures else None)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most `timeout` seconds; return whether it came. Raises `error` then."""
        ended = self._done.wait(timeout)
        if self._engine_error or (ended and self.error):
            raise self.error or AssertionError
        return ended

    def stop(self) -> None:
        """Let every thread end after what it does now; may be called from any thread, and again."""
        for branch in self.branches:
            branch.stop()

    def __enter__(self) -> "Pipeline":
        # A generator that nobody leaves, as in a script that dies with a traceback, would keep its threads.
        atexit.register(self._close)
        try:
            self._start_all()
        except BaseException:
            self._close()
            raise
        return self

    def _start_all(self) -> None:
        writers = [(branch, writer) for branch in self.branches for writer in branch.sinks]
        self._running = len(writers) + 1 + 2 * len(self.branches)
        for branch, writer in writers:
            self._work(writer.write, partial(self._stop_branch, branch))
        for _, writer in writers:
            writer.tried.wait()
        if not all(writer.is_open for _, writer in writers):
            # A fault that was there before the start is for the user to mend. Closing waits until it is known.
            self._close()
            raise self.error or AssertionError
        self._work(self._infer, self._stop_all)
        for branch in self.branches:
            for stage in (branch.resize, branch.deliver):
                self._work(stage, partial(self._stop_branch, branch))
        for branch in self.branches:
            start_thread(self._captures, branch.capture, partial(self._end_branch, branch))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._close()
        if self.error and kind is None:
            raise self.error

    def _work(self, task: Callable[[], None], failed: Callable[[BaseException], None]) -> None:
        start_thread(self._workers, task, failed, self._worker_ended)

    def _worker_ended(self) -> None:
        with self._lock:
            self._running -= 1
            if not self._running:
                self._done.set()

    def _stop_all(self, error: BaseException) -> None:
        self._engine_error = error
        self.stop()

    def _stop_branch(self, branch: Branch, error: BaseException) -> None:
        self._note(branch, error)
        branch.stop()

    def _end_branch(self, branch: Branch, error: BaseException) -> None:
        self._note(branch, error)
        branch.end()

    def _note(self, branch: Branch, error: BaseException) -> None:
        """Keep a branch's error, and say it where nobody else will soon."""
        with self._lock:
            is_first = branch.fail(error)
            goes_on = bool(self._captures) and any(not other.is_over for other in self.branches)
        if goes_on:
            _LOG.error("%s; the other sources go on", error, extra={"source": branch.source.name})
        elif not is_first or self._engine_error:
            _LOG.error("%s", error, extra={"source": branch.source.name})

    def _infer(self) -> None:
        for branches in self._ready_branches():
            taken = [(branch, branch.take()) for branch in branches]
            ready = [(branch, frame) for branch, frame in taken if frame is not None]
            by_shape = groupby(sorted(ready, key=_shape), key=_shape)
            for batch in [list(group) for _, group in by_shape]:
                start = perf_counter_ns()
                pictures = [frame.prepared.picture for _, frame in batch]
                answer = self._engine.infer(pictures[0][None] if len(pictures) == 1 else np.stack(pictures))
                seconds = (perf_counter_ns() - start) / 1e9
                for (branch, frame), of_frame in zip(batch, answer.frames(), strict=True):
                    branch.give(Inferred(frame, of_frame, seconds))

    def _ready_branches(self) -> Iterator[list[Branch]]:
        """The branches that are ready, at most a batch, those that waited longest first; until all have ended."""
        order = deque(self.branches)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: any(branch.is_ready or branch.prepared.is_over for branch in order))
                for branch in [branch for branch in order if branch.prepared.is_over]:
                    branch.inferred.end()
                    order.remove(branch)
                ready = [branch for branch in order if branch.is_ready][: self._max_batch]
            if ready:
                for branch in ready:
                    order.remove(branch)
                order.extend(ready)
                yield ready
            elif not order:
                return

    def _close(self) -> None:
        atexit.unregister(self._close)
        self.stop()
        for thread in self._workers:
            with suppress(RuntimeError):  # one that Ctrl-C kept from starting
                thread.join()
        start = monotonic()
        for branch, thread in zip(self.branches, self._captures, strict=False):
            patience = BLOCKED_READ_S if branch.source.live else LAST_FRAME_S
            with suppress(RuntimeError):
                thread.join(max(0, start + patience - monotonic()))
            if thread.is_alive():
                _LOG.warning("%s is still in a read that blocks; it is let go when that ends", branch.source.name)
