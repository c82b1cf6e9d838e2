"""The live picture of `clipdepth calibrate --checkerboard`: what was found and what is still missing."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.board_views import ENOUGH_COVERAGE, ENOUGH_VIEWS, BoardViews, Verdict
from clipdepth.camera.checkerboard import Checkerboard, Corners
from clipdepth.sinks.depth_picture import FONT, INK

WIDTH = 960
"""The greatest width of the picture, pixels."""
STRIP = 40
"""The height of the line of text under it, pixels."""
GREEN, DARK = (90, 200, 90), (20, 20, 20)


def progress_line(views: BoardViews, verdict: Verdict) -> str:
    """How far the calibration is, and what to do."""
    covered = f"{views.coverage:.0%} of the picture ({ENOUGH_COVERAGE:.0%} needed)"
    return f"{len(views.kept)} views ({ENOUGH_VIEWS} needed), {covered}: {verdict.value}"


def lens_picture(
    frame: NDArray[np.uint8], board: Checkerboard, corners: Corners | None, views: BoardViews, verdict: Verdict
) -> NDArray[np.uint8]:
    """The frame, (H, W, 3) uint8 BGR, at most 960 wide, over a line of text.

    Parts that are covered are green, corners of views that are kept are dots.
    """
    scale = min(1.0, WIDTH / frame.shape[1])
    size = round(frame.shape[1] * scale), round(frame.shape[0] * scale)
    picture: NDArray[np.uint8] = np.array(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
    _tint(picture, views.covered)
    for kept in views.kept:
        for x, y in np.rint(kept * scale).astype(int):
            cv2.circle(picture, (int(x), int(y)), 2, GREEN, -1)
    if corners is not None:
        placed = (corners * scale).astype(np.float32)[:, None]
        cv2.drawChessboardCorners(picture, (board.columns, board.rows), placed, True)
    return np.vstack([picture, _strip(progress_line(views, verdict), picture.shape[1])])


def _tint(picture: NDArray[np.uint8], covered: NDArray[np.bool_]) -> None:
    height, width = picture.shape[:2]
    mask = cv2.resize(covered.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)
    picture[mask] = (picture[mask] * 0.75 + np.array(GREEN) * 0.25).astype(np.uint8)
    for number in range(1, covered.shape[1]):
        x = round(width * number / covered.shape[1])
        cv2.line(picture, (x, 0), (x, height), DARK, 1)
    for number in range(1, covered.shape[0]):
        y = round(height * number / covered.shape[0])
        cv2.line(picture, (0, y), (width, y), DARK, 1)


def _strip(text: str, width: int) -> NDArray[np.uint8]:
    """A line of text to stand under the picture, as large as fits, (h, width, 3) uint8 BGR."""
    strip = np.full((STRIP, width, 3), DARK, np.uint8)
    size = min(0.7, 0.95 * width / cv2.getTextSize(text, FONT, 1, 1)[0][0])
    cv2.putText(strip, text, (round(0.02 * width), round(0.7 * STRIP)), FONT, size, INK, 1, cv2.LINE_AA)
    return strip
