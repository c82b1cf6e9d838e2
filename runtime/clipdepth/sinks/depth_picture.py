"""Pictures of depth for people: colours, a bar that says what they mean, and the frame beside them."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.sinks.relative import FARTHEST, NEAREST, spread

INVALID = 48
"""The grey level of a pixel without depth."""
FAR_LEVEL, NEAR_LEVEL = 20, 242
"""The part of Turbo's 256 colours in use: its ends are too dark to tell from a pixel without depth."""
INK = (235, 235, 235)
PAPER = 24
FONT = cv2.FONT_HERSHEY_SIMPLEX
STEPS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)


def colourise(depth: NDArray[np.float32], near: float, far: float) -> NDArray[np.uint8]:
    """Colour depth, (H, W) float32 metres, as (H, W, 3) uint8 BGR: `near` is red, `far` blue.

    Depth outside [near, far] takes the colour of the end it passes; what is not finite or not above 0 is
    dark grey.
    """
    valid = np.isfinite(depth) & (depth > 0)
    nearness = (far - np.where(valid, depth, far)) / (far - near)
    levels = np.rint(FAR_LEVEL + np.clip(nearness, 0, 1) * (NEAR_LEVEL - FAR_LEVEL)).astype(np.uint8)
    picture = cv2.applyColorMap(levels, cv2.COLORMAP_TURBO)
    picture[~valid] = INVALID
    return np.asarray(picture, np.uint8)


def side_by_side(
    frame: NDArray[np.uint8], depth: NDArray[np.float32], near: float, far: float, kind: DepthKind = METRIC
) -> NDArray[np.uint8]:
    """The frame, its coloured depth and a colour bar, left to right, (H, W', 3) uint8 BGR.

    `frame` is (H, W, 3) uint8 BGR and `depth` (H, W) float32. Metric depth has the bar's metres; any other is coloured
    from its own nearest to its own farthest, and `near` and `far` do not count. W' depends on H, W and `kind` only.
    """
    if kind != METRIC:
        depth, near, far = spread(depth, kind), NEAREST, FARTHEST
    bar = colour_bar(frame.shape[0], near, far, kind)
    return np.hstack([frame, colourise(depth, near, far), bar])


@dataclass(frozen=True)
class _BarLayout:
    """Where things stand in a bar of `height` pixels; all in pixels."""

    height: int

    @property
    def scale(self) -> float:
        """OpenCV's font scale: 1 is letters of 22 pixels."""
        return min(max(self.height / 960, 0.38), 0.9)

    @property
    def line(self) -> int:
        """How thick strokes are."""
        return max(1, round(self.height / 600))

    @property
    def letter(self) -> int:
        """The height of a digit."""
        return round(22 * self.scale)

    @property
    def gap(self) -> int:
        """The space between things."""
        return max(4, round(self.letter * 0.6))

    @property
    def left(self) -> int:
        """Where the colours start."""
        return 2 * self.gap

    @property
    def right(self) -> int:
        """Where the colours end."""
        return self.left + max(8, self.height // 28)

    @property
    def top(self) -> int:
        """Where the nearest colour is."""
        return min(self.letter + self.gap, self.height // 4)

    @property
    def bottom(self) -> int:
        """Where the farthest colour is."""
        return min(self.height - self.top, self.height - 1)


@lru_cache(maxsize=4)
def colour_bar(height: int, near: float, far: float, kind: DepthKind = METRIC) -> NDArray[np.uint8]:
    """The bar that goes with `colourise`, nearest on top, (height, W, 3) uint8 BGR; only metric ones have numbers."""
    at = _BarLayout(height)
    texts = {near: "near", far: "far"}
    if kind == METRIC:
        texts = {metres: f"{metres:g} m" for metres in _ticks(near, far, (at.bottom - at.top) // (4 * at.letter))}
    widest = max(cv2.getTextSize(text, FONT, at.scale, at.line)[0][0] for text in texts.values())
    bar = np.full((height, at.right + 3 * at.gap + widest, 3), PAPER, np.uint8)
    ramp = np.linspace(near, far, at.bottom - at.top + 1, dtype=np.float32)
    bar[at.top : at.bottom + 1, at.left : at.right] = colourise(ramp[:, None], near, far)
    for metres, text in texts.items():
        row = round(at.top + (metres - near) / (far - near) * (at.bottom - at.top))
        cv2.line(bar, (at.right, row), (at.right + at.gap // 2, row), INK, at.line)
        corner = (at.right + 3 * at.gap // 2, row + at.letter // 2)
        cv2.putText(bar, text, corner, FONT, at.scale, INK, at.line, cv2.LINE_AA)
    bar.setflags(write=False)
    return bar


def _ticks(near: float, far: float, room_for: int) -> list[float]:
    """Round values in [near, far], no more than about `room_for` of them."""
    fitting = [step for step in STEPS if (far - near) / step <= max(room_for, 1)]
    step = fitting[0] if fitting else (far - near)
    first = int(np.ceil(near / step - 1e-9))
    last = int(np.floor(far / step + 1e-9))
    ticks = [round(index * step, 6) for index in range(first, last + 1)]
    return ticks or [near, far]
