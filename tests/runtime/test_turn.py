"""Cameras that hang on their side: rooms seen by them, against the same rooms seen by an upright camera."""

from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bundles import write_bundle
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.manifest import Manifest
from clipdepth.camera.camera import Camera
from clipdepth.camera.corrections import Corrections
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.turn import Turn
from clipdepth.cli import main
from clipdepth.errors import UsageError
from clipdepth.pipeline.optics import Optics
from clipdepth.rooms import Room
from clipdepth.sources import Captured

TURNS = list(product((0, 90, 180, 270), (False, True)))
PINHOLE = Intrinsics(64, 48, 50.0, 56.0, 29.0, 26.5)
"""Off the middle, and wider than high in every way."""
ROLLS = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}
"""Cosine and sine of the clockwise roll of the picture, which takes x to the right and y down."""


def rolled(points: NDArray[np.float64], rotate: int, mirror: bool) -> NDArray[np.float64]:
    """Points of an upright camera, (N, 3), x right, y down, z forward, as the turned picture's camera has them."""
    cosine, sine = ROLLS[rotate]
    matrix = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    return points @ (np.diag([-1 if mirror else 1, 1, 1]) @ matrix).T


def cloud(depth: NDArray[np.float32], pinhole: Intrinsics) -> NDArray[np.float64]:
    """Every pixel's point, (H, W, 3)."""
    assert depth.shape == (pinhole.height, pinhole.width)
    y, x = np.mgrid[: pinhole.height, : pinhole.width]
    rays = np.stack([(x - pinhole.cx) / pinhole.fx, (y - pinhole.cy) / pinhole.fy, np.ones(x.shape)], 2)
    return rays * depth[..., None].astype(np.float64)


def turned_by_numpy(array: np.ndarray, rotate: int, mirror: bool) -> np.ndarray:
    """NumPy's rot90 goes anticlockwise."""
    turned = np.rot90(array, -rotate // 90)
    return turned[:, ::-1] if mirror else turned


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    path = tmp_path_factory.mktemp("b") / "b"
    return open_bundle(write_bundle(path, 48, 64, other_sizes=((64, 48),))).manifest


def calibration(tmp_path: Path, distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)) -> Path:
    """PINHOLE in a file of ROS's kind."""
    pinhole, path = PINHOLE, tmp_path / "camera.yaml"
    k = f"[{pinhole.fx}, 0, {pinhole.cx}, 0, {pinhole.fy}, {pinhole.cy}, 0, 0, 1]"
    path.write_text(
        f"image_width: {pinhole.width}\nimage_height: {pinhole.height}\ncamera_name: c\n"
        f"camera_matrix: {{rows: 3, cols: 3, data: {k}}}\ndistortion_model: plumb_bob\n"
        f"distortion_coefficients: {{rows: 1, cols: 5, data: {[*distortion, 0.0]}}}\n"
    )
    return path


@pytest.mark.parametrize(("rotate", "mirror"), TURNS)
def test_points_of_a_turned_camera_are_those_of_the_upright_one_rolled(
    manifest: Manifest, tmp_path: Path, rotate: int, mirror: bool
) -> None:
    """With the exact depth of a room: a wrong cx, cy, fx or fy moves points by centimetres."""
    seen = Room(3).render(1.0, PINHOLE)
    camera = Camera(calibration=calibration(tmp_path), rotate=rotate, mirror=mirror)
    prepared = Optics(manifest.inputs, Corrections(manifest, camera)).prepare(Captured(seen.frame, 0.0, 0))
    assert prepared.correction
    np.testing.assert_array_equal(prepared.captured.frame, turned_by_numpy(seen.frame, rotate, mirror))
    assert prepared.captured.frame.flags.c_contiguous
    points = cloud(turned_by_numpy(seen.depth, rotate, mirror), prepared.correction.intrinsics)
    upright = turned_by_numpy(cloud(seen.depth, PINHOLE), rotate, mirror)
    np.testing.assert_allclose(points.reshape(-1, 3), rolled(upright.reshape(-1, 3), rotate, mirror), atol=1e-6)


@pytest.mark.parametrize(("rotate", "mirror"), TURNS)
def test_a_pixels_place_after_the_turn_holds_its_colour(rotate: int, mirror: bool) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (PINHOLE.height, PINHOLE.width, 3), dtype=np.uint8)
    turn = Turn(rotate, mirror)
    pixels = np.array([[0, 0], [63, 0], [0, 47], [63, 47], [20, 31]], float)
    places = turn.points(pixels, turn.intrinsics(PINHOLE)).astype(int)
    (x, y), (u, v) = pixels.astype(int).T, places.T
    np.testing.assert_array_equal(turn.frame(frame)[v, u], frame[y, x])


