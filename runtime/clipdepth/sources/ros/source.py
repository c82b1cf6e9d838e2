"""A bag as a source: its pictures, with their times and their camera."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path
from threading import Lock
from typing import Any

from clipdepth.camera.files.ros import camera_of_info
from clipdepth.camera.sized import SizedCamera
from clipdepth.errors import SourceError
from clipdepth.sources import Captured
from clipdepth.sources.ros.bag import Bag, open_bag, stamp_ns
from clipdepth.sources.ros.depth import depth_of
from clipdepth.sources.ros.pairing import Stamped, paired
from clipdepth.sources.ros.pictures import picture_of
from clipdepth.sources.ros.topics import chosen, images, infos_of, is_rectified, named_topics, picture_topic


class BagSource:
    """The pictures of one topic of a bag. Each has its newest CameraInfo as its camera, and the time of its header.

    Depth of the topic `measured`, aligned with the picture, comes with it where one was taken at that time. Where
    CameraInfo is missing or not calibrated, no camera is stated. Raises SourceError where there is no picture or no
    such depth, or no single topic of pictures or of their camera.
    """

    live = False
    timed = True
    losses = 0
    is_lost = False

    def __init__(self, path: Path, topic: str | None = None, measured: str | None = None) -> None:
        self.name = str(path)
        self._reading = Lock()
        self._closed = False
        with ExitStack() as opening:
            self._bag = opening.enter_context(open_bag(path))
            self._choose(self._bag, topic, measured)
            self._held = opening.pop_all()

    def _choose(self, bag: Bag, topic: str | None, measured: str | None) -> None:
        if bag.is_of_sdk:
            raise SourceError(f"{self.name} is a recording of RealSense's SDK; read it as 'realsense://{self.name}'")
        self._topic = picture_topic(self.name, bag.types, topic, "--topic")
        self.frame_count = bag.count(self._topic)
        if not self.frame_count:
            raise SourceError(f"{self.name} has no picture in {self._topic}; record it again")
        self.fps = (self.frame_count - 1) / bag.seconds if bag.seconds and self.frame_count > 1 else None
        infos = infos_of(self._topic, bag.types)
        if len(infos) > 1:
            raise SourceError(
                f"{self.name} does not say which of {named_topics(infos)} is the camera of {self._topic}; name the "
                "topics as ROS does, with camera_info beside the picture, and record again"
            )
        self._info = infos[0] if infos else None
        self._measured = measured
        if measured is not None:
            chosen(self.name, measured, images(bag.types), (), _any, "depth", "--measured")
            if not bag.count(measured):
                raise SourceError(f"{self.name} has no depth in {measured}; record it again")

    def __iter__(self) -> Iterator[Captured]:
        """See `Source.__iter__`; raises SourceError for damage, and for a picture or a camera that is not known."""
        start = 0
        # Without a topic of depth nothing is waited for.
        pairs = ((one, None) for one in self._stamped()) if self._measured is None else paired(self._stamped())
        for index, (picture, depth) in enumerate(pairs):
            start = start or picture.stamp_ns
            time, frame = (picture.stamp_ns - start) / 1e9, picture_of(picture.message, f"{self.name}: {self._topic}")
            measured = depth_of(depth.message, f"{self.name}: {self._measured}") if depth else None
            yield Captured(frame, time, index, camera=picture.camera, stamp_ns=picture.stamp_ns, measured=measured)

    def _stamped(self) -> Iterator[Stamped]:
        """Pictures with their camera, and depth, in the order of the recording."""
        camera = None
        for topic, recorded, message in self._messages():
            if topic == self._info:
                camera = self._camera(message)
            else:
                yield Stamped(message, stamp_ns(message, recorded), recorded, topic == self._measured, camera)

    def _messages(self) -> Iterator[tuple[str, int, Any]]:
        """The first CameraInfo, which some drivers send after its picture, and then all in turn, until `close`."""
        infos = [self._info] if self._info else []
        topics = [self._topic, *infos, *([self._measured] if self._measured else [])]
        messages = chain(islice(self._bag.messages(*infos), 1 if infos else 0), self._bag.messages(*topics))
        while True:
            with self._reading:
                message = None if self._closed else next(messages, None)
            if message is None:
                return
            yield message

    def _camera(self, info: object) -> SizedCamera | None:
        return camera_of_info(info, f"{self.name}: {self._info}", is_rectified(self._topic))

    def close(self) -> None:
        """See `Source.close`."""
        with self._reading:
            self._closed = True
            self._held.close()

    def __enter__(self) -> "BagSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _any(topic: str) -> tuple[bool, ...]:
    return ()
