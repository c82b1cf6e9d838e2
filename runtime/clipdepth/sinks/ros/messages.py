"""A frame and its depth as ROS 2's messages, of whatever classes: those of rosbags, or those of rclpy."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import OutputError
from clipdepth.frame import DepthFrame

Types = Callable[[str], Any]
"""The class of a message type such as 'sensor_msgs/msg/Image', which takes its fields by name."""
Coding = Literal["png", "jpeg"]

OPTICAL_FRAME = "camera_optical_frame"
"""The frame of reference: x to the right, y down, z ahead (REP 103)."""
JPEG_QUALITY = 90
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1)
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
_FLOAT32 = 7
"""PointField.FLOAT32"""
OFFSETS = {"x": 0, "y": 4, "z": 8, "rgb": 12}
POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<u4")])
"""A point of a cloud; `rgb` is 0x00RRGGBB, which ROS's tools read from a field of type FLOAT32."""


def keep(array: NDArray[Any]) -> Any:
    """The array itself, as rosbags takes sequences."""
    return array


class Messages:
    """Makes the messages of one camera. `sequence` gives arrays of one axis the type that the classes take."""

    def __init__(self, types: Types, sequence: Callable[[NDArray[Any]], Any] = keep) -> None:
        self._types = types
        self._sequence = sequence

    def of_depth(self, header: Any, frame: DepthFrame, points: bool = False) -> Iterator[tuple[str, Callable[[], Any]]]:
        """The topics of a frame's depth, and what makes the message of each.

        They are camera_info, depth, confidence and measured depth where they are known, and `points` if asked for.
        Raises NotMetricError where depth is not metric, UnknownCameraError for points without a camera.
        """
        # First, so that who reads them in turn knows the camera of each.
        yield "camera_info", lambda: self.camera_info(header, frame.intrinsics)
        yield "depth", lambda: self.floats(header, metres_or_nan(frame))
        confidence = frame.confidence
        if confidence is not None:
            yield "confidence", lambda: self.floats(header, confidence)
        measured = frame.measured
        if measured is not None:
            yield "measured", lambda: self.floats(header, measured)
        if points:
            yield "points", lambda: self.points(header, frame)

    def header(self, stamp_ns: int, frame_id: str = OPTICAL_FRAME) -> Any:
        """std_msgs/Header of a Unix time in nanoseconds."""
        seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
        stamp = self._types("builtin_interfaces/msg/Time")(sec=seconds, nanosec=nanoseconds)
        return self._types("std_msgs/msg/Header")(stamp=stamp, frame_id=frame_id)

    def picture(self, header: Any, image: NDArray[np.uint8], coding: Coding = "png") -> Any:
        """sensor_msgs/CompressedImage of a picture, (H, W, 3) uint8 BGR: 'png' keeps every bit."""
        suffix, options = (".png", _PNG) if coding == "png" else (".jpg", _JPEG)
        try:
            data = cv2.imencode(suffix, image, options)[1]
        except cv2.error as error:
            raise OutputError(f"a picture of {image.shape[1]}×{image.shape[0]} is no {coding} ({error.err})") from None
        compressed = self._types("sensor_msgs/msg/CompressedImage")
        return compressed(header=header, format=coding, data=self._sequence(data.reshape(-1)))

    def floats(self, header: Any, values: NDArray[np.float32]) -> Any:
        """sensor_msgs/Image, 32FC1, of (H, W) float32: depth in metres, NaN where unknown (REP 118), or confidence."""
        height, width = values.shape
        return self._types("sensor_msgs/msg/Image")(
            header=header,
            height=height,
            width=width,
            encoding="32FC1",
            is_bigendian=0,
            step=4 * width,
            data=self._sequence(np.ascontiguousarray(values, "<f4").view(np.uint8).reshape(-1)),
        )

    def camera_info(self, header: Any, pinhole: Intrinsics) -> Any:
        """sensor_msgs/CameraInfo of a straight picture; K of zeros, ROS's 'not calibrated', where it is not known."""
        k, p = np.zeros((3, 3)), np.zeros((3, 4))
        if pinhole.is_known:
            k = p[:, :3] = pinhole.matrix
        whole = self._types("sensor_msgs/msg/RegionOfInterest")(
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        )
        return self._types("sensor_msgs/msg/CameraInfo")(
            header=header,
            height=pinhole.height,
            width=pinhole.width,
            distortion_model="plumb_bob",
            d=self._sequence(np.zeros(5)),
            k=k.reshape(9).copy(),
            r=np.eye(3).reshape(9),
            p=p.reshape(12),
            binning_x=0,
            binning_y=0,
            roi=whole,
        )

    def points(self, header: Any, frame: DepthFrame) -> Any:
        """sensor_msgs/PointCloud2 of `DepthFrame.points` with their colours, in rows as the picture's.

        Points without depth are NaN. Raises as `DepthFrame.points`.
        """
        places = frame.points()
        places[~known(frame.depth)] = np.nan
        height, width = frame.depth.shape
        cloud = np.empty((height, width), POINT)
        for axis, name in enumerate("xyz"):
            cloud[name] = places[..., axis]
        blue, green, red = (frame.image[..., channel].astype(np.uint32) for channel in range(3))
        cloud["rgb"] = red << 16 | green << 8 | blue
        field = self._types("sensor_msgs/msg/PointField")
        return self._types("sensor_msgs/msg/PointCloud2")(
            header=header,
            height=height,
            width=width,
            fields=[field(name=name, offset=at, datatype=_FLOAT32, count=1) for name, at in OFFSETS.items()],
            is_bigendian=False,
            point_step=POINT.itemsize,
            row_step=POINT.itemsize * width,
            data=self._sequence(cloud.view(np.uint8).reshape(-1)),
            is_dense=False,
        )


def known(depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where there is depth."""
    return np.isfinite(depth) & (depth > 0)


def metres_or_nan(frame: DepthFrame) -> NDArray[np.float32]:
    """Depth, (H, W) float32 metres, NaN where it is unknown; raises NotMetricError where it is not metric."""
    depth = frame.metres
    return depth if known(depth).all() else np.where(known(depth), depth, np.float32(np.nan))
