"""The ROS 2 node, on a stand-in for rclpy that is a participant of DDS, seen by another participant on loopback."""

import shlex
import signal
import struct
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from bundles import brightness_confidence, write_bundle
from clipdepth.camera.camera import Camera
from clipdepth.errors import EngineError
from clipdepth.model import DepthModel, load
from clipdepth.ros.__main__ import main
from clipdepth.ros.depth_maker import DepthMaker

pytest.importorskip("cyclonedds")
pytest.importorskip("rosbags")

from ros2_nodes import COMPRESSED, IMAGE, INFO, REMAPPED, STAND_IN, Robot, floats, node_and_robot, stamp
from ros_bags import camera_info, compressed, image

HEIGHT, WIDTH = 48, 64
CENTRE = (WIDTH - 1) / 2, (HEIGHT - 1) / 2
START = 1_700_000_000.25
ROS = Path(__file__).parents[2] / "docs" / "ros"
PICTURE = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
LEVEL = 5 / 255 * 70.0 / (0.9 * WIDTH)
"""How far apart the depths of two grey levels are, with a focal length of 70 pixels, metres."""


def info(focal: float, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Any:
    return camera_info(START, size, (focal, focal), CENTRE)


def told(bundle: Path, **options: Any) -> list[str]:
    parameters = {"bundle": bundle, "engine": "onnxruntime", **options}
    return ["--ros-args", *(word for name, value in parameters.items() for word in ("-p", f"{name}:={value}"))]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "bright")


def launch_command(**given: str) -> list[str]:
    """The command line of docs/ros/launch, with its arguments put in as launch_xml does it."""
    tree = ElementTree.parse(ROS / "launch" / "depth.launch.xml").getroot()
    arguments = {each.attrib["name"]: each.attrib["default"] for each in tree.iter("arg")} | given
    (executable,) = tree.iter("executable")
    command = executable.attrib["cmd"]
    for name, value in arguments.items():
        command = command.replace(f"$(var {name})", value)
    assert "$(" not in command
    return shlex.split(command)


@pytest.fixture(scope="module")
def robot(bundle: Path) -> Iterator[Robot]:
    """Beside the node that the launch file starts."""
    given = {"bundle": str(bundle), "engine": "onnxruntime", "image": IMAGE, "camera_info": INFO}
    with node_and_robot([], launch_command(python=sys.executable, **given)) as (robot, lines):
        yield robot
    assert any(f"{IMAGE} to /clipdepth/depth" in line for line in lines)
    assert sum("16UC1" in line for line in lines) == 1
    assert not any("Traceback" in line for line in lines)


def expected(bundle: Path, picture: np.ndarray, focal: float) -> np.ndarray:
    with load(bundle, engine="onnxruntime", camera=Camera.from_focal(focal)) as model:
        return np.asarray(model(picture).depth)


ALPHA = np.full((HEIGHT, WIDTH, 1), 9, np.uint8)
ENCODED = {
    "bgr8": PICTURE,
    "rgb8": PICTURE[..., ::-1],
    "bgra8": np.concatenate([PICTURE, ALPHA], -1),
    "rgba8": np.concatenate([PICTURE[..., ::-1], ALPHA], -1),
}


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", ENCODED)
def test_depth_is_that_of_the_model(robot: Robot, bundle: Path, encoding: str, padding: int) -> None:
    time = START + 10 * list(ENCODED).index(encoding) + padding
    picture = image(time, encoding, ENCODED[encoding], "front_optical", padding)
    depth = robot.depth(picture, info(70.0))
    assert (depth == expected(bundle, PICTURE, 70.0)).all()
    message = robot.of_stamp("/clipdepth/depth", picture)
    assert (stamp(message), message.header.frame_id) == (stamp(picture), "front_optical")
    straight = robot.until(lambda: robot.of_stamp("/clipdepth/camera_info", picture))
    assert (straight.header.frame_id, list(straight.k)) == ("front_optical", list(info(70.0).k))


def test_the_launch_file_starts_the_node(robot: Robot) -> None:
    assert robot.depth(image(START + 90, "bgr8", PICTURE), info(70.0)).shape == (HEIGHT, WIDTH)
    status = robot.until(lambda: (of := robot.diagnosis()) and "depths per second" in of.message and of)
    assert (status.name, status.level) == ("clipdepth: depth", 0)


def test_pictures_without_colour(robot: Robot, bundle: Path) -> None:
    grey = PICTURE[..., 0]
    depth = robot.depth(image(START + 100, "mono8", grey), info(70.0))
    assert (depth == expected(bundle, np.stack([grey] * 3, -1), 70.0)).all()
    # BT.601 of video range, in the order U Y V Y; 128 is no colour.
    uyvy = np.stack([np.full_like(grey, 128), grey], -1)
    depth = robot.depth(image(START + 101, "yuv422", uyvy), info(70.0))
    level = np.clip(np.rint((grey.astype(float) - 16) * 255 / 219), 0, 255).astype(np.uint8)
    assert np.abs(depth - expected(bundle, np.stack([level] * 3, -1), 70.0)).max() < 1.5 * LEVEL


