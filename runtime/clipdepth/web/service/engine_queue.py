"""One thread that runs the engine for requests that come at the same time."""

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Thread
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.answer import Answer
from clipdepth.engines import Engine
from clipdepth.errors import EngineError


@dataclass(frozen=True)
class Inferred:
    """A picture's answer, (h, w), and how it came about."""

    answer: Answer
    waited: float
    """Until the engine was free, seconds."""
    seconds: float
    """That the engine took for all pictures of the batch."""
    batch: int


@dataclass(frozen=True, eq=False)
class _Waiting:
    picture: NDArray[np.uint8]
    future: "Future[Inferred]" = field(default_factory=Future)
    since: float = field(default_factory=perf_counter)


class EngineQueue:
    """Gives an engine the pictures that wait when it gets free, those of one size together, at most `max_batch`.

    No picture waits for others to come. For any number of threads; closed at the end, and the engine is not.
    """

    def __init__(self, engine: Engine, max_batch: int) -> None:
        self.works = True
        """Whether the engine answered last time."""
        self._engine, self._max_batch = engine, max_batch
        self._waiting: deque[_Waiting] = deque()
        self._changed = Condition()
        self._closed = False
        self._thread = Thread(target=self._run, name="clipdepth-serve-engine", daemon=True)
        self._thread.start()

    def submit(self, picture: NDArray[np.uint8]) -> "Future[Inferred]":
        """Queue a picture of one of the graphs' sizes, (h, w, 3) uint8 BGR. The future raises as `Engine.infer`."""
        waiting = _Waiting(picture)
        with self._changed:
            if self._closed:
                raise EngineError("the service ends")
            self._waiting.append(waiting)
            self._changed.notify()
        return waiting.future

    def close(self) -> None:
        """Answer what waits and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            # A request that was given up in the meantime needs no answer.
            batch = [one for one in taken if one.future.set_running_or_notify_cancel()]
            if batch:
                self._infer(batch)

    def _infer(self, batch: list[_Waiting]) -> None:
        start = perf_counter()
        try:
            answer = self._engine.infer(np.stack([one.picture for one in batch]))
        except Exception as error:
            self.works = False
            for one in batch:
                one.future.set_exception(error)
            return
        self.works = True
        seconds = perf_counter() - start
        for one, of_one in zip(batch, answer.frames(), strict=True):
            one.future.set_result(Inferred(of_one, start - one.since, seconds, len(batch)))

    def _take(self) -> list[_Waiting] | None:
        """The one that has waited longest, and others of its size; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._closed)
            if not self._waiting:
                return None
            shape = self._waiting[0].picture.shape
            alike = [one for one in self._waiting if one.picture.shape == shape][: self._max_batch]
            for one in alike:
                self._waiting.remove(one)
            return alike
