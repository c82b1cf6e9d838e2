"""Which cameras are here, and their modes."""

import sys
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
    """V4L2's, or on Windows and macOS those with numbers; then GStreamer's own and RealSenses, where there are any."""
    from clipdepth.sources.gstreamer_devices import gstreamer_cameras
    from clipdepth.sources.realsense import realsense_cameras

    if sys.platform in ("win32", "darwin"):
        from clipdepth.sources.numbered_cameras import numbered_cameras

        yield from numbered_cameras()
    else:
        from clipdepth.sources.v4l2 import video_devices

        yield from video_devices()
    yield from gstreamer_cameras()
    yield from realsense_cameras()
