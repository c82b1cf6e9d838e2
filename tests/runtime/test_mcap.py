"""Recordings for robots, read by rosbags and by MCAP's own reader with its own decoder of ROS 2's messages."""

import sys
from pathlib import Path
from time import time_ns
from typing import Any

import cv2
import numpy as np
import pytest

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import MissingExtraError, OutputError, UnknownCameraError
from clipdepth.frame import DepthFrame
from clipdepth.rooms import RgbdFrame, Room, default_intrinsics
from clipdepth.sinks import open_sink
from clipdepth.sources import Captured
from depth_frames import with_depth

highlevel = pytest.importorskip("rosbags.highlevel")
reader = pytest.importorskip("mcap.reader")
decoder = pytest.importorskip("mcap_ros2.decoder")

STEPS = (0.0, 0.5, 1.25)
TYPES = {
    "/camera/camera_info": "sensor_msgs/msg/CameraInfo",
    "/camera/image_rect/compressed": "sensor_msgs/msg/CompressedImage",
    "/camera/depth": "sensor_msgs/msg/Image",
    "/camera/points": "sensor_msgs/msg/PointCloud2",
}
Messages = dict[str, list[tuple[int, Any]]]
"""Topic by topic, each message with the nanoseconds at which it stands in the recording."""


def by_rosbags(path: Path) -> Messages:
    found: Messages = {}
    with highlevel.AnyReader([path]) as bag:
        for connection, time, data in bag.messages():
            assert connection.msgtype == TYPES.get(connection.topic, "sensor_msgs/msg/Image")
            found.setdefault(connection.topic, []).append((time, bag.deserialize(data, connection.msgtype)))
    return found


def by_mcap(path: Path) -> Messages:
    found: Messages = {}
    with path.open("rb") as file:
        for decoded in reader.make_reader(file, decoder_factories=[decoder.DecoderFactory()]).iter_decoded_messages():
            assert decoded.schema.name == TYPES.get(decoded.channel.topic, "sensor_msgs/msg/Image")
            message = decoded.message.log_time, decoded.decoded_message
            found.setdefault(decoded.channel.topic, []).append(message)
    return found


READERS = pytest.mark.parametrize("read", [by_rosbags, by_mcap], ids=["rosbags", "mcap"])


def views() -> list[tuple[RgbdFrame, DepthFrame]]:
    room = Room(3)
    seen = [room.render(step, default_intrinsics(48, 64)) for step in STEPS]
    frames = [
        with_depth(Captured(each.frame, step, i), each.depth)
        for i, (each, step) in enumerate(zip(seen, STEPS, strict=True))
    ]
    return list(zip(seen, frames, strict=True))


def record(path: Path, frames: list[DepthFrame], **options: Any) -> Path:
    with open_sink(path, 0.3, 6.0, **options) as sink:
        for frame in frames:
            sink.write(frame)
    return path


def stamp_ns(message: Any) -> int:
    stamp = message.header.stamp
    return int(stamp.sec * 1_000_000_000 + (stamp.nanosec if hasattr(stamp, "nanosec") else stamp.nsec))


def array(message: Any, dtype: str) -> np.ndarray:
    return np.frombuffer(bytes(message.data), dtype).reshape(message.height, message.width, -1)


@READERS
def test_a_recording_of_rooms(tmp_path: Path, read: Any) -> None:
    seen = views()
    before = time_ns()
    path = record(tmp_path / "new" / "x.mcap", [frame for _, frame in seen], points=True)
    after = time_ns()
    assert [file.name for file in path.parent.iterdir()] == ["x.mcap"]
    found = read(path)
    assert found.keys() == TYPES.keys()
    for topic, messages in found.items():
        assert len(messages) == len(seen), topic
        times = [time for time, _ in messages]
        assert before - 60e9 < times[0] <= after
        assert [(time - times[0]) / 1e9 for time in times] == list(STEPS)
        assert [stamp_ns(message) for _, message in messages] == times
        assert {message.header.frame_id for _, message in messages} == {"camera_optical_frame"}
        assert times == [time for time, _ in found["/camera/depth"]]
    for index, (truth, frame) in enumerate(seen):
        info, picture, depth, cloud = (found[topic][index][1] for topic in TYPES)
        assert picture.format == "png"
        decoded = cv2.imdecode(np.frombuffer(bytes(picture.data), np.uint8), cv2.IMREAD_UNCHANGED)
        assert (decoded == truth.frame).all()
        assert (depth.encoding, depth.step, depth.is_bigendian) == ("32FC1", 4 * 64, 0)
        metres = array(depth, "<f4")[..., 0]
        assert (metres == truth.depth).all()

        # As depth_image_proc does it, by CameraInfo's K.
        fx, _, cx, _, fy, cy = list(info.k)[:6]
        rows, columns = np.mgrid[:48, :64]
        built = np.stack([(columns - cx) / fx * metres, (rows - cy) / fy * metres, metres], -1)
        np.testing.assert_allclose(built, frame.points(), rtol=1e-6, atol=1e-6)
        assert list(info.k) == truth.intrinsics.matrix.ravel().tolist()
        assert (list(info.p)[:3], list(info.d), info.distortion_model) == ([fx, 0, cx], [0] * 5, "plumb_bob")

        assert [(each.name, each.offset, each.datatype) for each in cloud.fields] == [
            ("x", 0, 7),
            ("y", 4, 7),
            ("z", 8, 7),
            ("rgb", 12, 7),
        ]
        assert (cloud.point_step, cloud.row_step) == (16, 16 * 64)
        assert (array(cloud, "<f4")[..., :3] == frame.points()).all()
        colours = array(cloud, "u1").reshape(48, 64, 16)[..., 12:15]
        assert (colours == truth.frame).all()


