"""Bags of ROS as sources: what the sink recorded, and what rosbags wrote."""

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bundles import write_bundle
from clipdepth.camera.camera import Camera
from clipdepth.cli import main
from clipdepth.errors import MissingExtraError, SourceError
from clipdepth.model import load
from clipdepth.sinks import open_sink
from clipdepth.sources import SourceOptions, open_source

pytest.importorskip("rosbags")
pytest.importorskip("mcap")

from ros_bags import ROS1, camera_info, compressed, image, write_bag

SIZE = 64, 48
FOCAL, CENTRE = (60.5, 61.25), (30.125, 24.75)
TOPIC, INFO = "/front/image_raw", "/front/camera_info"
START = 1_700_000_000.0
PICTURES = [np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8) for seed in range(3)]


def messages(model: str = "plumb_bob", distortion: Any = (), store: Any = None) -> list[tuple[str, float, Any]]:
    of = {"store": store} if store else {}
    found = [(INFO, START, camera_info(START, SIZE, FOCAL, CENTRE, distortion, model, **of))]
    for index, picture in enumerate(PICTURES):
        time = START + index / 4
        found.append((TOPIC, time + 0.02, image(time, "bgr8", picture, **of)))
    return found


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "bright")


@pytest.mark.parametrize("kind", ["sqlite", "mcap", "mcap by itself", "ros1"])
def test_pictures_with_their_times_and_their_camera(tmp_path: Path, kind: str) -> None:
    if kind == "ros1":
        path = write_bag(tmp_path / "walk.bag", messages(store=ROS1), "ros1")
    else:
        path = write_bag(tmp_path / "walk", messages(), "sqlite" if kind == "sqlite" else "mcap")
    if kind == "mcap by itself":
        path = next(path.glob("*.mcap")).rename(tmp_path / "walk.mcap")
    with open_source(str(path)) as source:
        assert (source.name, source.live, source.timed, source.frame_count) == (str(path), False, True, 3)
        frames = list(source)
    for index, (frame, picture) in enumerate(zip(frames, PICTURES, strict=True)):
        assert (frame.frame == picture).all()
        assert (frame.index, frame.time) == (index, index / 4)
        assert frame.stamp_ns == round(START * 1e9) + index * 250_000_000
        assert frame.camera is not None
        pinhole = frame.camera.intrinsics
        assert ((pinhole.fx, pinhole.fy), (pinhole.cx, pinhole.cy), pinhole.origin) == (FOCAL, CENTRE, "metadata")


def project(points: np.ndarray, model: str, distortion: tuple[float, ...]) -> np.ndarray:
    matrix = np.array([[FOCAL[0], 0, CENTRE[0]], [0, FOCAL[1], CENTRE[1]], [0, 0, 1]])
    bend = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
    pixels, _ = bend(points[:, None], np.zeros(3), np.zeros(3), matrix, np.array(distortion))
    return np.asarray(pixels)[:, 0]


@pytest.mark.parametrize(
    ("model", "distortion"),
    [
        ("plumb_bob", (-0.2, 0.05, 0.001, -0.002, 0.01)),
        ("rational_polynomial", (-0.2, 0.05, 0.001, -0.002, 0.01, 0.02, 0.01, 0.001)),
        ("equidistant", (0.05, -0.01, 0.002, 0.0)),
    ],
)
def test_a_lens_that_bends_is_undone(tmp_path: Path, bundle: Path, model: str, distortion: tuple[float, ...]) -> None:
    path = write_bag(tmp_path / "bag", messages(model, distortion), "mcap")
    with load(bundle, engine="onnxruntime") as loaded:
        frame = next(loaded.stream(path))
    straight = frame.intrinsics
    # Each straight pixel shows what lies on its ray, which the bent picture has where OpenCV projects it to.
    rows, columns = np.mgrid[4:44:8, 4:60:8].reshape(2, -1)
    rays = np.stack([(columns - straight.cx) / straight.fx, (rows - straight.cy) / straight.fy, columns * 0 + 1.0], -1)
    x, y = project(rays, model, distortion).astype(np.float32).T
    bent = cv2.remap(PICTURES[0], x[None], y[None], cv2.INTER_LINEAR)[0]
    assert np.abs(bent.astype(int) - frame.image[rows, columns].astype(int)).max() <= 12
    assert frame.intrinsics.origin == "metadata"


def test_a_recording_read_back_gives_the_same_depth_to_the_bit(tmp_path: Path, bundle: Path) -> None:
    path, camera = tmp_path / "x.mcap", Camera(fov=71.3)
    with load(bundle, engine="onnxruntime", camera=camera) as model, open_sink(path, 0.3, 6.0) as sink:
        first = list(model.stream(write_bag(tmp_path / "bag", messages())))
        for frame in first:
            sink.write(frame)
    with load(bundle, engine="onnxruntime") as model:
        second = list(model.stream(path))
    for one, other in zip(first, second, strict=True):
        assert (one.image == other.image).all()
        assert (one.depth == other.depth).all()
        assert (one.points() == other.points()).all()
        assert (one.time, one.stamp_ns) == (other.time, other.stamp_ns)


