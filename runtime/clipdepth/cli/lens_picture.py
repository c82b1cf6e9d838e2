"""The live picture of `clipdepth calibrate --checkerboard`: what was found and what is still missing."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.board_views import ENOUGH_COVERAGE, ENOUGH_VIEWS, BoardViews, Verdict
from clipdepth.camera.checkerboard import Checkerboard, Corners
from clipdepth.sinks.depth_picture import FONT, INK

WIDTH = 960
"""The greatest width of the picture, pixels."""
GREEN, DARK = (90, 200, 90), (20, 20, 20)


def progress_line(views: BoardViews, verdict: Verdict) -> str:
    """How far the calibration is, and what to do."""
    line = f"{len(views.kept)} of {ENOUGH_VIEWS} views, {views.coverage:.0%} of {ENOUGH_COVERAGE:.0%} of the picture"
    return f"{line}: {verdict.value}"


def lens_picture(
    frame: NDArray[np.uint8], board: Checkerboard, corners: Corners | None, views: BoardViews, verdict: Verdict
) -> NDArray[np.uint8]:
    """The frame, (H, W, 3) uint8 BGR, at most 960 wide: parts that are covered are green, kept corners are dots."""
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
    _write(picture, progress_line(views, verdict))
    return picture


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


def _write(picture: NDArray[np.uint8], text: str) -> None:
    """Along the lower edge, as large as fits."""
    height, width = picture.shape[:2]
    size = min(0.7, 0.95 * width / cv2.getTextSize(text, FONT, 1, 1)[0][0])
    for ink, thickness in ((DARK, 4), (INK, 1)):
        cv2.putText(picture, text, (round(0.02 * width), height - 12), FONT, size, ink, thickness, cv2.LINE_AA)
