"""Sources of frames: cameras, network streams, videos, images, drawn rooms, or any iterator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic_ns
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from clipdepth.errors import SourceError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipdepth.camera.sized import SizedCamera
    from clipdepth.files.hwaccel import HardwareDecoder
    from clipdepth.sources.live import Reconnect
    from clipdepth.sources.mode import CameraMode

__all__ = ["Captured", "Source", "has_modes", "is_bag", "is_camera", "is_sought", "open_source"]

BAG_SUFFIXES = (".mcap", ".db3", ".bag")
BAG_METADATA = "metadata.yaml"


@dataclass(frozen=True)
class Captured:
    """A frame and when it was taken.

    `frame` is (H, W, 3) uint8 BGR, `time` seconds since the source's first frame, `index` counts from 0, and
    `captured_ns` is the computer's `time.monotonic_ns()` when the frame had been read. `focal_px` is the focal length
    in pixels of `frame` that its own file or its camera states, such as EXIF; None where neither does. `camera` is all
    that a recording states of the camera, its lens included, and `stamp_ns` the Unix time of the picture, nanoseconds.
    """

    frame: NDArray[np.uint8]
    time: float
    index: int
    captured_ns: int = field(default_factory=monotonic_ns, compare=False)
    focal_px: float | None = None
    camera: SizedCamera | None = None
    stamp_ns: int | None = None


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


def open_source(
    spec: str,
    mode: CameraMode | None = None,
    reconnect: Reconnect | None = None,
    decoder: HardwareDecoder | None = None,
    topic: str | None = None,
) -> Source:
    """Open what `spec` names.

    - 'rooms' or 'rooms:SEED', drawn rooms without end
    - '0', '1', …, or '/dev/video0': a webcam, asked for `mode`
    - 'rtsp://…', 'rtmp://…', 'http://…' and their kin: a network stream, or a video on a server
    - 'gst: PIPELINE': a pipeline of GStreamer, in the words of gst-launch-1.0
    - 'csi://0', 'libcamera://' or 'libcamera://NAME': a camera of a Jetson or a Raspberry Pi, asked for `mode`
    - 'realsense://', 'realsense://SERIAL' or 'realsense://PATH': a RealSense, asked for `mode`, or a recording of one
    - a bag of ROS: x.mcap, x.db3, x.bag or a folder with metadata.yaml, of which `topic` names the pictures' topic
    - a folder of images, an image, a video
    - 'frames/*.png': the images of that pattern

    `reconnect` says how cameras and streams are sought that were lost; `decoder` decodes videos and network streams
    whose codec it knows; `topic` is which pictures of a bag are read. A file or folder that is itself called rooms or 0
    is './rooms' or './0'. Raises SourceError where there is nothing to read, UsageError for a spec that is none of
    these, MissingExtraError for a bag without rosbags.
    """
    kind, _, seed = spec.partition(":")
    if kind == "rooms":
        return _open_rooms(spec, seed)
    if kind == "gst":
        from clipdepth.sources.gstreamer import open_pipeline

        return open_pipeline(spec.removeprefix("gst:").strip(), reconnect=reconnect)
    if is_camera(spec):
        from clipdepth.sources.camera import open_camera
        from clipdepth.sources.mode import CameraMode

        return open_camera(spec, mode or CameraMode(), reconnect)
    if kind in ("csi", "libcamera"):
        from clipdepth.sources.boards import open_board_camera
        from clipdepth.sources.mode import CameraMode

        return open_board_camera(spec, mode or CameraMode(), reconnect)
    if kind == "realsense":
        from clipdepth.sources.mode import CameraMode
        from clipdepth.sources.realsense import open_realsense

        return open_realsense(spec, mode or CameraMode(), reconnect)
    if "://" in spec:
        from clipdepth.sources.network import open_stream

        return open_stream(spec, reconnect, decoder=decoder)
    return _open_path(spec, decoder, topic)


def is_camera(spec: str) -> bool:
    """Whether `spec` is a webcam's number or device file."""
    return re.fullmatch(r"[0-9]{1,9}|/dev/(video[0-9]+|v4l/.+)", spec) is not None


def has_modes(spec: str) -> bool:
    """Whether `spec` is a camera that can be asked for a mode: a webcam, one of a board, or a RealSense."""
    return is_camera(spec) or spec.startswith(("csi://", "libcamera://", "realsense://"))


def is_sought(spec: str) -> bool:
    """Whether `spec` is a camera or a stream, which may be away and come back."""
    return is_camera(spec) or "://" in spec or spec.startswith("gst:")


def is_bag(spec: str) -> bool:
    """Whether `spec` is a bag of ROS by its name, or a folder with the metadata of one."""
    path = Path(spec)
    try:
        return path.suffix.lower() in BAG_SUFFIXES if path.is_file() else (path / BAG_METADATA).is_file()
    except OSError:  # a name that is too long, a folder that may not be looked into
        return False


def _open_path(spec: str, decoder: HardwareDecoder | None, topic: str | None) -> Source:
    from clipdepth.sources.folder import open_folder, open_images

    path = Path(spec)
    try:
        if is_bag(spec):
            from clipdepth.sources.ros.source import BagSource

            return BagSource(path, topic)
        if path.is_dir():
            return open_folder(path)
        if path.is_file():
            return _open_file(path, decoder)
    except SourceError:
        raise
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise SourceError(f"'{spec}' cannot be opened ({error.strerror}); check the path") from None
    if any(character in spec for character in "*?["):
        return open_images(spec)
    raise SourceError(f"there is no video or folder at '{spec}'; check the path, or give 'rooms'")


def _open_rooms(spec: str, seed: str) -> Source:
    from clipdepth.sources.rooms import RoomsSource

    if spec != "rooms" and not re.fullmatch(r"[0-9]{1,18}", seed):
        raise UsageError(f"'{spec}' is no source; write 'rooms' or 'rooms:SEED' with a whole number from 0")
    return RoomsSource(int(seed or "0"))


def _open_file(path: Path, decoder: HardwareDecoder | None) -> Source:
    from clipdepth.sources.folder import IMAGE_SUFFIXES, open_image
    from clipdepth.sources.video import open_video

    if path.suffix.lower() in IMAGE_SUFFIXES:
        return open_image(path)
    return open_video(path, decoder)
