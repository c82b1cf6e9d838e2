"""Contenders whose times are known, and reports made of them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from clipdepth.bundle.agreement import Agreement, Tolerance
from clipdepth.bundle.answer import Answer
from clipdepth.pipeline.latency import summarise_latency
from clipdepth_bench.measure.duration import Duration
from clipdepth_bench.measure.environment import Environment
from clipdepth_bench.report.record import SCHEMA, Method, Report, Row, Size

MS = 1_000_000
"""Nanoseconds."""
PASSED = Agreement(2, 1e-6, 2e-6, 3e-6, True, Tolerance(1e-4, 0.001))
DIFFERS = Agreement(2, 0.05, 0.06, 0.07, True, Tolerance(1e-4))
NAN = Agreement(2, 0.0, 0.0, 0.0, False, Tolerance(1e-4))
ENVIRONMENT = Environment(
    "1.0", None, "2026-11-22T00:00:00+00:00", "a CPU", 2, 2, None, None, 0.5, [], "Linux", "3.11", {"numpy": "2"}
)


class Clock:
    """Nanoseconds, which pass only when something takes time."""

    def __init__(self) -> None:
        self.now = 17

    def __call__(self) -> int:
        return self.now


class Worker:
    """Takes `durations`, in nanoseconds, one after another, and notes the frames it was given."""

    def __init__(
        self, clock: Clock, durations: Iterable[int], journal: list[str] | None = None, name: str = "a"
    ) -> None:
        self._clock, self._durations, self._name = clock, iter(durations), name
        self._journal = [] if journal is None else journal
        self.frames: list[NDArray[np.uint8]] = []

    def __call__(self, frames: NDArray[np.uint8]) -> Duration:
        self.frames.append(frames)
        self._journal.append(self._name)
        took = next(self._durations)
        self._clock.now += took
        return Duration(took / 1e9)


def infer(frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
    """An engine that does nothing."""
    return Answer(np.zeros(frames.shape[:3], np.float32))


def timed_row(key: str, medians_ms: Sequence[float], **changes: Any) -> Row:
    """A row that passed, whose rounds had those medians and one sample each."""
    name, _, precision = key.rpartition(" ")
    row = Row(
        name=name,
        precision=precision,
        device="CPU",
        status="passed",
        verdict="passed",
        agreement=PASSED,
        latency_ms=summarise_latency([median / 1000 for median in medians_ms]),
        without_transfers_ms=None,
        timed_by="clock",
        p50_interval_ms=None,
        stopped="time limit",
        round_medians_ms=list(medians_ms),
        speedup=None,
        streaming=None,
        memory=None,
        model_mb=None,
    )
    return replace(row, **changes)


def absent_row(name: str, precision: str, why: str) -> Row:
    """A row of what is not there."""
    row = replace(timed_row("x fp32", [1.0]), name=name, precision=precision, agreement=None, device="")
    return replace(row, status="absent", verdict=why, latency_ms=None, round_medians_ms=[], stopped=None, timed_by=None)


def report_of(*rows: Row, **changes: Any) -> Report:
    """A report of those rows."""
    method = Method(rounds=6, seconds=60.0, within=0.02, reference="PyTorch eager fp32")
    size = Size(48, 64)
    report = Report(SCHEMA, "x.bundle", size, {"fp32": "ab" * 32}, ENVIRONMENT, method, False, [], list(rows))
    return replace(report, **changes)
