"""Webcams, and other cameras that the system knows as video devices."""

import logging
import math
import sys
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from time import monotonic, sleep
from typing import Any, Protocol

import cv2
import numpy as np

from clipdepth.errors import SourceError
from clipdepth.sources.capture import Reading
from clipdepth.sources.live import LiveSource, Reconnect
from clipdepth.sources.mode import CameraMode
from clipdepth.sources.permission import permission

BACKENDS = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}
"""OpenCV's way to cameras on each system. On Windows there are two, which number cameras differently: this one opens
them at once, where the other one takes seconds."""

_LOG = logging.getLogger(__name__)

FAILED_READS = 5
"""How many reads may fail one after another before a camera counts as lost: drivers drop single frames."""
PAUSE_S = 0.05
"""Between them, seconds."""
FAILED_S = 1.0
"""How long they may take together, seconds: a read that waited for a driver's time-out is not repeated."""


class Device(Protocol):
    """An open camera, as `cv2.VideoCapture` is one; the last reference to it closes it."""

    def isOpened(self) -> bool:  # noqa: N802, OpenCV's name
        """Whether it can be read."""

    def read(self) -> tuple[bool, Any]:
        """Wait for the next frame; False where there is none."""

    def get(self, prop: int, /) -> float:
        """A property's value."""

    def set(self, prop: int, value: float, /) -> bool:
        """Ask for a property's value."""


class DeviceCapture:
    """A device as a live source reads it. It has no time stamps."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self.fps = stated(device.get(cv2.CAP_PROP_FPS))

    def read(self) -> Reading | None:
        """See `Capture.read`; a few reads may fail."""
        start = monotonic()
        for _ in range(FAILED_READS):
            read, frame = self._device.read()
            if read:
                return Reading(np.asarray(frame, np.uint8))
            if monotonic() - start > FAILED_S:
                break
            sleep(PAUSE_S)
        return None


def open_camera(spec: str, mode: CameraMode, reconnect: Reconnect | None = None) -> LiveSource:
    """Open webcam '0' or '/dev/video0' and ask it for `mode`; what it gives instead is warned of, once.

    The source's name says what it gives. Raises SourceError where there is no camera or it gives no picture.
    """
    return camera_source(camera_name(spec), partial(_open_device, spec), mode, reconnect)


def camera_name(spec: str) -> str:
    """What messages call webcam '0' or '/dev/video0'."""
    return f"camera {spec}" if spec.isdigit() else spec


def camera_source(
    name: str, open_device: Callable[[], Device], mode: CameraMode, reconnect: Reconnect | None = None
) -> LiveSource:
    """The camera that `open_device` opens, as `open_camera` says."""

    def connect() -> Device:
        device = open_device()
        if not device.isOpened():
            raise SourceError(
                f"{name} cannot be opened; check that it is plugged in, yours to use and not in use{permission()}"
            )
        ask(device, mode)
        return device

    device = connect()
    given = read_back(device, name)
    wrong = differences(mode, given)
    if wrong:
        _LOG.warning("%s does not give the %s asked for: it gives %s", name, " and ".join(wrong), given)
    return LiveSource(f"{name} ({given})", DeviceCapture(device), lambda: DeviceCapture(connect()), reconnect)


def ask(device: Device, mode: CameraMode) -> None:
    """Ask a camera for `mode`; the pixel format first, since it decides which sizes and rates there are."""
    if mode.fourcc:
        device.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*mode.fourcc))
    for prop, value in (
        (cv2.CAP_PROP_FRAME_WIDTH, mode.width),
        (cv2.CAP_PROP_FRAME_HEIGHT, mode.height),
        (cv2.CAP_PROP_FPS, mode.fps),
    ):
        if value:
            device.set(prop, value)


def read_back(device: Device, name: str) -> CameraMode:
    """What a camera really gives: the size of a frame that is read, rate and pixel format as the driver says."""
    reading = DeviceCapture(device).read()
    if reading is None:
        raise SourceError(
            f"{name} can be opened but gives no picture; plug it in again, or ask for another mode{permission()}"
        )
    code = int(device.get(cv2.CAP_PROP_FOURCC))
    letters = "".join(chr(code >> shift & 0xFF) for shift in (0, 8, 16, 24)) if code > 0 else ""
    fourcc = letters if len(letters) == 4 and letters.isascii() and letters.isprintable() else None
    height, width = reading.frame.shape[:2]
    return CameraMode(width, height, stated(device.get(cv2.CAP_PROP_FPS)), fourcc)


def differences(asked: CameraMode, given: CameraMode) -> list[str]:
    """The fields in which a camera gives something else than was asked."""
    pairs = [(field.name, getattr(asked, field.name), getattr(given, field.name)) for field in fields(CameraMode)]
    return [name for name, wanted, got in pairs if wanted is not None and wanted != got]


def stated(value: float) -> float | None:
    """A property of a device, or None where it does not know: OpenCV says 0, NaN or something below 0 then."""
    return value if math.isfinite(value) and value > 0 else None


def _open_device(spec: str) -> Device:
    return cv2.VideoCapture(int(spec) if spec.isdigit() else spec, BACKENDS.get(sys.platform, cv2.CAP_ANY))
