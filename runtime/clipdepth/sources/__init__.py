"""Sources of frames: cameras, network streams, videos, images, drawn rooms, or any iterator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic_ns
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from clipdepth.sources.kinds import (
    BAG_METADATA,
    BAG_SUFFIXES,
    has_measured,
    has_modes,
    is_bag,
    is_camera,
    is_sought,
    kind_of,
)
from clipdepth.sources.options import SourceOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipdepth.camera.sized import SizedCamera

__all__ = [
    "BAG_METADATA",
    "BAG_SUFFIXES",
    "Captured",
    "Source",
    "SourceOptions",
    "has_measured",
    "has_modes",
    "is_bag",
    "is_camera",
    "is_sought",
    "open_source",
]


@dataclass(frozen=True)
class Captured:
    """A frame and when it was taken.

    `frame` is (H, W, 3) uint8 BGR, `time` seconds since the source's first frame, `index` counts from 0, and
    `captured_ns` is the computer's `time.monotonic_ns()` when the frame had been read. `focal_px` is the focal length
    in pixels of `frame` that its own file or its camera states, such as EXIF; None where neither does. `camera` is all
    that a recording states of the camera, its lens included, and `stamp_ns` the Unix time of the picture, nanoseconds.
    `measured` is the depth that a sensor measured with this picture, (H, W) float32 metres along the optical axis and
    aligned with `frame`; 0 or not finite where it saw nothing, None where the source has no such sensor.
    """

    frame: NDArray[np.uint8]
    time: float
    index: int
    captured_ns: int = field(default_factory=monotonic_ns, compare=False)
    focal_px: float | None = None
    camera: SizedCamera | None = None
    stamp_ns: int | None = None
    measured: NDArray[np.float32] | None = field(default=None, compare=False)


class Source(Protocol):
    """A stream of frames; a context manager, since it may hold a file or a device."""

    @property
    def name(self) -> str:
        """What it reads, for messages and reports; never with a password in it."""

    @property
    def live(self) -> bool:
        """Whether frames come by themselves, so that the newest counts; otherwise every frame does."""

    @property
    def timed(self) -> bool:
        """Whether the frames' times say when they were taken; images carry none."""

    @property
    def fps(self) -> float | None:
        """Frames a second on average, as it says itself, or None where that is not known."""

    @property
    def frame_count(self) -> int | None:
        """How many frames to expect (a video's own claim), or None for an endless stream."""

    @property
    def losses(self) -> int:
        """How often a live source was lost and sought again, or how many images or frames could not be read."""

    @property
    def is_lost(self) -> bool:
        """Whether it is away now and sought: lost, or not yet found."""

    def __iter__(self) -> Iterator[Captured]:
        """Read frame after frame until its end or `close`; raises SourceError where nothing can be read."""

    def close(self) -> None:
        """Let go of what it holds, from any thread; a read under way comes to its end first."""

    def __enter__(self) -> Source:
        """Return itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""


def open_source(spec: str, options: SourceOptions | None = None) -> Source:
    """Open what `spec` names.

    - 'rooms' or 'rooms:SEED', drawn rooms without end
    - '0', '1', …, or '/dev/video0': a webcam, asked for a mode
    - 'rtsp://…', 'rtmp://…', 'http://…' and their kin: a network stream, or a video on a server
    - 'gst: PIPELINE': a pipeline of GStreamer, in the words of gst-launch-1.0
    - 'csi://0', 'libcamera://' or 'libcamera://NAME': a camera of a Jetson or a Raspberry Pi, asked for a mode
    - 'realsense://', 'realsense://SERIAL' or 'realsense://PATH': a RealSense, asked for a mode, or a recording of one
    - a bag of ROS: x.mcap, x.db3, x.bag or a folder with metadata.yaml
    - a folder of images, an image, a video
    - 'frames/*.png': the images of that pattern

    A file or folder that is itself called rooms or 0 is './rooms' or './0'. Raises SourceError where there is nothing
    to read, UsageError for a spec that is none of these, MissingExtraError for a bag without rosbags.
    """
    return kind_of(spec).open(spec, options or SourceOptions())