def test_unknown_depth_is_nan_and_confidence_is_kept(tmp_path: Path) -> None:
    pinhole = Intrinsics(4, 3, 50.0, 55.0, 1.5, 1.0)
    depth = np.linspace(1, 2, 12, dtype=np.float32).reshape(3, 4)
    depth[0] = np.nan, np.inf, 0, -1
    sure = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    image = np.zeros((3, 4, 3), np.uint8)
    frame = DepthFrame(image, depth, pinhole, raw_confidence=sure, stamp_ns=1_700_000_000_123_456_789)
    found = by_rosbags(record(tmp_path / "x.mcap", [frame], points=True))
    ((time, message),) = found["/camera/depth"]
    assert time == stamp_ns(message) == 1_700_000_000_123_456_789
    metres = array(message, "<f4")[..., 0]
    assert np.isnan(metres[0]).all()
    assert (metres[1:] == depth[1:]).all()
    assert np.isnan(array(found["/camera/points"][0][1], "<f4")[0, :, :3]).all()
    assert (array(found["/camera/confidence"][0][1], "<f4")[..., 0] == sure).all()


def test_a_camera_that_nobody_knows_is_not_calibrated(tmp_path: Path) -> None:
    image, depth = np.zeros((3, 4, 3), np.uint8), np.ones((3, 4), np.float32)
    frame = DepthFrame(image, depth, Intrinsics.unknown(4, 3))
    ((_, info),) = by_rosbags(record(tmp_path / "x.mcap", [frame], has_camera=False))["/camera/camera_info"]
    assert (list(info.k), list(info.p)) == ([0] * 9, [0] * 12)
    with pytest.raises(UnknownCameraError, match="needs the camera's focal length"):
        open_sink(tmp_path / "y.mcap", 0.3, 6.0, has_camera=False, points=True)


def test_an_error_leaves_an_earlier_recording_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x.mcap"
    path.write_bytes(b"earlier")

    def failing() -> None:
        with open_sink(path, 0.3, 6.0) as sink:
            sink.write(views()[0][1])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert [file.name for file in tmp_path.iterdir()] == ["x.mcap"]
    assert path.read_bytes() == b"earlier"


def test_a_recording_without_frames_writes_nothing(tmp_path: Path) -> None:
    record(tmp_path / "x.mcap", [])
    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_recording_are_refused(tmp_path: Path) -> None:
    with (
        open_sink(tmp_path / "x.mcap", 0.3, 6.0),
        pytest.raises(OutputError, match="being written by another run"),
        open_sink(tmp_path / "x.mcap", 0.3, 6.0),
    ):
        pass


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0).uniform(1, 6, (480, 640)).astype(np.float32)
    frame = with_depth(Captured(np.zeros((480, 640, 3), np.uint8), 0.0, 0), noise)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(OSError, match="too large") as raised:
            record(tmp_path / "x.mcap", [frame] * 4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert raised.value.filename == str(tmp_path / "x.mcap")
    assert list(tmp_path.iterdir()) == []


def test_without_the_package_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "clipdepth.sinks.ros.mcap", raising=False)
    monkeypatch.setitem(sys.modules, "mcap.writer", None)
    with pytest.raises(MissingExtraError, match=r"clipdepth\[robots\]"):
        open_sink(tmp_path / "x.mcap", 0.3, 6.0)
