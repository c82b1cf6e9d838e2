"""What a window shows: frame, coloured depth, and how far away the thing under the pointer is."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.confidence import half_width
from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.sinks.depth_picture import FONT, side_by_side

WIDTH = 640
"""The greatest width of a frame in a window's picture, pixels."""
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
LETTER, GAP = 14, 10
"""The height of a digit and the space between the pointer and its text, pixels."""


class WindowPicture:
    """A frame, (H, W, 3) uint8 BGR, and its depth, (H, W) float32 of `kind`, as one picture; see `side_by_side`.

    `confidence`, (H, W) float32, says how sure depth is, where that is known.
    """

    def __init__(
        self,
        frame: NDArray[np.uint8],
        depth: NDArray[np.float32],
        near: float,
        far: float,
        kind: DepthKind = METRIC,
        confidence: NDArray[np.float32] | None = None,
    ) -> None:
        height, width = frame.shape[:2]
        if width > WIDTH:
            size = WIDTH, max(1, round(height * WIDTH / width))
            frame = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
            # Values as they are: an average of near and far is the distance of nothing.
            depth = np.asarray(cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST), np.float32)
            if confidence is not None:
                confidence = np.asarray(cv2.resize(confidence, size, interpolation=cv2.INTER_NEAREST), np.float32)
        self.depth = depth
        self._confidence = confidence
        self._kind = kind
        self._picture: NDArray[np.uint8] = side_by_side(frame, depth, near, far, kind)

    def pointed(self, pointer: tuple[int, int] | None) -> NDArray[np.uint8]:
        """The picture, (H, W', 3) uint8 BGR; where `pointer`, x and y in it, is in a half, its metres are written.

        Where depth is not metric, that is written instead.
        """
        pixel = self._pixel(pointer)
        if pixel is None or pointer is None:
            return self._picture
        picture: NDArray[np.uint8] = self._picture.copy()
        width = self.depth.shape[1]
        for x in (pixel[0], pixel[0] + width):
            cv2.drawMarker(picture, (x, pixel[1]), BLACK, cv2.MARKER_CROSS, 15, 3)
            cv2.drawMarker(picture, (x, pixel[1]), WHITE, cv2.MARKER_CROSS, 15, 1)
        column, row = pixel
        share = None if self._confidence is None else float(half_width(self._confidence[row, column]))
        text = metres(float(self.depth[row, column]), share) if self._kind == METRIC else "not in metres"
        _write(picture, text, pointer)
        return picture

    def _pixel(self, pointer: tuple[int, int] | None) -> tuple[int, int] | None:
        """The column and row of depth that a place in the picture shows; None on the bar or outside."""
        if pointer is None:
            return None
        height, width = self.depth.shape
        x, y = pointer
        return (x % width, y) if 0 <= x < 2 * width and 0 <= y < height else None


def metres(depth: float, share: float | None = None) -> str:
    """Depth in metres for people; 'no depth' where it is not finite or not above 0.

    `share` is what `half_width` gives, where that is known.
    """
    if not (np.isfinite(depth) and depth > 0):
        return "no depth"
    if share is None:
        return f"{depth:.2f} m"
    # OpenCV's letters are ASCII.
    return f"{depth:.2f} m +/- {depth * share:.2f} m" if share < 1 else f"{depth:.2f} m, unsure"


def _write(picture: NDArray[np.uint8], text: str, pointer: tuple[int, int]) -> None:
    """Write beside the pointer, kept inside the picture."""
    width = cv2.getTextSize(text, FONT, 0.6, 1)[0][0]
    x = min(pointer[0] + GAP, picture.shape[1] - width - GAP)
    y = max(pointer[1] - GAP, LETTER + GAP)
    for colour, line in ((BLACK, 4), (WHITE, 1)):
        cv2.putText(picture, text, (x, y), FONT, 0.6, colour, line, cv2.LINE_AA)
