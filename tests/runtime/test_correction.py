"""Metric correction, proved by rooms seen through two cameras that stand at one place.

The network is an oracle that knows nothing but pixels: it finds how much larger things are than in the training
camera's picture of the same room, and takes what is m times as large to be m times as near.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bundles import write_bundle
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.manifest import Manifest
from clipdepth.camera.camera import Camera
from clipdepth.camera.conversion import Conversion
from clipdepth.camera.correction import assumed_camera, make_correction
from clipdepth.camera.corrections import Corrections
from clipdepth.camera.letterbox import fit
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera, camera_from_focal, camera_from_fov
from clipdepth.errors import SourceError, UsageError
from clipdepth.rooms import RgbdFrame, Room

HEIGHT, WIDTH = 240, 320
TIME = 3.0
OPENCV_FILE = """%YAML:1.0
---
image_width: 640
image_height: 480
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 640., 0., 319.5, 0., 640., 239.5, 0., 0., 1. ]
"""


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The training camera has 288 pixels of focal length at 240 × 320."""
    return open_bundle(write_bundle(tmp_path_factory.mktemp("b") / "b.bundle", HEIGHT, WIDTH)).manifest


@pytest.fixture(scope="module")
def room() -> Room:
    return Room(2)


def render(room: Room, camera: SizedCamera) -> RgbdFrame:
    return room.render(TIME, camera.intrinsics)