@pytest.mark.parametrize("rotate", [90, 270])
def test_an_upright_picture_takes_the_networks_upright_size_and_its_metres(manifest: Manifest, rotate: int) -> None:
    """The angle across the width is told of the camera's own pictures."""
    frame = np.zeros((480, 640, 3), np.uint8)
    prepared = Optics(manifest.inputs, Corrections(manifest, Camera(fov=60, rotate=rotate))).prepare(
        Captured(frame, 0.0, 0)
    )
    lying = Corrections(manifest, Camera(fov=60)).at(480, 640)
    assert prepared.picture.shape == (64, 48, 3)
    assert prepared.correction
    assert prepared.correction.intrinsics.fx == pytest.approx(320 / np.tan(np.radians(30)))
    assert (prepared.correction.intrinsics.width, prepared.correction.intrinsics.height) == (480, 640)
    assert prepared.correction.conversion.scale == pytest.approx(lying.conversion.scale)


def test_a_lens_is_made_straight_before_the_turn(manifest: Manifest, tmp_path: Path) -> None:
    """Against OpenCV: a point in space, projected through the bent lens, is found where the turned pinhole has it."""
    distortion = (-0.2, 0.05, 0.004, -0.003)
    file = calibration(tmp_path, distortion)
    plain = Corrections(manifest, Camera(calibration=file)).at(48, 64)
    turned = Corrections(manifest, Camera(calibration=file, rotate=90, mirror=True)).at(48, 64)
    frame = Room(3).render(1.0, PINHOLE).frame
    np.testing.assert_array_equal(turned.undistort(frame), turned_by_numpy(plain.undistort(frame), 90, True))
    points = np.array([[0.2, -0.15, 1.0], [-0.3, 0.1, 1.2]])
    bent = cv2.projectPoints(points, np.zeros(3), np.zeros(3), PINHOLE.matrix, np.array(distortion))[0].reshape(-1, 2)
    x, y, z = rolled(points, 90, True).T
    pinhole = turned.intrinsics
    expected = np.stack([pinhole.cx + pinhole.fx * x / z, pinhole.cy + pinhole.fy * y / z], 1)
    np.testing.assert_allclose(turned.undistort_points(bent), expected, atol=0.01)


def test_an_angle_between_is_refused() -> None:
    with pytest.raises(UsageError, match="45°"):
        Camera(rotate=45)


def test_the_command_writes_turned_depth(tmp_path: Path) -> None:
    bundle = str(write_bundle(tmp_path / "b"))
    cv2.imwrite(str(tmp_path / "a.png"), np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    run = ["run", bundle, "--source", str(tmp_path / "a.png"), "--calibration", str(calibration(tmp_path))]
    assert main([*run, "--rotate", "90", "--output", str(tmp_path / "x.npz"), "--engine", "onnxruntime"]) == 0
    with np.load(next(tmp_path.glob("x*.npz"))) as arrays:
        assert arrays["depth"].shape == (64, 48)
        matrix = arrays["intrinsics"]
        np.testing.assert_array_equal(arrays["frame"], np.rot90(cv2.imread(str(tmp_path / "a.png")), -1))
    np.testing.assert_allclose([matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]], [56, 50, 47 - 26.5, 29])


def test_points_that_were_measured_are_of_the_picture_before_the_turn(tmp_path: Path) -> None:
    """The scale that is fitted upside down takes the depth to the measured one there."""
    bundle = str(write_bundle(tmp_path / "b"))
    cv2.imwrite(str(tmp_path / "a.png"), np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    common = [bundle, "--source", str(tmp_path / "a.png"), "--rotate", "180", "--engine", "onnxruntime"]
    fitted = tmp_path / "c.json"
    point = ["--point", "10,12=2.5", "--along", "axis", "--fov", "60"]
    assert main(["calibrate", *common, *point, "--out", str(fitted)]) == 0
    assert main(["run", *common, "--calibration", str(fitted), "--output", str(tmp_path / "x.npz")]) == 0
    with np.load(next(tmp_path.glob("x*.npz"))) as arrays:
        around = arrays["depth"][47 - 12 - 2 : 47 - 12 + 3, 63 - 10 - 2 : 63 - 10 + 3]
    assert np.median(around) == pytest.approx(2.5, rel=0.02)