def test_bytes_have_no_order(robot: Robot, bundle: Path) -> None:
    picture = image(START + 110, "bgr8", PICTURE)
    picture.is_bigendian = 1
    assert (robot.depth(picture, info(70.0)) == expected(bundle, PICTURE, 70.0)).all()


def test_depth_is_no_picture(robot: Robot, bundle: Path) -> None:
    millimetres = image(START + 120, "16UC1", np.ones((HEIGHT, WIDTH), np.uint16))

    def again() -> None:
        robot.send(INFO, info(70.0))
        robot.send(IMAGE, millimetres)

    status = robot.refusal("16UC1", again)
    assert status.message.startswith(f"{IMAGE} has pictures of encoding 16UC1; give one of bgr8, ")
    assert robot.of_stamp("/clipdepth/depth", millimetres) is None
    # The node goes on.
    assert robot.depth(image(START + 121, "bgr8", PICTURE)).shape == (HEIGHT, WIDTH)


SMOOTH = cv2.GaussianBlur(PICTURE, (9, 9), 3)
JPEG, PNG = (cv2.imencode(suffix, SMOOTH)[1].tobytes() for suffix in (".jpg", ".png"))
NOT_DECODED = {
    "cut": ("png", PNG[:-99], f"a compressed picture of {COMPRESSED} is damaged or no image; check its sender"),
    "huge": ("png", PNG[:16] + struct.pack(">II", 30_000, 30_000) + PNG[24:], "has 30000×30000 pixels"),
    "depth": ("16UC1; png compressed ", PNG, f"{COMPRESSED} has pictures of format '16UC1; png compressed '"),
}
"""Formats, files, and what is said of them."""


def test_compressed_pictures_and_the_newest_camera_info(bundle: Path) -> None:
    with node_and_robot([*told(bundle, image_transport="compressed"), *REMAPPED], end=signal.SIGINT) as (robot, lines):
        early = compressed(START, "png", PNG)
        robot.refusal(f"no CameraInfo has come on {INFO}", lambda: robot.film(early))
        robot.refusal("not calibrated", lambda: (robot.send(INFO, info(0.0)), robot.film(early))[0])
        assert robot.heard["/clipdepth/depth"] == []
        for index, focal in enumerate((60.0, 90.0), 1):
            # Twice, for the camera of the first one may still be on its way.
            robot.depth(compressed(START + index, "png", PNG), info(focal))
            depth = robot.depth(compressed(START + index + 0.5, "png", PNG))
            assert (depth == expected(bundle, SMOOTH, focal)).all()
        photo = compressed(START + 3, "bgr8; jpeg compressed bgr8", JPEG, "front_optical")
        robot.depth(photo, info(70.0))
        photo = compressed(START + 3.5, "bgr8; jpeg compressed bgr8", JPEG, "front_optical")
        seen = np.asarray(Image.open(BytesIO(JPEG)).convert("RGB"))[..., ::-1]
        assert np.abs(robot.depth(photo) - expected(bundle, seen, 70.0)).max() <= 2 * LEVEL
        message = robot.of_stamp("/clipdepth/depth", photo)
        assert (stamp(message), message.header.frame_id) == (stamp(photo), "front_optical")
        for form, data, said in NOT_DECODED.values():
            bad = compressed(START + 10, form, data)
            robot.refusal(said, lambda bad=bad: robot.film(bad))
        assert robot.of_stamp("/clipdepth/depth", bad) is None
        wide = info(90.0, (80, 40))
        robot.refusal("of another shape", lambda: (robot.send(INFO, wide), robot.film(early))[0])
        # The node goes on.
        assert robot.depth(compressed(START + 11, "png", PNG), info(70.0)).shape == (HEIGHT, WIDTH)
        robot.until(lambda: all_accounted_for(robot))
        assert int(values(robot)["pictures refused"]) >= 3 + len(NOT_DECODED)
    assert sum("damaged or no image" in line for line in lines) == 1
    assert not any("Traceback" in line for line in lines)