def magnification(training: NDArray[np.uint8], seen: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The affine map (2, 3) from pixels of the training picture to those of another, found in the pictures alone."""
    finder = cv2.SIFT_create()  # type: ignore[attr-defined]
    (points, words), (others, other_words) = (finder.detectAndCompute(p, None) for p in (training, seen))
    matches = cv2.BFMatcher(cv2.NORM_L2, crossCheck=True).match(words, other_words)
    pairs = [(points[m.queryIdx].pt, others[m.trainIdx].pt) for m in matches]
    start, end = (np.array([pair[side] for pair in pairs], np.float32) for side in (0, 1))
    found, inliers = cv2.estimateAffine2D(start, end, ransacReprojThreshold=2)
    assert inliers.sum() > 40
    return np.asarray(found, np.float64)


def oracle_depth(training: RgbdFrame, seen: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a network that was trained with the training camera makes of the frame, (H, W) float32 metres."""
    affine = magnification(training.frame, seen)
    known = cv2.warpAffine(training.depth, affine, (WIDTH, HEIGHT), flags=cv2.INTER_NEAREST, borderValue=0)
    return np.asarray(known / np.sqrt(np.linalg.det(affine[:, :2])), np.float32)


def median_error(found: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    known = found > 0
    assert known.mean() > 0.3
    return float(np.median(found[known] / true[known])) - 1


@pytest.mark.parametrize("zoom", [0.75, 1.3, 1.8])
def test_depth_on_another_focal_length_is_metric(room: Room, manifest: Manifest, zoom: float) -> None:
    training = render(room, assumed_camera(manifest, WIDTH, HEIGHT))
    camera = camera_from_focal(zoom * manifest.camera.fx, WIDTH, HEIGHT)
    seen = render(room, camera)
    answer = oracle_depth(training, seen.frame)
    # Without correction a longer lens brings everything nearer, by f / f'.
    assert median_error(answer, seen.depth) == pytest.approx(1 / zoom - 1, abs=0.02)
    corrected = make_correction(camera, manifest, Conversion()).depth(answer)
    assert median_error(corrected, seen.depth) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(
    ("width", "height", "focal"),
    [(640, 360, 420.0), (640, 360, 700.0), (360, 480, 420.0), (360, 480, 600.0), (270, 480, 420.0), (400, 400, 450.0)],
)
def test_a_picture_of_another_shape_keeps_its_proportions_and_is_metric(
    room: Room, manifest: Manifest, width: int, height: int, focal: float
) -> None:
    training = render(room, assumed_camera(manifest, WIDTH, HEIGHT))
    camera = camera_from_focal(focal, width, height)
    seen = render(room, camera)
    box = fit(height, width, manifest.inputs)
    affine = magnification(training.frame, box.picture(seen.frame))
    assert np.linalg.svd(affine[:, :2])[1] == pytest.approx(focal * box.scale / 288, rel=0.02), (
        "alike in all directions"
    )
    answer = oracle_depth(training, box.picture(seen.frame))
    correction = make_correction(camera, manifest, Conversion())
    assert correction.conversion.scale == pytest.approx(focal * box.scale / 288)
    shown = (box.inside(part) for part in (correction.depth(answer), box.measured(seen.depth)))
    assert median_error(*shown) == pytest.approx(0, abs=0.02)


def test_a_lens_that_bends_is_corrected_for_the_view_that_is_left(room: Room, manifest: Manifest) -> None:
    training = render(room, assumed_camera(manifest, WIDTH, HEIGHT))
    camera = SizedCamera(Intrinsics(WIDTH, HEIGHT, 300.0, 300.0, 159.5, 119.5), (-0.25, 0.05, 0.0, 0.0))
    correction = make_correction(camera, manifest, Conversion())
    assert correction.intrinsics.fx < 300
    assert correction.conversion.scale == pytest.approx(correction.intrinsics.fx / 288)
    straight = room.render(TIME, correction.intrinsics)
    # The bent frame: each of its pixels is looked up in a wide straight picture, on the ray that OpenCV gives it.
    wide = room.render(TIME, Intrinsics(960, 720, 600.0, 600.0, 479.5, 359.5))
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    pixels = np.stack([x.ravel(), y.ravel()], 1)[:, None]
    undistort = getattr(cv2, "undistortPointsIter", cv2.undistortPoints)  # of OpenCV 4, and of 5
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-9)
    rays = undistort(pixels, camera.intrinsics.matrix, camera.coefficients, R=np.eye(3), P=np.eye(3), criteria=criteria)
    looked_up = (rays.reshape(HEIGHT, WIDTH, 2) * 600 + [479.5, 359.5]).astype(np.float32)
    bent = np.asarray(cv2.remap(wide.frame, looked_up[..., 0], looked_up[..., 1], cv2.INTER_LINEAR), np.uint8)

    frame = correction.undistort(bent)
    wrong = np.abs(bent.astype(int) - straight.frame).mean()
    assert np.abs(frame.astype(int) - straight.frame).mean() < 0.4 * wrong
    corrected = correction.depth(oracle_depth(training, frame))
    assert median_error(corrected, straight.depth) == pytest.approx(0, abs=0.02)


def test_the_training_camera_needs_no_correction(manifest: Manifest) -> None:
    depth = np.full((3, 4), 2, np.float32)
    for height, width in ((240, 320), (480, 640), (1080, 1920)):
        correction = Corrections(manifest, Camera()).at(height, width)
        assert correction.conversion.scale == pytest.approx(1)
        assert correction.view is None
        np.testing.assert_allclose(correction.depth(depth), depth)
    frame = np.zeros((240, 320, 3), np.uint8)
    assert Corrections(manifest, Camera()).at(240, 320).undistort(frame) is frame


def test_an_unknown_camera_has_square_pixels_and_the_training_focal_length_for_its_longer_side(
    manifest: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    corrections = Corrections(manifest, Camera())
    found = {size: corrections.at(*size) for size in ((360, 640), (640, 360), (480, 480))}
    for (height, width), correction in found.items():
        camera = correction.intrinsics
        assert (camera.fx, camera.fy) == pytest.approx((288 / 320 * max(height, width),) * 2)
        assert (camera.cx, camera.cy) == ((width - 1) / 2, (height - 1) / 2)
        assert camera.assumed
    scales = [correction.conversion.scale for correction in found.values()]
    # An upright picture of 640 rows is shown in 240, where 320 columns show one that lies.
    assert scales == pytest.approx([1, 0.75, 0.75])
    (warning,) = caplog.messages
    assert "576 pixels for pictures of 640×360" in warning
    assert "--fov" in warning


def test_what_a_picture_states_counts_where_nothing_is_told(
    manifest: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    by_picture = Corrections(manifest, Camera()).at(480, 640, 500.0).intrinsics
    assert (by_picture.fx, by_picture.origin) == (500, "metadata")
    assert Corrections(manifest, Camera(focal_px=600.0)).at(480, 640, 500.0).intrinsics.fx == 600
    assert not caplog.messages


def test_a_focal_length_is_of_each_picture_or_of_those_of_a_stated_side(manifest: Manifest) -> None:
    """What a picture's depth is does not depend on which came before it."""
    sizes = [(480, 640), (960, 1280), (640, 480)]
    for order in (sizes, sizes[::-1]):
        each, stated = (Corrections(manifest, Camera(focal_px=585.0, side=side)) for side in (None, 640))
        assert {size: each.at(*size).intrinsics.fx for size in order} == dict.fromkeys(order, 585)
        found = {size: stated.at(*size).intrinsics.fx for size in order}
        assert found == {(480, 640): 585, (960, 1280): 1170, (640, 480): 585}
    with pytest.raises(UsageError, match="give both"):
        Camera(fov=60.0, side=640)


def test_options_say_the_same_camera_in_three_ways(manifest: Manifest, tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    file.write_text(OPENCV_FILE)
    ways = [Camera(focal_px=640.0), Camera(fov=53.130102354), Camera(calibration=file)]
    for options in ways:
        correction = Corrections(manifest, options).at(480, 640)
        assert correction.conversion.scale == pytest.approx(320 / 288)
        assert correction.intrinsics.fx == pytest.approx(640)


def test_pictures_of_a_calibrated_camera_may_change_in_size_but_not_in_shape(
    manifest: Manifest, tmp_path: Path
) -> None:
    file = tmp_path / "c.yml"
    file.write_text(OPENCV_FILE)
    corrections = Corrections(manifest, Camera(calibration=file))
    first = corrections.at(480, 640)
    assert corrections.at(240, 320).intrinsics.fx == pytest.approx(320)
    assert corrections.at(240, 320).conversion.scale == pytest.approx(first.conversion.scale)
    assert corrections.at(480, 640) is first
    assert corrections.at(480, 640).intrinsics == Intrinsics(640, 480, 640.0, 640.0, 319.5, 239.5)
    with pytest.raises(SourceError, match="of another shape"):
        corrections.at(360, 640)
    by_angle = Corrections(manifest, Camera(fov=60.0))
    assert by_angle.at(360, 640).intrinsics.fx == pytest.approx(by_angle.at(480, 640).intrinsics.fx)
    assert by_angle.at(360, 640).intrinsics == camera_from_fov(60.0, 640, 360).intrinsics


def test_options_that_contradict_or_name_nothing(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give only one"):
        Camera(focal_px=500.0, fov=60.0)
    with pytest.raises(SourceError, match=r"no calibration at .*x\.txt"):
        Corrections(manifest, Camera(calibration=tmp_path / "x.txt"))
    with pytest.raises(SourceError, match=r"x\.json"):
        Corrections(manifest, Camera(calibration=tmp_path / "x.json"))
