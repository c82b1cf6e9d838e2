"""Bags of ROS 2, SQLite and MCAP, and of ROS 1."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from train.dataset_files import listed, picture, prepare, ramp, refused

pytest.importorskip("rosbags")

from ros_bags import (
    COLOUR,
    DEPTH,
    INFO,
    ROS1,
    ROS2,
    Message,
    camera_info,
    compressed,
    image,
    write_bag,
)

SIZE = (8, 6)
START = 1700000000.0


def info(**more: Any) -> Message:
    return INFO, START, camera_info(START, SIZE, (7.5, 7.25), (3.5, 2.75), **more)


def recording(count: int = 10, store: Any = ROS2) -> list[Message]:
    """A picture every 0.1 s, its depth 5 ms later; the fourth depth is lost, and the fifth comes late."""
    messages = [info(store=store)]
    for index in range(count):
        time = START + 0.1 * index
        messages.append((COLOUR, time + 0.01, image(time, "rgb8", picture(20 * index, *SIZE), padding=3, store=store)))
        if index != 3:
            late = 0.15 if index == 4 else 0.02
            millimetres = ramp(1000 * index, *SIZE)
            messages.append((DEPTH, time + late, image(time + 0.005, "16UC1", millimetres, store=store)))
    return sorted(messages, key=lambda message: message[1])


@pytest.mark.parametrize("kind", ["sqlite", "mcap", "mcap by itself", "ros1"])
def test_pictures_depth_and_camera_of_a_bag(tmp_path: Path, kind: str) -> None:
    if kind == "ros1":
        source = write_bag(tmp_path / "walk.bag", recording(store=ROS1), "ros1")
    else:
        source = write_bag(tmp_path / "walk", recording(), "sqlite" if kind == "sqlite" else "mcap")
    if kind == "mcap by itself":
        source = next(source.glob("*.mcap")).rename(tmp_path / "walk.mcap")
    assert prepare("ros2", source, tmp_path / "out") == 0
    lines = [*listed(tmp_path / "out", "train"), *listed(tmp_path / "out", "test")]
    lines.sort(key=lambda line: line.rgb)  # by the time of the picture, where lists are by that of the recording
    assert [round(line.colour[0] / 20) for line in lines] == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert lines[1].colour == pytest.approx((20, 100, 50), abs=3)
    for index, line in zip((0, 1, 2, 4, 5, 6, 7, 8, 9), lines, strict=True):
        assert (line.units == ramp(1000 * index, *SIZE)).all()
        assert line.camera == (7.5, 7.25, 3.5, 2.75)
    assert len(listed(tmp_path / "out", "test")) == 1


def one(picture_message: Any, depth_message: Any, colour: str = COLOUR, depth: str = DEPTH) -> list[Message]:
    return [info(), (colour, START, picture_message), (depth, START, depth_message)]


METRES = np.array([[0.5, np.nan, np.inf], [0, 1.2345, 4.5]], np.float32).repeat(3, 0)[:, [0, 1, 2, 0, 1, 2, 0, 1]]
STORED = np.array([[500, 0, 0], [0, 1234, 4500]]).repeat(3, 0)[:, [0, 1, 2, 0, 1, 2, 0, 1]]


@pytest.mark.parametrize("order", ["<f4", ">f4"])
def test_depth_in_metres(tmp_path: Path, order: str) -> None:
    messages = one(image(START, "rgb8", picture(0, *SIZE)), image(START, "32FC1", METRES.astype(order), padding=4))
    assert prepare("ros2", write_bag(tmp_path / "bag", messages), tmp_path / "out") == 0
    assert np.abs(listed(tmp_path / "out", "test")[0].units - STORED).max() <= 1


RED = (200, 100, 50)


@pytest.mark.parametrize(
    ("encoding", "pixel"),
    [
        ("rgb8", RED),
        ("bgr8", RED[::-1]),
        ("8UC3", RED[::-1]),
        ("rgba8", (*RED, 9)),
        ("bgra8", (*RED[::-1], 9)),
        ("mono8", (120,)),
    ],
)
def test_encodings_of_colour(tmp_path: Path, encoding: str, pixel: tuple[int, ...]) -> None:
    pixels = np.full((6, 8, len(pixel)), pixel, np.uint8)
    messages = one(image(START, encoding, pixels), image(START, "16UC1", ramp(500, *SIZE)))
    assert prepare("ros2", write_bag(tmp_path / "bag", messages), tmp_path / "out") == 0
    (line,) = listed(tmp_path / "out", "test")
    assert line.colour == pytest.approx(RED if len(pixel) > 1 else (120, 120, 120), abs=3)


def mosaic(pattern: str) -> NDArray[np.uint8]:
    """A Bayer picture of the red above: `pattern` has the colours of the first row and the second, two each."""
    value = dict(zip("rgb", RED, strict=True))
    square = np.array([value[letter] for letter in pattern], np.uint8).reshape(2, 2)
    return np.tile(square, (3, 4))


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_pictures(tmp_path: Path, pattern: str) -> None:
    messages = one(image(START, f"bayer_{pattern}8", mosaic(pattern)), image(START, "16UC1", ramp(500, *SIZE)))
    assert prepare("ros2", write_bag(tmp_path / "bag", messages), tmp_path / "out") == 0
    assert listed(tmp_path / "out", "test")[0].colour == pytest.approx(RED, abs=3)


@pytest.mark.parametrize("encoding", ["yuv422", "yuv422_yuy2"])
def test_pictures_of_webcams(tmp_path: Path, encoding: str) -> None:
    # ITU-R BT.601, the red above in Y, U, V.
    y, u, v = 124, 93, 177
    pixels = np.tile(np.array([u, y, v, y] if encoding == "yuv422" else [y, u, y, v], np.uint8), (6, 4)).reshape(
        6, 8, 2
    )
    messages = one(image(START, encoding, pixels), image(START, "16UC1", ramp(500, *SIZE)))
    assert prepare("ros2", write_bag(tmp_path / "bag", messages), tmp_path / "out") == 0
    assert listed(tmp_path / "out", "test")[0].colour == pytest.approx(RED, abs=6)


def encoded(pixels: NDArray[Any], kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=95)
    return file.getvalue()


def quantised() -> bytes:
    """compressed_depth_image_transport's 32FC1: 1 / depth, between a header and a PNG."""
    a, b = 100.0 * (100.0 + 1.0), 1.0 - 100.0 * (100.0 + 1.0) / 10.0
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(np.isfinite(METRES) & (METRES > 0), a / METRES + b, 0)
    return struct.pack("<iff", 0, a, b) + encoded(np.rint(inverse).astype(np.uint16), "PNG")


