"""What lenses do to straight rays, by OpenCV's two models."""

from collections.abc import Mapping
from typing import Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

LensName = Literal["pinhole", "fisheye"]
Points = NDArray[np.float64]
Maps = tuple[NDArray[np.int16], NDArray[np.uint16]]
ACCURATE = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-10)
"""When to stop inverting the lens's polynomial: OpenCV's own few steps miss by pixels in the corners."""


# OpenCV 5 took the one into the other.
_undistort_points = getattr(cv2, "undistortPointsIter", cv2.undistortPoints)


class Lens(Protocol):
    """A model of lenses: `matrix` is the bent picture's K, (3, 3), and `coefficients` its distortion, (N,) float64."""

    counts: tuple[int, ...]
    """How many coefficients it may have."""
    is_straight_at_0: bool
    """Whether a lens bends nothing where all its coefficients are 0."""
    least_zoom: float
    """How much shorter than the bent picture's a straight picture's focal length may be."""
    default_zoom: float
    """How much shorter it may be where nobody says how much is to be seen."""

    def bend(self, rays: Points, matrix: Points, coefficients: Points) -> Points:
        """The pixels that straight rays (x / z, y / z) fall on, (N, 2)."""
        ...

    def straighten(self, pixels: Points, matrix: Points, coefficients: Points) -> Points:
        """The straight rays (x / z, y / z) that bent pixels belong to, (N, 2)."""
        ...

    def maps(self, matrix: Points, coefficients: Points, straight: Points, size: tuple[int, int]) -> Maps:
        """Where each pixel of the straight picture, of K `straight` and (width, height), lies in the bent one."""
        ...


class PinholeLens:
    """k1, k2, p1, p2, k3 …: https://docs.opencv.org/4.x/d9/d0c/group__calib3d.html"""

    counts: tuple[int, ...] = (0, 4, 5, 8, 12, 14)
    is_straight_at_0 = True
    least_zoom = default_zoom = 0.2

    def bend(self, rays: Points, matrix: Points, coefficients: Points) -> Points:
        """See `Lens`."""
        pixels, _ = cv2.projectPoints(_at_1(rays), np.zeros(3), np.zeros(3), matrix, coefficients)
        return np.asarray(pixels[:, 0], np.float64)

    def straighten(self, pixels: Points, matrix: Points, coefficients: Points) -> Points:
        """See `Lens`."""
        rays = _undistort_points(pixels[:, None], matrix, coefficients, R=np.eye(3), P=np.eye(3), criteria=ACCURATE)
        return np.asarray(rays[:, 0], np.float64)

    def maps(self, matrix: Points, coefficients: Points, straight: Points, size: tuple[int, int]) -> Maps:
        """See `Lens`."""
        found = cv2.initUndistortRectifyMap(matrix, coefficients, np.eye(3), straight, size, cv2.CV_16SC2)
        return np.asarray(found[0], np.int16), np.asarray(found[1], np.uint16)


class FisheyeLens:
    """k1 to k4 of powers of the angle: https://docs.opencv.org/4.x/db/d58/group__calib3d__fisheye.html

    Kannala and Brandt, 'A generic camera model and calibration method' (2006); others call it equidistant.
    """

    counts: tuple[int, ...] = (4,)
    is_straight_at_0 = False
    least_zoom = 0.02
    # A wider view would have fewer pixels in the middle than the bent picture.
    default_zoom = 1.0

    def bend(self, rays: Points, matrix: Points, coefficients: Points) -> Points:
        """See `Lens`."""
        pixels, _ = cv2.fisheye.projectPoints(_at_1(rays), np.zeros((3, 1)), np.zeros((3, 1)), matrix, coefficients)
        return np.asarray(pixels[:, 0], np.float64)

    def straighten(self, pixels: Points, matrix: Points, coefficients: Points) -> Points:
        """See `Lens`; of pixels that are seen at 90 degrees or more, nonsense."""
        rays = cv2.fisheye.undistortPoints(
            pixels[:, None], matrix, coefficients, R=np.eye(3), P=np.eye(3), criteria=ACCURATE
        )
        return np.asarray(rays[:, 0], np.float64)

    def maps(self, matrix: Points, coefficients: Points, straight: Points, size: tuple[int, int]) -> Maps:
        """See `Lens`."""
        found = cv2.fisheye.initUndistortRectifyMap(matrix, coefficients, np.eye(3), straight, size, cv2.CV_16SC2)
        return np.asarray(found[0], np.int16), np.asarray(found[1], np.uint16)


LENSES: Mapping[LensName, Lens] = {"pinhole": PinholeLens(), "fisheye": FisheyeLens()}


def _at_1(rays: Points) -> Points:
    return np.hstack([rays, np.ones((len(rays), 1))])[:, None]
