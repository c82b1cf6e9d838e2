"""The ROS 2 node as a process, and beside it another participant of DDS on loopback that films and listens."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
from cyclonedds.domain import DomainParticipant
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic

from dds_types import BEST_EFFORT, LOOPBACK, RELIABLE, dds_of, dds_type, topic_name
from live_servers import free_port

TESTS = Path(__file__).parent
STAND_IN = TESTS / "ros2_stand_in"
IMAGE, INFO = "/front/image_raw", "/front/camera_info"
COMPRESSED = f"{IMAGE}/compressed"
TYPES = {
    IMAGE: "sensor_msgs/msg/Image",
    COMPRESSED: "sensor_msgs/msg/CompressedImage",
    INFO: "sensor_msgs/msg/CameraInfo",
    "/clipdepth/depth": "sensor_msgs/msg/Image",
    "/clipdepth/confidence": "sensor_msgs/msg/Image",
    "/clipdepth/camera_info": "sensor_msgs/msg/CameraInfo",
    "/clipdepth/points": "sensor_msgs/msg/PointCloud2",
    "/diagnostics": "diagnostic_msgs/msg/DiagnosticArray",
}
SENT = IMAGE, COMPRESSED, INFO
REMAPPED = ("-r", f"image:={IMAGE}", "-r", f"camera_info:={INFO}")
NODE = sys.executable, "-m", "clipdepth.ros"
PATIENCE_S, AGAIN_S = 60.0, 0.5


class Robot:
    """Sends pictures and cameras, and keeps what it hears, topic by topic."""

    def __init__(self, domain: int) -> None:
        self._participant = DomainParticipant(domain)
        self._writers = {topic: DataWriter(self._participant, self._topic(topic), RELIABLE) for topic in SENT}
        self._readers = {
            topic: DataReader(
                self._participant, self._topic(topic), RELIABLE if topic == "/diagnostics" else BEST_EFFORT
            )
            for topic in TYPES
            if topic not in SENT
        }
        self.heard: dict[str, list[Any]] = {topic: [] for topic in self._readers}

    def send(self, topic: str, message: Any) -> None:
        """Publish a message of rosbags' classes."""
        self._writers[topic].write(dds_of(message, TYPES[topic]))

    def film(self, picture: Any) -> None:
        """Publish a picture, on the topic of those that are compressed if it is."""
        self.send(COMPRESSED if hasattr(picture, "format") else IMAGE, picture)

    def hear(self) -> None:
        """Take what has come."""
        for topic, reader in self._readers.items():
            kind = dds_type(TYPES[topic])
            self.heard[topic] += [sample for sample in reader.take(N=100) if type(sample) is kind]

    def until(self, found: Callable[[], Any], again: Callable[[], None] = lambda: None) -> Any:
        """What `found` finds in what was heard; what is sent `again` until then may be lost, as is best effort."""
        start = sent = monotonic()
        again()
        while monotonic() - start < PATIENCE_S:
            self.hear()
            if result := found():
                return result
            if monotonic() - sent > AGAIN_S:
                sent = monotonic()
                again()
            sleep(0.02)
        raise AssertionError(f"not heard in {PATIENCE_S:.0f} s; the newest diagnostics: {self.diagnosis()}")

    def depth(self, picture: Any, *infos: Any) -> np.ndarray:
        """The node's answer to a picture, (H, W) float32, which `infos` are sent before."""

        def again() -> None:
            for info in infos:
                self.send(INFO, info)
            self.film(picture)

        return floats(self.until(lambda: self.of_stamp("/clipdepth/depth", picture), again))

    def of_stamp(self, topic: str, picture: Any) -> Any:
        """What was heard with a picture's stamp; None if nothing was."""
        return next((each for each in self.heard[topic] if stamp(each) == stamp(picture)), None)

    def diagnosis(self) -> Any:
        """The status of the newest diagnostics."""
        heard = self.heard["/diagnostics"]
        return heard[-1].status[0] if heard else None

    def refusal(self, text: str, again: Callable[[], None]) -> Any:
        """Diagnostics with an error that has `text`."""

        def found() -> Any:
            status = self.diagnosis()
            return status if status and status.level == 2 and text in status.message else None

        return self.until(found, again)

    def _topic(self, topic: str) -> Any:
        return Topic(self._participant, topic_name(topic), dds_type(TYPES[topic]))


def stamp(message: Any) -> tuple[int, int]:
    """Seconds and nanoseconds of its header."""
    return int(message.header.stamp.sec), int(message.header.stamp.nanosec)


def floats(image: Any) -> np.ndarray:
    """The values of a 32FC1 image, (H, W) float32."""
    assert (image.encoding, image.step, image.is_bigendian) == ("32FC1", 4 * image.width, 0)
    return np.frombuffer(bytes(image.data), "<f4").reshape(image.height, image.width)


@contextmanager
def node_and_robot(
    arguments: Sequence[str],
    command: Sequence[str] = (sys.executable, "-m", "clipdepth.ros"),
    end: int = signal.SIGTERM,
) -> Iterator[tuple[Robot, list[str]]]:
    """A robot beside a node, and at the end the lines that the node logged; it must end well at the signal."""
    domain = 1 + free_port() % 200
    os.environ["CYCLONEDDS_URI"] = LOOPBACK
    paths = [str(STAND_IN), str(TESTS), *sys.path]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain), "PYTHONPATH": os.pathsep.join(paths)}
    lines: list[str] = []
    with subprocess.Popen([*command, *arguments], env=environment, stderr=subprocess.PIPE, text=True) as node:
        try:
            yield Robot(domain), lines
            node.send_signal(end)
            lines += node.communicate(timeout=30)[1].splitlines()
            assert node.returncode == 0, lines
        finally:
            node.kill()
