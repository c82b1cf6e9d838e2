"""Watching a build: TensorRT's progress monitor, and a way out of a build that takes too long."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event
from typing import Any, Protocol, TypeVar

from clipdepth.engines.tensorrt.library import import_tensorrt

Result = TypeVar("Result")


class BuildProgress(Protocol):
    """Is told what TensorRT does; phases lie inside phases."""

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        """A phase of `steps` steps begins, inside phase `parent`."""

    def advance(self, phase: str, done: int) -> None:
        """`done` steps of the phase are done."""

    def finish(self, phase: str) -> None:
        """The phase ends."""


class NoProgress:
    """Shows nothing."""

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        """See `BuildProgress.start`."""

    def advance(self, phase: str, done: int) -> None:
        """See `BuildProgress.advance`."""

    def finish(self, phase: str) -> None:
        """See `BuildProgress.finish`."""


News = Callable[[BuildProgress], None]


def watch(build: Callable[[Any], Result], progress: BuildProgress) -> Result:
    """Call `build` with an `IProgressMonitor`, tell `progress` about it in this thread, and return what it returns.

    Where this thread is interrupted, TensorRT is asked to stop, and the interruption goes on when it has.
    """
    news: SimpleQueue[News | None] = SimpleQueue()
    cancelled = Event()
    # In a thread of its own, because an exception inside TensorRT's call to a monitor, Ctrl-C's too, ends the process.
    with ThreadPoolExecutor(1, "tensorrt-build") as pool:
        result = pool.submit(build, _monitor(news, cancelled))
        result.add_done_callback(lambda _: news.put(None))
        try:
            while (tell := news.get()) is not None:
                tell(progress)
        except BaseException:
            cancelled.set()
            raise
    return result.result()


def _monitor(news: "SimpleQueue[News | None]", cancelled: Event) -> Any:
    trt = import_tensorrt()

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            news.put(lambda progress: progress.start(phase_name, parent_phase, num_steps))

        def step_complete(self, phase_name: str, step: int) -> bool:
            news.put(lambda progress: progress.advance(phase_name, step + 1))
            return not cancelled.is_set()

        def phase_finish(self, phase_name: str) -> None:
            news.put(lambda progress: progress.finish(phase_name))

    return Monitor()
