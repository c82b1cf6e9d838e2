"""Bags of ROS 1 and 2 in miniature, written by rosbags."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rosbags import rosbag1, rosbag2
from rosbags.typesys import Stores, get_typestore

ROS2, ROS1 = get_typestore(Stores.ROS2_HUMBLE), get_typestore(Stores.ROS1_NOETIC)
FRAME = "camera_color_optical_frame"
COLOUR, DEPTH = "/camera/color/image_raw", "/camera/aligned_depth_to_color/image_raw"
INFO = "/camera/color/camera_info"
Message = tuple[str, float, Any]
"""Topic, seconds, and message."""
Form = Literal["sqlite", "mcap", "ros1"]


def header(time: float, frame: str = FRAME, store: Any = ROS2) -> Any:
    """A header that was stamped at `time`, seconds."""
    types = store.types
    stamp = types["builtin_interfaces/msg/Time"](sec=int(time), nanosec=round((time - int(time)) * 1e9))
    sequence = {"seq": 0} if store is ROS1 else {}
    return types["std_msgs/msg/Header"](**sequence, stamp=stamp, frame_id=frame)


def image(
    time: float, encoding: str, pixels: NDArray[Any], frame: str = FRAME, padding: int = 0, store: Any = ROS2
) -> Any:
    """A sensor_msgs/Image of `pixels`, (H, W) or (H, W, C), whose rows end with `padding` bytes."""
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(height, -1)
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return store.types["sensor_msgs/msg/Image"](
        header=header(time, frame, store),
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=int(pixels.dtype.byteorder == ">"),
        step=data.shape[1],
        data=data.reshape(-1),
    )


def compressed(time: float, form: str, data: bytes, frame: str = FRAME) -> Any:
    """A sensor_msgs/CompressedImage."""
    pixels = np.frombuffer(data, np.uint8)
    return ROS2.types["sensor_msgs/msg/CompressedImage"](header=header(time, frame), format=form, data=pixels)


def camera_info(
    time: float,
    size: tuple[int, int],
    focal: tuple[float, float],
    centre: tuple[float, float],
    distortion: Sequence[float] = (),
    model: str = "plumb_bob",
    store: Any = ROS2,
) -> Any:
    """A sensor_msgs/CameraInfo of width and height; its P has twice the focal lengths of its K."""
    (fx, fy), (cx, cy) = focal, centre
    capital = str.upper if store is ROS1 else str
    matrices = {
        "d": np.array(distortion, float),
        "k": np.array([fx, 0, cx, 0, fy, cy, 0, 0, 1], float),
        "r": np.eye(3).ravel(),
        "p": np.array([2 * fx, 0, cx, 0, 0, 2 * fy, cy, 0, 0, 0, 1, 0], float),
    }
    roi = store.types["sensor_msgs/msg/RegionOfInterest"](x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    return store.types["sensor_msgs/msg/CameraInfo"](
        header=header(time, store=store),
        height=size[1],
        width=size[0],
        distortion_model=model,
        binning_x=0,
        binning_y=0,
        roi=roi,
        **{capital(name): value for name, value in matrices.items()},
    )


def write_bag(path: Path, messages: Sequence[Message], form: Form = "sqlite") -> Path:
    """A .bag file for 'ros1', else a folder with metadata.yaml and a file of that form."""
    store, encode = (ROS1, ROS1.serialize_ros1) if form == "ros1" else (ROS2, ROS2.serialize_cdr)
    with _writer(path, form) as bag:
        connections = {
            topic: bag.add_connection(topic, message.__msgtype__, typestore=store)
            for topic, message in {topic: message for topic, _, message in messages}.items()
        }
        for topic, time, message in messages:
            bag.write(connections[topic], round(time * 1e9), encode(message, message.__msgtype__))
    return path


def _writer(path: Path, form: Form) -> Any:
    if form == "ros1":
        return rosbag1.Writer(path)
    plugin = rosbag2.StoragePlugin.MCAP if form == "mcap" else rosbag2.StoragePlugin.SQLITE3
    return rosbag2.Writer(path, version=9, storage_plugin=plugin)