def test_run_records_and_reads_again(tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "one.mcap", tmp_path / "two.mcap"
    common = (str(bundle), "--engine", "onnxruntime", "--points")
    assert main(["run", *common, "--source", "rooms:4", "--frames", "3", "--output", str(first)]) == 0
    assert main(["run", *common, "--source", str(first), "--output", str(second)]) == 0
    assert "by the file's own metadata" in capsys.readouterr().out
    from rosbags.highlevel import AnyReader

    def content(path: Path) -> list[tuple[str, int, bytes]]:
        with AnyReader([path]) as bag:
            return [(of.topic, time, bytes(data)) for of, time, data in bag.messages()]

    assert len(content(first)) == 4 * 3
    assert content(first) == content(second)


def test_topics_are_chosen_by_name_or_asked_for(tmp_path: Path) -> None:
    other = ("/rear/image_raw", START, image(START, "bgr8", PICTURES[0]))
    depth = ("/front/depth/image_raw", START, image(START, "16UC1", np.ones((48, 64), np.uint16)))
    path = write_bag(tmp_path / "bag", [*messages(), other, depth])
    with pytest.raises(SourceError, match=r"several topics of picture: /front/.*, /rear/.*; give one with --topic"):
        open_source(str(path))
    with pytest.raises(SourceError, match=r"no pictures in topic /left, but in .*/rear/.*; give another --topic"):
        open_source(str(path), SourceOptions(topic="/left"))
    with open_source(str(path), SourceOptions(topic=TOPIC)) as source:
        assert len(list(source)) == 3


def test_pictures_without_a_camera_or_of_one_that_is_not_calibrated(tmp_path: Path) -> None:
    pictures = messages()[1:]
    path = write_bag(tmp_path / "none", pictures)
    with open_source(str(path)) as source:
        assert [frame.camera for frame in source] == [None] * 3
    uncalibrated = (INFO, START, camera_info(START, SIZE, (0, 0), (0, 0)))
    path = write_bag(tmp_path / "zero", [uncalibrated, *pictures])
    with open_source(str(path)) as source:
        assert [frame.camera for frame in source] == [None] * 3


def test_a_camera_info_that_comes_after_its_picture_counts(tmp_path: Path) -> None:
    info, *pictures = messages()
    path = write_bag(tmp_path / "bag", [*pictures, (info[0], START + 9, info[2])])
    with open_source(str(path)) as source:
        assert all(frame.camera is not None for frame in source)


def test_what_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], bundle: Path) -> None:
    (tmp_path / "cut.mcap").write_bytes(b"\x89MCAP0\r\n")
    with pytest.raises(SourceError, match=r"cut\.mcap is damaged or no bag"):
        open_source(str(tmp_path / "cut.mcap"))
    sdk = [("/device_0/sensor_1/Color_0/image/data", START, messages()[1][2])]
    with pytest.raises(SourceError, match="recording of RealSense's SDK; read it as 'realsense://"):
        open_source(str(write_bag(tmp_path / "sdk", sdk)))
    path = write_bag(tmp_path / "lens", messages("omni", (0.1, 0.2, 0.3, 0.4)))
    with open_source(str(path)) as source, pytest.raises(SourceError, match="omni, a model of lenses that is not"):
        list(source)
    damaged = [(TOPIC, START, compressed(START, "png", b"\x89PNG rest"))]
    path = write_bag(tmp_path / "png", damaged)
    with open_source(str(path)) as source, pytest.raises(SourceError, match="/front/image_raw"):
        list(source)
    assert main(["run", str(bundle), "--source", "rooms", "--topic", "/x"]) == 2
    assert "--topic is for bags of ROS" in capsys.readouterr().err
    assert main(["run", str(bundle), "--source", "rooms", "--points"]) == 2
    assert "--points is for --output x.mcap" in capsys.readouterr().err


def test_a_bag_is_closed_during_a_read(tmp_path: Path) -> None:
    source = open_source(str(write_bag(tmp_path / "bag", messages(), "mcap")))
    frames = iter(source)
    next(frames)
    source.close()
    assert list(frames) == []


def test_without_rosbags_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_bag(tmp_path / "bag", messages())
    monkeypatch.setitem(sys.modules, "rosbags.highlevel", None)
    with pytest.raises(MissingExtraError, match=r"clipdepth\[robots\]"):
        open_source(str(path))
