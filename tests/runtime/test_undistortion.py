"""Undistortion against Brown's formula written out here, which shares no code with OpenCV's."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera
from clipdepth.camera.undistortion import undistortion_of
from clipdepth.errors import SourceError

BENT = Intrinsics(320, 240, 200.0, 210.0, 165.0, 117.0)
LENSES = {
    "barrel": (-0.3, 0.09, 0.0, 0.0, 0.0),
    "pincushion": (0.12, 0.02, 0.0, 0.0, 0.0),
    "askew": (-0.2, 0.03, 0.004, -0.003, 0.01),
}


def brown(rays: NDArray[np.float64], lens: tuple[float, ...]) -> NDArray[np.float64]:
    """Bent pixels (N, 2) of straight rays (N, 2), after Brown, 'Decentering distortion of lenses' (1966)."""
    k1, k2, p1, p2, k3 = lens
    x, y = rays.T
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    bent_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return np.stack([bent_x * BENT.fx + BENT.cx, bent_y * BENT.fy + BENT.cy], 1)


def rays_of(pinhole: Intrinsics, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((pixels - [pinhole.cx, pinhole.cy]) / [pinhole.fx, pinhole.fy])


def grid(step: int = 20) -> NDArray[np.float64]:
    x, y = np.meshgrid(np.arange(40, 300, step), np.arange(40, 220, step))
    return np.stack([x.ravel(), y.ravel()], 1).astype(np.float64)


@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES.keys())
def test_each_pixel_is_fetched_from_where_the_lens_put_it(lens: tuple[float, ...]) -> None:
    view = undistortion_of(SizedCamera(BENT, lens))
    # Pictures of the coordinates: what is fetched says from where.
    across = np.broadcast_to(np.arange(320, dtype=np.float32), (240, 320))
    down = np.broadcast_to(np.arange(240, dtype=np.float32)[:, None], (240, 320))
    found = np.stack([cv2.remap(np.ascontiguousarray(p), *view.maps, cv2.INTER_LINEAR) for p in (across, down)], -1)
    pixels = grid()
    expected = brown(rays_of(view.intrinsics, pixels), lens)
    np.testing.assert_allclose(found[pixels[:, 1].astype(int), pixels[:, 0].astype(int)], expected, atol=0.04)


@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES.keys())
def test_points_of_the_bent_picture_come_back_to_their_rays(lens: tuple[float, ...]) -> None:
    view = undistortion_of(SizedCamera(BENT, lens))
    pixels = grid()
    bent = brown(rays_of(view.intrinsics, pixels), lens)
    np.testing.assert_allclose(view.points(bent), pixels, atol=1e-4)


@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES.keys())
def test_a_dot_is_undistorted_to_its_pinhole_pixel(lens: tuple[float, ...]) -> None:
    view = undistortion_of(SizedCamera(BENT, lens))
    for pixel in grid(80):
        (centre,) = brown(rays_of(view.intrinsics, pixel[None]), lens)
        y, x = np.mgrid[:240, :320]
        dot = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 18) * 255
        straight = view.frame(np.repeat(dot[..., None], 3, -1).round().astype(np.uint8))[..., 0].astype(float)
        assert straight.shape == (240, 320)
        middle = [(straight * x).sum() / straight.sum(), (straight * y).sum() / straight.sum()]
        np.testing.assert_allclose(middle, pixel, atol=0.35)


@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES.keys())
def test_every_pixel_was_seen_and_no_wider_view_would_be(lens: tuple[float, ...]) -> None:
    straight = undistortion_of(SizedCamera(BENT, lens)).intrinsics
    assert (straight.cx, straight.cy) == (BENT.cx, BENT.cy)
    assert straight.fx / straight.fy == pytest.approx(BENT.fx / BENT.fy)
    y, x = np.mgrid[:240, :320].astype(np.float64)
    pixels = np.stack([x.ravel(), y.ravel()], 1)
    for wider, seen in ((1.0, True), (1.01, False)):
        bent = brown(rays_of(straight, pixels) * wider, lens)
        inside = (bent >= -0.01).all() and (bent <= [319.01, 239.01]).all()
        assert inside == seen


def test_a_lens_whose_model_fails_in_the_corners_leaves_the_middle() -> None:
    # r (1 - 0.3 r²) is largest at r = 1.054: what lies beyond is folded back into the picture.
    wide = Intrinsics(320, 240, 150.0, 150.0, 159.5, 119.5)
    view = undistortion_of(SizedCamera(wide, (-0.3, 0.0, 0.0, 0.0)))
    corner = np.hypot(159.5, 119.5) / view.intrinsics.fx
    assert 0.8 < corner < 1.054 * (1 + 1 / 64)
    found = view.points(np.array([[159.5, 119.5], [0.0, 0.0]]))
    np.testing.assert_allclose(found, [[159.5, 119.5], [np.nan, np.nan]])


def test_a_lens_that_folds_the_picture_is_refused() -> None:
    with pytest.raises(SourceError, match=r"-9.*calibrate the camera again"):
        undistortion_of(SizedCamera(BENT, (-9.0, 0.0, 0.0, 0.0)))
