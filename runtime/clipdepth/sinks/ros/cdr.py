"""Messages of ROS 2 as it stores and sends them: CDR, each with the text of its type."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from time import monotonic_ns, time_ns
from typing import Any

from rosbags.typesys import Stores, get_typestore

from clipdepth.frame import DepthFrame
from clipdepth.sinks.ros.messages import Coding, Messages

ROS = get_typestore(Stores.ROS2_HUMBLE)
"""The oldest release that is in use: the types are the same in all later ones."""


@dataclass(frozen=True)
class Encoded:
    """A message of a topic."""

    topic: str
    type: str
    """Such as sensor_msgs/msg/Image."""
    data: bytes
    """CDR."""


class FrameEncoder:
    """Encodes frames: picture, depth, camera, points if asked for, and confidence and measured depth if there is any.

    `camera` is the namespace of the topics. Depth is along the straight picture's optical axis, and the camera is that
    picture's pinhole, so one CameraInfo is for all.
    """

    def __init__(self, camera: str = "/camera", points: bool = False, coding: Coding = "png") -> None:
        self._camera, self._points, self._coding = camera, points, coding
        self._messages = Messages(ROS.types.__getitem__)
        self._start_ns: int | None = None

    def encode(
        self, frame: DepthFrame, wanted: Callable[[str], bool] = lambda topic: True
    ) -> tuple[int, list[Encoded]]:
        """When the frame was taken, Unix time in nanoseconds, and its messages of `wanted` topics, with that stamp.

        Raises NotMetricError where depth is not metric, UnknownCameraError for points without a camera.
        """
        stamp = self._stamp_ns(frame)
        made = ((f"{self._camera}/{topic}", make) for topic, make in self._made(frame, self._messages.header(stamp)))
        return stamp, [_encoded(topic, make()) for topic, make in made if wanted(topic)]

    def _made(self, frame: DepthFrame, header: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
        """What makes the message of each topic."""
        of = self._messages
        yield from of.of_depth(header, frame, self._points)
        yield "image_rect/compressed", lambda: of.picture(header, frame.image, self._coding)

    def _stamp_ns(self, frame: DepthFrame) -> int:
        if frame.stamp_ns is not None:
            return frame.stamp_ns
        if self._start_ns is None:
            taken = time_ns() - (monotonic_ns() - frame.captured_ns)
            self._start_ns = taken - round(frame.time * 1e9)
        return self._start_ns + round(frame.time * 1e9)


def _encoded(topic: str, message: Any) -> Encoded:
    return Encoded(topic, message.__msgtype__, bytes(ROS.serialize_cdr(message, message.__msgtype__)))


@cache
def definition(name: str) -> str:
    """The text of a message type and of those within it, as recordings keep it ('ros2msg')."""
    return ROS.generate_msgdef(name, ros_version=2)[0]
