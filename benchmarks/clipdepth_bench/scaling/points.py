"""Which points are measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor

from clipdepth.bundle.manifest import InputSize
from clipdepth_bench.scaling.record import AXES, Axis, Point

SCALES = (0.5, 1.0, 1.5, 2.0)
BATCHES = CAMERAS = (1, 2, 4, 8)
_MULTIPLE = 32
_ALL_CORES = 8
"""Up to so many cores each number of threads is measured, beyond them the powers of two and all."""


@dataclass(frozen=True)
class Plan:
    """What is asked for."""

    size: InputSize
    precisions: Sequence[str]
    threads: int
    """Of all points but those of the axis of threads, where it is the most."""
    axes: Sequence[Axis] = AXES

    def points(self) -> list[Point]:
        """All points, axis by axis."""
        made = {"size": self._sizes, "batch": self._batches, "threads": self._threads, "cameras": self._cameras}
        return list(dict.fromkeys(point for axis in self.axes for point in made[axis]()))

    def _sizes(self) -> Iterator[Point]:
        for size in (scaled(self.size, scale) for scale in SCALES):
            for name in self.precisions:
                yield Point("size", name, size.height, size.width, threads=self.threads)

    def _batches(self) -> Iterator[Point]:
        for count in BATCHES:
            for name in self.precisions:
                yield Point("batch", name, self.size.height, self.size.width, count, self.threads)

    def _threads(self) -> Iterator[Point]:
        for count in thread_counts(self.threads):
            for name in self.precisions:
                yield Point("threads", name, self.size.height, self.size.width, threads=count)

    def _cameras(self) -> Iterator[Point]:
        for count in CAMERAS:
            for name in self.precisions:
                yield Point("cameras", name, self.size.height, self.size.width, threads=self.threads, cameras=count)


def scaled(size: InputSize, scale: float) -> InputSize:
    """`size` times `scale`, its sides rounded to what divides those of `size` too: 32 pixels, or a lower power of 2."""
    multiple = next(step for step in (_MULTIPLE, 16, 8, 4, 2, 1) if size.height % step == 0 == size.width % step)
    height, width = (max(1, floor(side * scale / multiple + 0.5)) * multiple for side in (size.height, size.width))
    return InputSize(height, width)


def thread_counts(most: int) -> list[int]:
    """1 to `most`, all or powers of two."""
    if most <= _ALL_CORES:
        return list(range(1, most + 1))
    return sorted({*(1 << power for power in range(most.bit_length())), most})
