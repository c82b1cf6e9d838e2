"""Which depth was taken with which picture, in a recording that is read once from its start."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from clipdepth.camera.sized import SizedCamera

WITHIN_NS = 20_000_000
"""By how much the stamps of a picture and its depth may differ."""
HOLD_NS = 1_000_000_000
"""How long after a picture its depth may have been recorded."""


@dataclass(frozen=True)
class Stamped:
    """A message, when its content was taken and when it was recorded, Unix time in nanoseconds."""

    message: Any
    stamp_ns: int
    recorded_ns: int
    is_depth: bool
    camera: SizedCamera | None = None
    """Of a picture, by the newest CameraInfo."""


def paired(recorded: Iterable[Stamped]) -> Iterator[tuple[Stamped, Stamped | None]]:
    """Each picture in turn, with the depth whose stamp is nearest, which may come before or after it.

    None where no depth is near enough. Two pictures may have the same depth.
    """
    pictures, depths = deque[Stamped](), deque[Stamped]()
    for one in recorded:
        (depths if one.is_depth else pictures).append(one)
        while pictures and _is_settled(pictures[0], depths, one.recorded_ns):
            yield pictures[0], _nearest(pictures.popleft(), depths)
    for picture in pictures:
        yield picture, _nearest(picture, depths)


def _is_settled(picture: Stamped, depths: deque[Stamped], now_ns: int) -> bool:
    is_passed = bool(depths) and depths[-1].stamp_ns >= picture.stamp_ns
    return is_passed or now_ns - picture.recorded_ns > HOLD_NS


def _nearest(picture: Stamped, depths: deque[Stamped]) -> Stamped | None:
    while depths and depths[0].stamp_ns < picture.stamp_ns - WITHIN_NS:
        depths.popleft()
    nearest = min(depths, key=lambda depth: abs(depth.stamp_ns - picture.stamp_ns), default=None)
    return nearest if nearest and abs(nearest.stamp_ns - picture.stamp_ns) <= WITHIN_NS else None