def test_compressed_pictures_and_depth(tmp_path: Path) -> None:
    rgb = compressed(START, "rgb8; jpeg compressed bgr8", encoded(picture(200, *SIZE), "JPEG"))
    millimetres = struct.pack("<iff", 0, 0, 0) + encoded(ramp(500, *SIZE), "PNG")
    depth = compressed(START, "16UC1; compressedDepth png", millimetres)
    messages = one(rgb, depth, f"{COLOUR}/compressed", f"{DEPTH}/compressedDepth")
    assert prepare("ros2", write_bag(tmp_path / "bag", messages), tmp_path / "out") == 0
    (line,) = listed(tmp_path / "out", "test")
    assert line.colour == pytest.approx(RED, abs=4)
    assert (line.units == ramp(500, *SIZE)).all()


def test_compressed_depth_in_metres(tmp_path: Path) -> None:
    depth = compressed(START, "32FC1; compressedDepth png", quantised())
    messages = one(image(START, "rgb8", picture(0, *SIZE)), depth, depth=f"{DEPTH}/compressedDepth")
    assert prepare("ros2", write_bag(tmp_path / "bag", messages), tmp_path / "out") == 0
    # The transport's own steps: 0.2% of a metre.
    np.testing.assert_allclose(listed(tmp_path / "out", "test")[0].units, STORED, rtol=3e-3)


def test_a_lens_that_bends_is_undone(tmp_path: Path) -> None:
    messages = one(image(START, "rgb8", picture(200, *SIZE)), image(START, "16UC1", np.full((6, 8), 2000, np.uint16)))
    messages[0] = info(distortion=[-0.2, 0.05, 0, 0, 0])
    assert prepare("ros2", write_bag(tmp_path / "bag", messages), tmp_path / "out") == 0
    (line,) = listed(tmp_path / "out", "test")
    assert line.camera[2:] == (3.5, 2.75)
    assert line.camera[0] != 7.5
    assert set(line.units.ravel()) == {2000}


