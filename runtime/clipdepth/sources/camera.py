"""Webcams, and other cameras that the system knows as video devices."""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial

import cv2

from clipdepth.errors import SourceError, UsageError
from clipdepth.sources.capture import Capture, read_frame
from clipdepth.sources.live import LiveSource, Reconnect
from clipdepth.sources.video import stated

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class CameraMode:
    """What a camera is asked for, or gives; None for what is left to it or not known."""

    width: int | None = None
    """Pixels."""
    height: int | None = None
    """Pixels."""
    fps: float | None = None
    """Frames a second."""
    fourcc: str | None = None
    """The pixel format, four characters, such as MJPG or YUYV."""

    def __post_init__(self) -> None:
        if self.fourcc is not None and not (len(self.fourcc) == 4 and self.fourcc.isascii()):
            raise UsageError(f"'{self.fourcc}' is no pixel format; give four characters, such as MJPG or YUYV")

    def __str__(self) -> str:
        size = f"{self.width or '?'}×{self.height or '?'}" if self.width or self.height else ""
        rate = f"{self.fps:g}/s" if self.fps else ""
        return " ".join(part for part in (size, rate, self.fourcc) if part)


def open_camera(spec: str, mode: CameraMode, reconnect: Reconnect | None = None) -> LiveSource:
    """Open webcam '0' or '/dev/video0' and ask it for `mode`; what it gives instead is warned of, once.

    The source's name says what it gives. Raises SourceError where there is no camera or it gives no picture.
    """
    return camera_source(f"camera {spec}" if spec.isdigit() else spec, partial(_open_device, spec), mode, reconnect)


def camera_source(
    name: str, open_device: Callable[[], Capture], mode: CameraMode, reconnect: Reconnect | None = None
) -> LiveSource:
    """The camera that `open_device` opens, as `open_camera` says."""

    def connect() -> Capture:
        capture = open_device()
        if not capture.isOpened():
            raise SourceError(f"{name} cannot be opened; check that it is plugged in, yours to use and not in use")
        ask(capture, mode)
        return capture

    capture = connect()
    given = read_back(capture, name)
    wrong = differences(mode, given)
    if wrong:
        _LOG.warning("%s does not give the %s asked for: it gives %s", name, " and ".join(wrong), given)
    return LiveSource(f"{name} ({given})", capture, connect, reconnect)


def ask(capture: Capture, mode: CameraMode) -> None:
    """Ask a camera for `mode`; the pixel format first, since it decides which sizes and rates there are."""
    if mode.fourcc:
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*mode.fourcc))
    for prop, value in (
        (cv2.CAP_PROP_FRAME_WIDTH, mode.width),
        (cv2.CAP_PROP_FRAME_HEIGHT, mode.height),
        (cv2.CAP_PROP_FPS, mode.fps),
    ):
        if value:
            capture.set(prop, value)


def read_back(capture: Capture, name: str) -> CameraMode:
    """What a camera really gives: the size of a frame that is read, rate and pixel format as the driver says."""
    frame = read_frame(capture)
    if frame is None:
        raise SourceError(f"{name} can be opened but gives no picture; plug it in again, or ask for another mode")
    code = int(capture.get(cv2.CAP_PROP_FOURCC))
    letters = "".join(chr(code >> shift & 0xFF) for shift in (0, 8, 16, 24)) if code > 0 else ""
    fourcc = letters if len(letters) == 4 and letters.isascii() and letters.isprintable() else None
    return CameraMode(frame.shape[1], frame.shape[0], stated(capture.get(cv2.CAP_PROP_FPS)), fourcc)


def differences(asked: CameraMode, given: CameraMode) -> list[str]:
    """The fields in which a camera gives something else than was asked."""
    pairs = [(field.name, getattr(asked, field.name), getattr(given, field.name)) for field in fields(CameraMode)]
    return [name for name, wanted, got in pairs if wanted is not None and wanted != got]


def _open_device(spec: str) -> Capture:
    backend = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
    return cv2.VideoCapture(int(spec) if spec.isdigit() else spec, backend)
