"""`clipdepth.load` and what it makes, against the graph's closed form and the renderer's exact depth."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import clipdepth
from bundles import brightness_depth, write_bundle
from clipdepth.bundle.folder import open_bundle
from clipdepth.camera.resize import resize_depth, resize_frame
from clipdepth.frame import DepthFrame
from clipdepth.rooms import Room, default_intrinsics
from clipdepth.sources.frames import FramesSource
from slow_stages import threads


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "b.bundle", precisions=("fp32", "fp16"), tolerance=1e-3)


@pytest.fixture
def model(bundle: Path) -> Iterator[clipdepth.DepthModel]:
    with clipdepth.load(bundle, engine="onnxruntime", threads=1) as loaded:
        yield loaded


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)


def test_a_picture_of_any_size_comes_back_with_its_depth(model: clipdepth.DepthModel, picture: np.ndarray) -> None:
    frame = model(picture)
    # 16:9 in 4:3: 36 rows of 48, the others are filled and thrown away.
    small = brightness_depth(resize_frame(picture, 36, 64))
    assert frame.image is picture
    np.testing.assert_allclose(frame.raw, small, rtol=1e-6)
    np.testing.assert_allclose(frame.depth, resize_depth(small, 90, 160), rtol=1e-6)
    assert frame.depth.dtype == np.float32
    assert (frame.index, frame.time, frame.source) == (0, 0.0, "image")
    image, depth = frame
    assert image is picture
    assert depth is frame.depth


def test_its_pinhole_is_the_training_cameras_unless_a_camera_is_told(bundle: Path, picture: np.ndarray) -> None:
    trained = open_bundle(bundle).manifest.camera
    wide = clipdepth.Camera.from_fov(90)
    with clipdepth.load(bundle, engine="onnxruntime") as plain, clipdepth.load(bundle, camera=wide) as told:
        frame, other = plain(picture), told(picture)
    assert frame.intrinsics.fx == pytest.approx(trained.fx * 160 / 64)
    assert (plain_camera := frame.intrinsics).assumed
    assert plain_camera.fx == plain_camera.fy
    # 160 pixels that see 90°.
    assert (other.intrinsics.fx, other.intrinsics.fy, other.intrinsics.assumed) == pytest.approx((80, 80, False))
    ratio = 80 * 64 / 160 / trained.fx
    np.testing.assert_allclose(other.depth, frame.depth * ratio, rtol=1e-5)


def test_points_lie_on_the_rooms_surfaces() -> None:
    room, pinhole = Room(1), default_intrinsics(48, 64)
    view = room.render(2.0, pinhole)
    seen = DepthFrame(view.frame, view.depth, pinhole).points()
    assert (seen.shape, seen.dtype) == ((48, 64, 3), np.float32)
    world = seen.reshape(-1, 3) @ view.pose[:3, :3].T + view.pose[:3, 3]
    gaps = np.stack([np.abs(shape.distance(world)) for shape in room.shapes])
    to_shell = np.minimum(world, room.size - world).min(1)
    assert np.minimum(gaps.min(0), np.abs(to_shell)).max() < 5e-5
    np.testing.assert_array_equal(seen[..., 2], view.depth)


def test_a_bundle_that_is_open_is_not_opened_again(tmp_path: Path, picture: np.ndarray) -> None:
    path = write_bundle(tmp_path / "loose.bundle", tolerance=10.0)
    with pytest.raises(clipdepth.BundleError, match="tolerance"):
        clipdepth.load(path)
    opened = open_bundle(path, any_tolerance=True)
    with clipdepth.load(opened, engine="onnxruntime") as model:
        assert model.bundle is opened
        np.testing.assert_allclose(model(picture).raw, brightness_depth(resize_frame(picture, 36, 64)), rtol=1e-6)


def test_a_stream_gives_what_single_pictures_do(model: clipdepth.DepthModel) -> None:
    given = list(np.random.default_rng(1).integers(0, 256, (5, 40, 60, 3), dtype=np.uint8))
    frames = list(model.stream(given))
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert {frame.source for frame in frames} == {"frames"}
    for frame, picture in zip(frames, given, strict=True):
        np.testing.assert_array_equal(frame.depth, model(picture).depth)
    assert model(given[0]).depth.shape == (40, 60)  # the model outlives its stream
    assert threads() == []


def test_arguments_are_checked_at_the_call(model: clipdepth.DepthModel, bundle: Path) -> None:
    with pytest.raises(clipdepth.SourceError, match="nowhere"):
        model.stream("nowhere.mp4")
    with pytest.raises(clipdepth.SourceError, match="nowhere"):
        clipdepth.stream(bundle, "nowhere.mp4")
    with pytest.raises(clipdepth.BundleError):
        clipdepth.stream(bundle / "none", "rooms")
    with pytest.raises(clipdepth.SourceError, match=r"^the image is a list; give an array"):
        model([[0]])  # type: ignore[arg-type]
    with pytest.raises(clipdepth.SourceError, match=r"^the image is float64 of shape \(4, 4, 3\)"):
        model(np.zeros((4, 4, 3)))  # type: ignore[arg-type]


def test_a_stream_that_nobody_asked_for_a_frame_closes_its_source(
    model: clipdepth.DepthModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []

    class Watched(FramesSource):
        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr("clipdepth.model.open_source", lambda *_: Watched([]))
    stream = model.stream("a camera")
    assert not closed
    del stream
    assert closed
    assert threads() == []


def test_the_model_is_verified_and_says_what_it_is(model: clipdepth.DepthModel) -> None:
    assert model.verify().passed
    assert (model.engine.name, model.precision) == ("onnxruntime", "fp32")
    assert model.choice is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"fov": 200.0}, "a field of view of 200° cannot be"),
        ({"focal_px": -1.0}, "a focal length of -1 pixels cannot be"),
        ({"fov": 60.0, "focal_px": 500.0}, "known by one of focal_px, fov and calibration"),
    ],
)
def test_a_camera_that_cannot_be_is_refused_without_a_word_of_options(given: dict[str, float], told: str) -> None:
    with pytest.raises(clipdepth.UsageError, match=told) as error:
        clipdepth.Camera(**given)  # type: ignore[arg-type]
    assert "--" not in str(error.value)


def test_public_names() -> None:
    assert set(dir(clipdepth)) >= {"Camera", "CameraMode", "DepthFrame", "DepthModel", "load", "read_depth", "stream"}
    for name in clipdepth.__all__:
        assert getattr(clipdepth, name).__doc__ if name != "__version__" else clipdepth.__version__
