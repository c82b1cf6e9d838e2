"""One engine tried with one graph: does it load, agree with PyTorch, and how long does a frame take?"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle
from statistics import median
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.answer import Answer
from clipdepth.bundle.folder import Bundle
from clipdepth.engines import Engine, Infer, executed_precisions, load_engine, measure_agreement
from clipdepth.engines.precisions import Precisions
from clipdepth.errors import ClipdepthError, MissingDeviceError, MissingExtraError

_FRAMES, _SECONDS = 9, 1.0
"""What is timed: that many frames, or fewer where they take longer than that."""


@dataclass(frozen=True)
class Trial:
    """What came of it: a time, or the problem."""

    engine: str
    precision: str
    device: str | None = None
    """What it really ran on; None where it did not load."""
    milliseconds: float | None = None
    """The median time of a frame; None where it may not be used."""
    problem: str | None = None
    """Why it may not be used, and the remedy."""
    looser_limits: str | None = None
    """What its depth was held to, where that is less than clipdepth asks for."""
    absent: bool = False
    """Whether the problem is that its library or its device is not here at all."""
    executed: Precisions | None = None
    """What its arithmetic really ran in; None where that was not asked for, or cannot be read."""

    @property
    def passed(self) -> bool:
        """Whether it may be used: it loads and agrees with PyTorch."""
        return self.milliseconds is not None

    def __str__(self) -> str:
        if self.milliseconds is None:
            return f"{self.engine} {self.precision}: {self.problem}"
        looser = f", by {self.looser_limits}" if self.looser_limits else ""
        return f"{self.engine} {self.precision} on {self.device}: {self.milliseconds:.3g} ms a frame{looser}"


def try_engine(
    bundle: Bundle,
    name: str,
    precision: str,
    threads: int | None = None,
    device: int | None = None,
    alive: Callable[[], None] = lambda: None,
    read: bool = False,
) -> Trial:
    """Load, verify and time engine `name` with the bundle's graph of `precision`; what fails is told, not raised.

    `alive` is called when it has loaded, and after each frame. With `read`, the trial says what the arithmetic ran in.
    """
    ran_on = None
    try:
        with closing(load_engine(bundle, name, precision, threads, device)) as engine:
            ran_on = engine.device
            alive()

            def infer(frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
                answer = engine.infer(frames, segmentation)
                alive()
                return answer

            golden, manifest = bundle.golden(), bundle.manifest
            agreement = measure_agreement(infer, golden, manifest.tolerance(precision), manifest.kind)
            if not agreement.passed:
                return Trial(name, precision, ran_on, problem=str(agreement))
            time = median(_times(infer, golden.frames))
            looser, executed = manifest.looser_limits(precision), _executed(engine, bundle, precision) if read else None
            return Trial(name, precision, ran_on, time, looser_limits=looser, executed=executed)
    except ClipdepthError as error:
        return failed_trial(name, precision, error, ran_on)


def _executed(engine: Engine, bundle: Bundle, precision: str) -> Precisions | None:
    """An engine that works and cannot be read works all the same."""
    try:
        return executed_precisions(engine, bundle, precision)
    except ClipdepthError:
        return None


def failed_trial(name: str, precision: str, error: ClipdepthError, ran_on: str | None = None) -> Trial:
    """The trial that ended with `error`."""
    absent = isinstance(error, MissingExtraError | MissingDeviceError)
    return Trial(name, precision, ran_on, problem=" ".join(str(error).split()), absent=absent)


def _times(infer: Infer, frames: NDArray[np.uint8]) -> list[float]:
    """Milliseconds that each of some frames took, as a stream would send them."""
    times: list[float] = []
    for frame in cycle(frames):
        start = perf_counter()
        infer(frame[None])
        times.append((perf_counter() - start) * 1000)
        if len(times) == _FRAMES or sum(times) > _SECONDS * 1000:
            break
    return times