def test_parameters_and_a_burst(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bright", confident=True)
    options = told(bundle, fov=60.0, min_confidence=0.5, publish_cloud=True, frame_id="turret", max_rate=1.0)
    with node_and_robot([*options, *REMAPPED]) as (robot, _):
        first = image(START, "bgr8", PICTURE, "front_optical")
        depth = robot.depth(first)
        sure = brightness_confidence(PICTURE)
        with load(bundle, engine="onnxruntime", camera=Camera.from_fov(60.0)) as model:
            frame = model(PICTURE)
        kept = sure >= 0.5
        assert (np.isnan(depth) == ~kept).all()
        assert (depth[kept] == frame.depth[kept]).all()
        confidence = robot.until(lambda: robot.of_stamp("/clipdepth/confidence", first))
        assert (floats(confidence) == frame.confidence).all()
        cloud = robot.until(lambda: robot.of_stamp("/clipdepth/points", first))
        assert {confidence.header.frame_id, cloud.header.frame_id} == {"turret"}
        points = np.frombuffer(bytes(cloud.data), "<f4").reshape(HEIGHT, WIDTH, 4)[..., :3]
        assert (points[kept] == frame.points()[kept]).all()

        # While the node rests, as its rate says, 20 pictures come; it takes the last one next.
        burst = [image(START + 1 + index, "bgr8", PICTURE) for index in range(20)]
        for picture in burst:
            robot.send(IMAGE, picture)
        robot.until(lambda: robot.of_stamp("/clipdepth/depth", burst[-1]))
        assert [stamp(each) for each in robot.heard["/clipdepth/depth"]].count(stamp(burst[-1])) == 1
        answered = [picture for picture in burst if robot.of_stamp("/clipdepth/depth", picture)]
        assert len(answered) <= 2
        robot.until(lambda: all_accounted_for(robot) and int(values(robot)["pictures dropped for newer ones"]) > 0)


def values(robot: Robot) -> dict[str, str]:
    status = robot.diagnosis()
    return {each.key: each.value for each in status.values} if status else {}


def all_accounted_for(robot: Robot) -> bool:
    """Whether no picture waits any more."""
    names = ("pictures received", "depths published", "pictures dropped for newer ones", "pictures refused")
    received, published, dropped, refused = (int(values(robot).get(name, 0)) for name in names)
    return received > 0 and received == published + dropped + refused


class BrokenEngine:
    name, device = "broken", "CPU"

    def infer(self, frames: np.ndarray) -> Any:
        raise EngineError(f"no answer to {frames.shape}")


def test_an_engine_that_fails_ends_the_work(bundle: Path) -> None:
    failed: SimpleQueue[BaseException] = SimpleQueue()
    refused: list[str] = []
    with load(bundle, engine="onnxruntime") as model:
        broken: Any = BrokenEngine()
        whole = DepthModel(model.bundle, broken, "fp32")
        with DepthMaker(whole, (IMAGE, INFO), lambda *_: None, refused.append, failed.put) as maker:
            maker.take_info(info(70.0))
            maker.take_picture(image(START, "bgr8", PICTURE))
            error = failed.get(timeout=30)
    assert isinstance(error, EngineError)
    assert refused == []


def test_the_package_installs_the_launch_file() -> None:
    package = ElementTree.parse(ROS / "package.xml").getroot()
    assert package.attrib["format"] == "3"
    needed = {"name", "version", "description", "maintainer", "license"}
    assert needed <= {each.tag for each in package}
    assert f"project({package.findtext('name')})" in (ROS / "CMakeLists.txt").read_text()


@pytest.fixture
def ros_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before, modules = signal.getsignal(signal.SIGTERM), set(sys.modules)
    monkeypatch.syspath_prepend(STAND_IN)
    monkeypatch.setenv("ROS_DOMAIN_ID", "0")
    yield
    signal.signal(signal.SIGTERM, before)
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] == "rclpy" or name.partition(".")[0].endswith("_msgs"):
            del sys.modules[name]


@pytest.mark.usefixtures("ros_here")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"bundle": "''"}, "the parameter bundle is empty; name a model"),
        ({"bundle": "no-such"}, "no-such"),
        ({"fov": 60}, "parameter 'fov' to '60' of another type; it is a float such as 0.0"),
        ({"fov": 270.0}, "a field of view of 270° cannot be"),
        ({"min_confidence": 0.5}, "does not state how sure it is"),
        ({"min_confidence": 1.5}, "min_confidence 1.5 cannot be"),
        ({"max_rate": -1.0}, "max_rate -1 cannot be"),
        ({"threads": -1}, "threads -1 cannot be"),
        ({"image_transport": "theora"}, "image_transport 'theora' cannot be; give raw or compressed"),
        ({"engine": "abacus"}, "abacus"),
    ],
)
def test_parameters_that_make_no_sense(
    bundle: Path, given: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(told(**{"bundle": bundle, **given})) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("clipdepth: error: ")
    assert said in line


@pytest.mark.usefixtures("ros_here")
def test_depth_that_is_not_in_metres_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(told(write_bundle(tmp_path / "relative", kind="disparity"))) == 2
    assert "depth in metres" in capsys.readouterr().err
    assert main(["--bundle", "edge-nyu"]) == 2
    assert "python -m clipdepth.ros --help" in capsys.readouterr().err


def test_without_ros_a_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rclpy", None)
    assert main(["--ros-args", "-p", "bundle:=edge-nyu"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "source a ROS 2 setup" in line
    assert "Humble has Python 3.10, Jazzy and Kilted have 3.12" in line
    assert main(["--help"]) == 0
    assert "publish_cloud" in capsys.readouterr().out
