"""A checkerboard that is held before a camera, and its corners in a picture."""

import argparse
import math
import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Corners = NDArray[np.float64]
"""(N, 2), pixels x and y, row after row of the board; from which of its ends on is not told."""
SEARCH_SIDE = 640
"""A larger picture is searched with its longer side so long, pixels; corners are refined in the picture itself."""
FEWEST, MOST = 3, 50
"""Inner corners across and down."""


@dataclass(frozen=True)
class Checkerboard:
    """A flat board of black and white squares with `columns` × `rows` corners where four squares meet."""

    columns: int
    rows: int
    square: float = 1.0
    """A square's side, metres; cameras are the same whatever it is."""

    def __str__(self) -> str:
        return f"{self.columns}x{self.rows}"

    @property
    def points(self) -> NDArray[np.float64]:
        """The corners on the board, (N, 3) float64 metres, z = 0."""
        x, y = np.meshgrid(np.arange(self.columns), np.arange(self.rows))
        return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1).astype(np.float64) * self.square

    def find(self, picture: NDArray[np.uint8]) -> Corners | None:
        """All corners in a picture, (H, W, 3) uint8 BGR, to parts of a pixel; None where not all are seen.

        Sought as in Duda and Frese, 'Accurate Detection and Localization of Checkerboard Corners for Calibration'.
        """
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        scale = min(1.0, SEARCH_SIDE / max(grey.shape))
        small = grey if scale == 1 else cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        found, corners = cv2.findChessboardCornersSB(
            small, (self.columns, self.rows), flags=cv2.CALIB_CB_NORMALIZE_IMAGE
        )
        if not found:
            return None
        sizes = np.array(grey.shape[::-1]) / small.shape[::-1]
        return self._refined(grey, (np.asarray(corners, np.float64).reshape(-1, 2) + 0.5) * sizes - 0.5)

    def _refined(self, grey: NDArray[np.uint8], corners: Corners) -> Corners:
        rows = corners.reshape(self.rows, self.columns, 2)
        gaps = [np.linalg.norm(np.diff(rows, axis=axis), axis=-1).min() for axis in (0, 1)]
        # So far around a corner that its neighbours stay outside.
        reach = int(np.clip(min(gaps) / 2.5, 2, 15))
        criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-3)
        start = np.ascontiguousarray(corners, np.float32).reshape(-1, 1, 2)
        return np.asarray(cv2.cornerSubPix(grey, start, (reach, reach), (-1, -1), criteria), np.float64).reshape(-1, 2)


def checkerboard(text: str) -> Checkerboard:
    """Read 'COLSxROWS' or 'COLSxROWS@SQUARE', inner corners and metres; for `add_argument(type=…)`."""
    found = re.fullmatch(r"(\d{1,2})x(\d{1,2})(?:@(\d*\.?\d+))?", text, re.ASCII)
    if not found:
        raise argparse.ArgumentTypeError(f"'{text}' is not COLSxROWS[@SQUARE], such as 9x6 or 9x6@0.025")
    columns, rows, square = int(found[1]), int(found[2]), float(found[3] or 1)
    if not (min(columns, rows) >= FEWEST and max(columns, rows) <= MOST):
        raise argparse.ArgumentTypeError(f"'{text}': a board has {FEWEST} to {MOST} inner corners across and down")
    if not 0 < square < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}': SQUARE must be above 0, in metres")
    return Checkerboard(columns, rows, square)
