"""By how many pixels depth lies beside its picture: where the edges of both fall together best.

Edges of depth are steps of its logarithm. The mean strength of the picture's edges under them is taken for every shift,
and the shift where it is largest, over all pairs, is how far the picture's edges lie to the right of depth's and below.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

REACH = 28
"""Pixels to each side, of pictures at most WIDTH pixels wide."""
WIDTH = 640
STEP = 0.08
"""How large a step of depth is an edge, as a share of it."""
FEWEST_EDGES = 200
HOLE = 9
"""Holes up to so many pixels wide are closed with the farther depth: a Kinect's shadows lie on what is behind."""
CLEAR = 4.0
"""Standard deviations by which the best shift has to stand out."""


@dataclass(frozen=True)
class Shift:
    """Pixels of the set's own pictures by which they lie to the right of their depth, and below."""

    x: float
    y: float
    clearness: float
    """Standard deviations by which it stands out of the other shifts."""
    pairs: int

    @property
    def is_clear(self) -> bool:
        """Whether it can be told at all."""
        return self.clearness >= CLEAR


class Registration:
    """The measure, pair by pair."""

    def __init__(self) -> None:
        self._sum = np.zeros((2 * REACH + 1, 2 * REACH + 1))
        self._scales = list[float]()

    def add(self, frame: NDArray[np.uint8], depth: NDArray[np.float32]) -> None:
        """Take a pair in: (H, W, 3) uint8 BGR and (H, W) float32 metres, 0 for unknown."""
        scale = min(1.0, WIDTH / frame.shape[1])
        if scale < 1:
            frame = np.asarray(cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
            size = (frame.shape[1], frame.shape[0])
            depth = np.asarray(cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST), np.float32)
        steps = depth_edges(depth)
        if steps.sum() < FEWEST_EDGES or min(depth.shape) <= 4 * REACH:
            return
        scores = _scores(steps, _picture_edges(frame))
        deviation = scores.std()
        if deviation > 0:
            self._sum += (scores - scores.mean()) / deviation
            self._scales.append(scale)

    def shift(self) -> Shift | None:
        """The shift over all pairs; None where no pair had enough edges."""
        if not self._scales:
            return None
        scores = self._sum
        row, column = np.unravel_index(int(np.argmax(scores)), scores.shape)
        clearness = float((scores.max() - scores.mean()) / scores.std())
        scale = float(np.mean(self._scales))
        x, y = (_refined(line, int(at)) - REACH for line, at in ((scores[row], column), (scores[:, column], row)))
        return Shift(x / scale, y / scale, clearness, len(self._scales))


def depth_edges(depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where depth, (H, W) metres, steps: true on the nearer side, (H, W) bool."""
    closed = np.where(depth > 0, depth, cv2.dilate(depth, np.ones((HOLE, HOLE), np.uint8)))
    logs = np.where(closed > 0, np.log(np.maximum(closed, 1e-6)), np.nan).astype(np.float32)
    edges = np.zeros(depth.shape, bool)
    for axis in (0, 1):
        step = np.diff(logs, axis=axis)
        ahead = np.abs(np.nan_to_num(step)) > STEP
        # The nearer side is the object's, whose outline the picture shows.
        nearer_first = ahead & (step > 0)
        pad = [(0, 1), (0, 0)] if axis == 0 else [(0, 0), (0, 1)]
        edges |= np.pad(nearer_first, pad) | np.pad(ahead & ~nearer_first, [pair[::-1] for pair in pad])
    return edges


def _picture_edges(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How strong edges are, without the few that outshine all."""
    # Centred differences of a blurred picture: the peak is on the edge.
    grey = cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY).astype(np.float32), (0, 0), 1.0)
    strength = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return np.asarray(np.minimum(strength, np.quantile(strength, 0.95) + 1e-6), np.float64)


def _scores(steps: NDArray[np.bool_], strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean strength under the steps for shifts by -REACH to REACH, (rows, columns), positive right and down."""
    inner = steps.copy()
    inner[:REACH] = inner[-REACH:] = False
    inner[:, :REACH] = inner[:, -REACH:] = False
    rows, columns = np.nonzero(inner)
    shifts = range(-REACH, REACH + 1)
    return np.array([[strength[rows + y, columns + x].mean() if len(rows) else 0.0 for x in shifts] for y in shifts])


def _refined(line: NDArray[np.float64], at: int) -> float:
    """The place of the peak between pixels, of the parabola through its neighbours."""
    if not 0 < at < len(line) - 1:
        return float(at)
    before, peak, after = line[at - 1 : at + 2]
    bend = before - 2 * peak + after
    return at if bend == 0 else float(at + 0.5 * (before - after) / bend)