def test_rectified_pictures_have_the_camera_of_p(tmp_path: Path) -> None:
    rgb, depth = image(START, "rgb8", picture(200, *SIZE)), image(START, "16UC1", ramp(500, *SIZE))
    messages = one(rgb, depth, "/camera/color/image_rect")
    messages[0] = info(distortion=[-0.2, 0.05, 0, 0, 0])
    assert prepare("ros2", write_bag(tmp_path / "bag", messages), tmp_path / "out") == 0
    assert listed(tmp_path / "out", "test")[0].camera == (15, 14.5, 3.5, 2.75)


def test_topics_are_chosen_by_name_or_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rgb, depth = image(START, "rgb8", picture(200, *SIZE)), image(START, "16UC1", ramp(500, *SIZE))
    others = [("/left/image_raw", START, rgb), ("/right/image_raw", START, rgb), ("/left/depth", START, depth)]
    bag = write_bag(tmp_path / "bag", [info(), *others])
    told = refused(capsys, "ros2", bag, tmp_path / "out")
    assert "/left/image_raw, /right/image_raw" in told
    assert "--picture-topic" in told
    assert "no pictures in topic /middle" in refused(
        capsys, "ros2", bag, tmp_path / "out", "--picture-topic", "/middle"
    )
    assert prepare("ros2", bag, tmp_path / "out", "--picture-topic", "/right/image_raw") == 0
    # Colour that is named so, and depth that is aligned, come first.
    infrared = ("/camera/infra1/image_rect_raw", START, image(START, "mono8", picture(9, *SIZE)[..., 0]))
    unaligned = ("/camera/depth/image_rect_raw", START, image(START, "16UC1", ramp(9, *SIZE), frame="camera_depth"))
    bag = write_bag(tmp_path / "all", [*one(rgb, depth), *others, infrared, unaligned])
    assert prepare("ros2", bag, tmp_path / "all out") == 0
    assert (listed(tmp_path / "all out", "test")[0].units == ramp(500, *SIZE)).all()


def test_depth_of_another_camera_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rgb = image(START, "rgb8", picture(200, *SIZE))
    depth = image(START, "16UC1", ramp(500, *SIZE), frame="camera_depth_optical_frame")
    bag = write_bag(tmp_path / "bag", one(rgb, depth, depth="/camera/depth/image_rect_raw"))
    assert "seen from camera_depth_optical_frame" in refused(capsys, "ros2", bag, tmp_path / "out")
    asked = ("--depth-topic", "/camera/depth/image_rect_raw")
    assert prepare("ros2", bag, tmp_path / "out", *asked) == 0
    small = image(START, "16UC1", ramp(500, 4, 3))
    bag = write_bag(tmp_path / "small", one(rgb, small))
    assert "has 4×3 pixels, its camera 8×6" in refused(capsys, "ros2", bag, tmp_path / "out2")


def test_damage_and_what_is_missing_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cut.mcap").write_bytes(b"\x89MCAP0\r\n")
    assert "damaged or no bag" in refused(capsys, "ros2", tmp_path / "cut.mcap", tmp_path / "out")
    (tmp_path / "none").mkdir()
    assert "no metadata.yaml" in refused(capsys, "ros2", tmp_path / "none", tmp_path / "out2")
    bag = write_bag(tmp_path / "bag", recording()[1:])
    assert "no /camera/color/camera_info" in refused(capsys, "ros2", bag, tmp_path / "out3")
    rgb, strange = image(START, "rgb16", picture(0, *SIZE)), image(START, "64FC1", np.ones((6, 8)))
    bag = write_bag(tmp_path / "strange", one(rgb, image(START, "16UC1", ramp(0, *SIZE))))
    assert "encoding rgb16" in refused(capsys, "ros2", bag, tmp_path / "out4")
    bag = write_bag(tmp_path / "stranger", one(image(START, "rgb8", picture(0, *SIZE)), strange))
    assert "encoding 64FC1" in refused(capsys, "ros2", bag, tmp_path / "out5")
    sdk = [("/device_0/sensor_1/Color_0/image/data", START, rgb)]
    bag = write_bag(tmp_path / "sdk", sdk)
    assert "recording of RealSense's SDK" in refused(capsys, "ros2", bag, tmp_path / "out6")
