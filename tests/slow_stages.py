"""An engine and a sink for tests of the pipeline that are as slow, or fail, as they are told to; and its threads."""

import threading
import time

import numpy as np

from bundles import brightness_depth
from clipdepth.bundle.answer import Answer
from clipdepth.bundle.manifest import InputSize
from clipdepth.errors import OutputError
from clipdepth.frame import DepthFrame

SIZE = InputSize(48, 64)


def threads() -> list[str]:
    """The names of the runtime's threads that live now."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("clipdepth-")]


class SlowEngine:
    """The brightness graph by numpy, slower; counts what it is given, and fails at a frame if told to."""

    name = "slow"
    device = "CPU"

    def __init__(self, seconds: float = 0, fails_at: int | None = None) -> None:
        self.calls = 0
        self.batches: list[int] = []
        self._seconds = seconds
        self._fails_at = fails_at

    def infer(self, frames: np.ndarray, segmentation: np.ndarray | None = None) -> Answer:
        if self.calls == self._fails_at:
            raise RuntimeError("the device is gone")
        self.calls += 1
        self.batches.append(len(frames))
        time.sleep(self._seconds)
        return Answer(brightness_depth(frames))

    def close(self) -> None:
        pass


class Kept:
    """A sink that keeps what it gets, when, and may be slow or fail."""

    def __init__(self, seconds: float = 0, fails_at: int | None = None) -> None:
        self.name = "kept"
        self.got: list[tuple[DepthFrame, int]] = []
        self.closed = False
        self._seconds = seconds
        self._fails_at = fails_at

    @property
    def indices(self) -> list[int]:
        return [frame.index for frame, _ in self.got]

    def write(self, frame: DepthFrame) -> None:
        if len(self.got) == self._fails_at:
            raise OutputError("the disk is full")
        self.got.append((frame, time.monotonic_ns()))
        time.sleep(self._seconds)

    def __enter__(self) -> "Kept":
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True
