"""A camera's pinhole and lens, fitted to views of a checkerboard by OpenCV, and how sure they are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipdepth.camera.board_views import FEWEST_VIEWS
from clipdepth.camera.checkerboard import Checkerboard, Corners
from clipdepth.camera.lens_solution import LensModel, Solution, solve
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera
from clipdepth.camera.undistortion import undistortion_of
from clipdepth.errors import SourceError

WORST_ERROR = 0.5
"""Pixels of root mean square, in pictures of up to `ERROR_DIAGONAL`; in larger ones as much more."""
ERROR_DIAGONAL = 1000
WORST_DEVIATION = 0.01
"""The focal length's standard deviation, as a share of it, at most."""
OUTLIER = 3.0
"""A view whose error is so many times the median one is left out."""


@dataclass(frozen=True)
class LensFit:
    """What was found."""

    model: LensModel
    intrinsics: Intrinsics
    distortion: tuple[float, ...]
    error: float
    """Root mean square of the distances between corners that were found and that the camera predicts, pixels."""
    deviation: float
    """The focal length's standard deviation, as a share of it."""
    views: int
    left_out: int
    """Views that did not fit in with the others."""


def fit_lens(board: Checkerboard, views: Sequence[Corners], size: tuple[int, int], model: LensModel) -> LensFit:
    """Fit a camera whose pictures are `size`, width and height, to `views`.

    Raises SourceError for too few views, and for a fit that is not to be used: corners lie far from where it predicts
    them, the views leave the focal length open, or its lens folds the picture.
    """
    if len(views) < FEWEST_VIEWS:
        raise SourceError(
            f"{len(views)} different views of a {board} board were found, and a lens takes {FEWEST_VIEWS} or more; "
            "show more of them, and check COLSxROWS: the corners where four squares meet, one less than squares"
        )
    solution = solve(board, views, size, model)
    errors = [found.error for found in solution.views]
    most = max(OUTLIER * float(np.median(errors)), worst_error(size))
    kept = [view for view, error in zip(views, errors, strict=True) if error <= most]
    if FEWEST_VIEWS <= len(kept) < len(views):
        solution = solve(board, kept, size, model)
    else:
        kept = list(views)
    return _checked(solution, size, model, len(views) - len(kept))


def _checked(found: Solution, size: tuple[int, int], model: LensModel, left_out: int) -> LensFit:
    matrix, error, worst = found.matrix, found.error, worst_error(size)
    if not error <= worst:
        raise SourceError(
            f"the reprojection error is {error:.2f} pixels, and at most {worst:.2f} are allowed; use a flat board, "
            "hold it still, and give --fisheye for a lens that sees more than about 120°, or leave it out for another"
        )
    deviation = float(found.deviations()[0] / matrix[0, 0])
    if not deviation <= WORST_DEVIATION:
        raise SourceError(
            f"the views tell the focal length to ±{deviation:.1%} only, and ±{WORST_DEVIATION:.0%} is asked for; tilt "
            "the board by 30 to 45° in more of them, to all sides"
        )
    fx, fy, cx, cy = (float(matrix[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
    pinhole = Intrinsics(*size, fx, fy, cx, cy)
    distortion = tuple(map(float, found.distortion))
    if model == "plumb_bob":
        camera = SizedCamera(pinhole, distortion)
        if camera.is_distorted:
            undistortion_of(camera)  # raises where the lens folds the picture
    return LensFit(model, pinhole, distortion, error, deviation, len(found.views), left_out)


def worst_error(size: tuple[int, int]) -> float:
    """The largest reprojection error that is accepted in pictures of that width and height, pixels."""
    return WORST_ERROR * max(1.0, math.hypot(*size) / ERROR_DIAGONAL)
