"""From the newest picture and CameraInfo to depth, in a thread of its own."""

from collections.abc import Callable
from dataclasses import replace
from threading import Event, Thread
from time import monotonic, monotonic_ns
from typing import Any

from clipdepth.camera.files.ros import camera_of_info
from clipdepth.camera.sized import SizedCamera
from clipdepth.errors import SourceError
from clipdepth.frame import DepthFrame
from clipdepth.model import DepthModel
from clipdepth.pipeline import Slot
from clipdepth.pipeline.thread import start_thread
from clipdepth.ros.health import Health
from clipdepth.sources import Captured
from clipdepth.sources.ros.bag import stamp_ns
from clipdepth.sources.ros.pictures import picture_of
from clipdepth.sources.ros.topics import is_rectified


class DepthMaker:
    """Makes depth of the newest picture, with the newest CameraInfo; a context manager, whose end stops its thread.

    `publish` gets each picture's message with its depth, `refuse` the reason where a picture gives none. What else
    fails ends the thread: `failed` gets it. With `is_told` the camera is known without CameraInfo. `most` are
    depths a second, 0 for no limit.
    """

    def __init__(
        self,
        model: DepthModel,
        topics: tuple[str, str],
        publish: Callable[[Any, DepthFrame], None],
        refuse: Callable[[str], None],
        failed: Callable[[BaseException], None],
        *,
        is_told: bool = False,
        min_confidence: float = 0.0,
        most: float = 0.0,
    ) -> None:
        self._model = model
        self._image_topic, self._info_topic = topics
        self.health = Health(self._image_topic)
        self._publish, self._refuse, self._failed = publish, refuse, failed
        self._is_told = is_told
        self._min_confidence = min_confidence
        self._seconds = 1 / most if most else 0.0
        self._waiting: Slot[tuple[Any, int]] = Slot(newest_only=True)
        self._info: Any = None
        self._index = 0
        self._ending = Event()
        self._threads: list[Thread] = []

    def take_info(self, info: Any) -> None:
        """Keep a sensor_msgs/CameraInfo: it is the camera of every picture until the next one comes."""
        self._info = info

    def take_picture(self, message: Any) -> None:
        """Leave a sensor_msgs/Image or CompressedImage for the thread, in place of one that it has not begun."""
        self.health.received(self._waiting.put((message, monotonic_ns())))

    def _make_depth(self) -> None:
        for message, arrived_ns in self._waiting:
            start = monotonic()
            try:
                frame = self._depth(message, arrived_ns)
            except SourceError as error:
                self.health.refused(str(error))
                self._refuse(str(error))
            else:
                self._publish(message, frame)
                self.health.published(frame)
            self._ending.wait(max(0.0, start + self._seconds - monotonic()))

    def _depth(self, message: Any, arrived_ns: int) -> DepthFrame:
        camera = None if self._is_told else self._camera()
        picture = picture_of(message, self._image_topic)
        stamp = stamp_ns(message, 0)
        captured = Captured(picture, 0.0, self._index, arrived_ns, camera=camera, stamp_ns=stamp)
        self._index += 1
        return replace(self._model.depth_of(captured), min_confidence=self._min_confidence)

    def _camera(self) -> SizedCamera:
        remedy = "or set the parameter fov or calibration"
        if self._info is None:
            raise SourceError(
                f"no CameraInfo has come on {self._info_topic}; publish it or remap camera_info, {remedy}"
            )
        camera = camera_of_info(self._info, self._info_topic, is_rectified(self._image_topic))
        if camera is None:
            raise SourceError(
                f"{self._info_topic} is of a camera that is not calibrated (K is 0); calibrate it, {remedy}"
            )
        return camera

    def __enter__(self) -> "DepthMaker":
        start_thread(self._threads, self._make_depth, self._failed)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._waiting.stop()
        for thread in self._threads:
            thread.join()
