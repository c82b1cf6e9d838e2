"""Which cameras are here, and their modes."""

from collections.abc import Iterator
from dataclasses import dataclass

from clipdepth.sources.mode import CameraMode


@dataclass(frozen=True)
class FoundCamera:
    """A camera that is here, what to call it, and what it can be asked for."""

    source: str
    """What `clipdepth run --source` takes."""
    name: str
    modes: tuple[CameraMode, ...] = ()
    problem: str | None = None
    """Why it could not be asked; None where it could."""


def find_cameras() -> Iterator[FoundCamera]:
    """V4L2's, then those that GStreamer knows besides and RealSenses, where their libraries are installed."""
    from clipdepth.sources.gstreamer_devices import gstreamer_cameras
    from clipdepth.sources.realsense import realsense_cameras
    from clipdepth.sources.v4l2 import video_devices

    yield from video_devices()
    yield from gstreamer_cameras()
    yield from realsense_cameras()
