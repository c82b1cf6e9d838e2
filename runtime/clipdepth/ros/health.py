"""How the node is doing, for ROS's diagnostics."""

from dataclasses import dataclass
from threading import Lock
from time import monotonic_ns
from typing import Literal

from clipdepth.bundle.confidence import NOVEL
from clipdepth.frame import DepthFrame
from clipdepth.pipeline.latency import LatencyRing

Level = Literal["OK", "WARN", "ERROR"]
"""The names of DiagnosticStatus's constants."""


@dataclass(frozen=True)
class Report:
    """The node's state in the time since the last report."""

    level: Level
    message: str
    values: dict[str, str]


class Health:
    """Counts pictures and depths; for several threads. `topic` is where pictures come from."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._lock = Lock()
        self._received = self._published = self._dropped = self._refused = 0
        self._told_received = self._told_published = 0
        self._told_ns = monotonic_ns()
        self._problem: str | None = None
        self._frame: DepthFrame | None = None
        self._latency = LatencyRing()

    def received(self, dropped: int) -> None:
        """Count a picture that came, and how many gave way to it."""
        with self._lock:
            self._received += 1
            self._dropped += dropped

    def published(self, frame: DepthFrame) -> None:
        """Count a picture whose depth has just been published."""
        self._latency.add((monotonic_ns() - frame.captured_ns) / 1e9)
        with self._lock:
            self._published += 1
            self._frame = frame

    def refused(self, problem: str) -> None:
        """Count a picture of which no depth can be made."""
        with self._lock:
            self._refused += 1
            self._problem = problem

    def report(self) -> Report:
        """The state since the last report, with counts since the start and latencies of the newest depths."""
        with self._lock:
            now = monotonic_ns()
            rate = (self._published - self._told_published) / ((now - self._told_ns) / 1e9)
            level, message = self._state(rate)
            values = {
                "pictures received": str(self._received),
                "depths published": str(self._published),
                "pictures dropped for newer ones": str(self._dropped),
                "pictures refused": str(self._refused),
                "depths per second": f"{rate:.1f}",
            }
            frame = self._frame
            self._told_received, self._told_published, self._told_ns = self._received, self._published, now
            self._problem = None
        if latency := self._latency.summary():
            values |= {"latency p50 (ms)": f"{latency.p50:.1f}", "latency p99 (ms)": f"{latency.p99:.1f}"}
        if frame is not None:
            values["focal length (px)"] = f"{frame.intrinsics.focal:.1f}"
            values |= {} if frame.novelty is None else {"novelty": f"{frame.novelty:.2f}"}
        return Report(level, message, values)

    def _state(self, rate: float) -> tuple[Level, str]:
        if self._problem is not None:
            return "ERROR", self._problem
        if self._received == self._told_received:
            return "WARN", f"no picture comes on {self._topic}"
        novelty = self._frame.novelty if self._frame else None
        if novelty is not None and novelty > NOVEL:
            return "WARN", "the picture is unlike what the model learned from; do not rely on its depth"
        return "OK", f"{rate:.1f} depths per second"
