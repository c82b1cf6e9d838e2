"""Steady depth of a still scene, without lag where something moves."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.errors import UsageError

Floats = NDArray[np.float32]
CLOSED, OPEN = 3.0, 5.0
"""Changes below the first count as noise and above the second as motion, in noise levels."""
WINDOW = 5
"""Side of the square, in pixels, over which a frame's noise is averaged away; depth is never averaged over pixels."""
REACH = 15
"""Side of the square, in pixels, within which any change of the frame counts: what is plain moves with its edges."""


@dataclass(frozen=True)
class Smoothing:
    """How much depth is steadied, and what counts as noise."""

    gain: float = 0.15
    """The share of a new depth that is taken over where nothing changed; noise's variance falls by g / (2 - g)."""
    noise: float = 0.02
    """The depth's noise on a still scene, a standard deviation, as a share of the depth.

    Of depth that is not metric, as a share of the mean of its magnitude over the frame, since its zero means nothing.
    """
    frame_noise: float = 1.5
    """The frame's noise over WINDOW × WINDOW pixels, a standard deviation, in grey levels of 255."""

    def __post_init__(self) -> None:
        if not 0 < self.gain <= 1:
            raise UsageError(f"a smoothing gain of {self.gain:g} cannot be; give one above 0 and up to 1")
        if not (0 < self.noise < np.inf and 0 < self.frame_noise < np.inf):
            raise UsageError(f"noise levels of {self.noise:g} and {self.frame_noise:g} cannot be; give some above 0")


class Smoother:
    """Each pixel's depth is averaged over time, exponentially, with a gain that rises to 1 as it or the frame changes.

    The change of depth is the new one's from the average, relative to the average; the change of the frame is
    likewise that of its grey, averaged over WINDOW × WINDOW pixels, the largest within REACH × REACH of them. The
    larger of the two, in noise levels, opens the gain: not at all up to CLOSED, to 1 from OPEN. While it is closed the
    gain falls as 1/2, 1/3, 1/4 …, so that depth is the mean of what came since the change, down to `Smoothing.gain`.

    So depth is never further from the newest than OPEN × noise; a step beyond that arrives with its first frame; one
    below CLOSED × noise, if the frame does not change either, is at 90% after log(0.1) / log(1 - gain) frames, 15 by
    default; and no pixel's depth is ever mixed with its neighbour's.

    It is for one source and remembers one picture; frames may change in size, which starts it anew.
    """

    def __init__(self, smoothing: Smoothing | None = None) -> None:
        self._smoothing = smoothing or Smoothing()
        self._depth: Floats | None = None
        self._grey: Floats | None = None
        self._gain: Floats | None = None

    def smooth(self, frame: NDArray[np.uint8], depth: Floats, kind: DepthKind = METRIC) -> Floats:
        """The steadied depth, (H, W) float32, of a frame, (H, W, 3) uint8 BGR, and its depth, all > 0 where metric."""
        grey = _grey(frame)
        if self._depth is None or self._grey is None or self._gain is None or self._depth.shape != depth.shape:
            self._depth, self._grey, self._gain = depth.copy(), grey, np.ones_like(depth)
            return depth
        noise = self._smoothing.noise * _magnitude(self._depth, kind)
        change = _change(depth, self._depth, noise, grey, self._grey, self._smoothing.frame_noise)
        self._gain = _gain(self._gain, change, self._smoothing.gain)
        self._depth += self._gain * (depth - self._depth)
        self._grey += self._gain * (grey - self._grey)
        return np.array(self._depth)


def _magnitude(depth: Floats, kind: DepthKind) -> Floats:
    """What the noise is a share of, positive float32: (H, W), or one number for all pixels."""
    if kind == METRIC:
        return depth
    return np.array(max(float(np.abs(depth).mean(dtype=np.float64)), 1e-12), np.float32)


def _change(
    depth: Floats, average: Floats, noise: Floats, grey: Floats, grey_average: Floats, grey_noise: float
) -> Floats:
    """How far depth or frame is from its average, in noise levels, (H, W) float32."""
    depth_change = np.abs(depth - average) / noise
    frame_change = np.abs(grey - grey_average) / np.float32(grey_noise)
    nearby = cv2.dilate(frame_change, np.ones((REACH, REACH), np.uint8))
    return np.asarray(np.maximum(depth_change, nearby), np.float32)


def _gain(before: Floats, change: Floats, least: float) -> Floats:
    """The gain after a gain: 1, 1/2, 1/3 … of a mean while nothing changes, down to the least."""
    closed = np.maximum(before / (1 + before), np.float32(least))
    share = np.clip((change - CLOSED) / (OPEN - CLOSED), 0, 1)
    return np.asarray(closed + (1 - closed) * share, np.float32)


def _grey(frame: NDArray[np.uint8]) -> Floats:
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return np.asarray(cv2.blur(grey, (WINDOW, WINDOW)), np.float32)
