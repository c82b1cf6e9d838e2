"""Fisheye lenses against Kannala and Brandt's formula written out here, and the field of view that is left of them."""

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera
from clipdepth.camera.undistortion import undistortion_of
from clipdepth.errors import SourceError

PLUMB_BOB = (-0.25, 0.07, 0.001, -0.002, 0.01)
FISHEYE = (-0.012, 0.021, -0.016, 0.004)
WIDE = Intrinsics(640, 480, 210.0, 212.0, 322.0, 236.0)
"""Sees 174 degrees across."""
CAMERA = SizedCamera(WIDE, FISHEYE, "fisheye")


def kannala(rays: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bent pixels (N, 2) of straight rays (N, 2) in CAMERA."""
    radius = np.maximum(np.hypot(*rays.T), 1e-12)
    angle = np.arctan(radius)
    k1, k2, k3, k4 = FISHEYE
    bent = angle * (1 + k1 * angle**2 + k2 * angle**4 + k3 * angle**6 + k4 * angle**8)
    return np.asarray(rays * (bent / radius)[:, None] * [WIDE.fx, WIDE.fy] + [WIDE.cx, WIDE.cy])


def grid(step: int = 40) -> NDArray[np.float64]:
    x, y = np.meshgrid(np.arange(0, 640, step), np.arange(0, 480, step))
    return np.stack([x.ravel(), y.ravel()], 1).astype(np.float64)


def rays_of(pinhole: Intrinsics, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((pixels - [pinhole.cx, pinhole.cy]) / [pinhole.fx, pinhole.fy])


def degrees_across(pinhole: Intrinsics) -> float:
    edges = rays_of(pinhole, np.array([[-0.5, 0], [pinhole.width - 0.5, 0]]))[:, 0]
    return math.degrees(math.atan(edges[1]) - math.atan(edges[0]))


@pytest.mark.parametrize("fov", [None, 60.0, 130.0])
def test_each_pixel_is_fetched_from_where_the_lens_put_it(fov: float | None) -> None:
    view = undistortion_of(SizedCamera(WIDE, FISHEYE, "fisheye", fov))
    across = np.broadcast_to(np.arange(640, dtype=np.float32), (480, 640))
    down = np.broadcast_to(np.arange(480, dtype=np.float32)[:, None], (480, 640))
    found = np.stack([cv2.remap(np.ascontiguousarray(p), *view.maps, cv2.INTER_LINEAR) for p in (across, down)], -1)
    pixels = grid()
    expected = kannala(rays_of(view.intrinsics, pixels))
    np.testing.assert_allclose(found[pixels[:, 1].astype(int), pixels[:, 0].astype(int)], expected, atol=0.04)


def test_points_of_the_bent_picture_come_back_to_their_rays() -> None:
    view = undistortion_of(CAMERA)
    pixels = grid()
    np.testing.assert_allclose(view.points(kannala(rays_of(view.intrinsics, pixels))), pixels, atol=1e-4)
    (behind,) = view.points(np.array([[322.0 - 210 * 1.7, 236.0]]))
    assert np.isnan(behind).all(), "at 97 degrees there is no straight pixel"


def test_the_middle_keeps_its_resolution_where_nobody_says_how_wide() -> None:
    straight = undistortion_of(CAMERA).intrinsics
    assert (straight.fx, straight.fy, straight.cx, straight.cy) == (WIDE.fx, WIDE.fy, WIDE.cx, WIDE.cy)
    # And of a lens that sees less in its corners than that, what it sees.
    narrow = SizedCamera(WIDE, (0.4, 0.1, 0.0, 0.0), "fisheye")
    found = undistortion_of(narrow).intrinsics
    assert found.fx > WIDE.fx
    corner = narrow.lens.bend(rays_of(found, np.array([[0.0, 479.0]])), WIDE.matrix, narrow.coefficients)
    assert corner.min() > -0.01
    assert corner[0, 1] < 479.01


@pytest.mark.parametrize("fov", [40.0, 90.0, 120.0])
def test_a_straight_picture_sees_what_is_asked_for(fov: float) -> None:
    straight = undistortion_of(SizedCamera(WIDE, FISHEYE, "fisheye", fov)).intrinsics
    assert degrees_across(straight) == pytest.approx(fov)
    assert straight.fx / straight.fy == pytest.approx(WIDE.fx / WIDE.fy)
    barrel = SizedCamera(Intrinsics(640, 480, 400.0, 400.0, 319.5, 239.5), PLUMB_BOB, undistorted_fov=fov / 2)
    assert degrees_across(undistortion_of(barrel).intrinsics) == pytest.approx(fov / 2)


def test_too_wide_a_picture_is_refused_with_the_widest() -> None:
    with pytest.raises(
        SourceError, match=r"175° wide shows more than this camera sees; give --undistorted-fov"
    ) as error:
        undistortion_of(SizedCamera(WIDE, FISHEYE, "fisheye", 175.0))
    widest = float(str(error.value).partition("--undistorted-fov ")[2].split()[0])
    assert 120 < widest < 175
    found = undistortion_of(SizedCamera(WIDE, FISHEYE, "fisheye", widest)).intrinsics
    assert degrees_across(found) == pytest.approx(widest)
    corners = kannala(rays_of(found, np.array([[0.0, 0], [639, 0], [0, 479], [639, 479]])))
    assert (corners > -0.01).all()
    assert (corners < [639.01, 479.01]).all()
    # A tenth of a degree more shows what nobody saw.
    with pytest.raises(SourceError, match="shows more"):
        undistortion_of(SizedCamera(WIDE, FISHEYE, "fisheye", widest + 0.1))


@pytest.mark.parametrize("coefficients", [(), PLUMB_BOB, FISHEYE[:3]])
def test_a_fisheye_lens_has_four_coefficients(coefficients: tuple[float, ...]) -> None:
    with pytest.raises(SourceError, match=f"{len(coefficients)} distortion coefficients.*fisheye model has 4"):
        SizedCamera(WIDE, coefficients, "fisheye")
